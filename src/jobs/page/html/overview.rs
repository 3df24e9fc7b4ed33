//! Every job and every target at a glance: what fails comes first, with its reason.

use maud::{Markup, html};

use super::{Around, badge, due, job_address, order, page, place, since, why, words};
use crate::{
    jobs::{JobStatus, State, Verdict},
    report::{html::visible, words as human},
};

/// The page.
pub(in super::super) fn overview(around: &Around<'_>, statuses: &[JobStatus]) -> String {
    let mut ordered: Vec<&JobStatus> = statuses.iter().collect();
    ordered.sort_by_key(|status| words::health(status).0 != words::Tone::Bad);
    let main = html! {
        h1 { "Mirrors" }
        p #sum .sum data-live="" role="status" { (sum(statuses)) }
        div #jobs .stack data-live="" {
            @if statuses.is_empty() {
                div.panel {
                    h2 { "No job is configured" }
                    p { "Write one into the configuration, such as" }
                    pre tabindex="0" { code { "[job.ports]\nsource = \"garage:ports\"\ntargets = [\"b2:ports\", \"/srv/mirror/ports\"]\nevery = \"15m\"" } }
                    p { "and send the daemon a SIGHUP." }
                }
            }
            @for status in ordered { (card(around, status)) }
        }
    };
    page(around, "Mirrors", &[], &main)
}

/// How all of them stand, in a sentence.
fn sum(statuses: &[JobStatus]) -> Markup {
    let failing: Vec<&JobStatus> =
        statuses.iter().filter(|status| words::health(status).0 == words::Tone::Bad).collect();
    let good = statuses.iter().filter(|status| words::health(status).0 == words::Tone::Good).count();
    html! {
        @if failing.is_empty() {
            (good) " of " (human::count(statuses.len() as u64, "job")) " in step."
        } @else {
            strong.alert { (human::count(failing.len() as u64, "job")) " of " (statuses.len()) " failing: " }
            @for (at, status) in failing.iter().enumerate() {
                @if at > 0 { ", " }
                a href={ (job_address(&status.name)) "#why" } id={ "sum-" (status.name) } { (visible(&status.name)) }
            }
            "."
        }
    }
}

fn card(around: &Around<'_>, status: &JobStatus) -> Markup {
    let (tone, word) = words::health(status);
    let id = format!("job-{}", status.name);
    html! {
        article class={ "panel job " (tone.class()) } aria-labelledby=(id) {
            div.head {
                h2 id=(id) { a href=(job_address(&status.name)) id={ "to-" (status.name) } { bdi { (visible(&status.name)) } } }
                (badge(tone, word))
                @if let Some((tone, word)) = words::doing(status.state) { (badge(tone, word)) }
                @if around.snapshot.waiting.contains(&status.name) && status.state != State::Running {
                    (badge(words::Tone::Busy, "waiting for another run"))
                }
                div.acts {
                    @if status.state != State::Running { (order(around, &status.name, ("run", "Run now"))) }
                }
            }
            p.soft.small { "From " (place(&status.source)) " · " (times(around, status)) }
            (running(around, status))
            ul.targets {
                @for target in &status.targets {
                    @let (tone, word) = words::standing(target);
                    li {
                        div.target {
                            (badge(tone, word))
                            span.name { (place(&target.place)) }
                            span.soft.small {
                                @match target.in_step {
                                    Some(then) if tone == words::Tone::Good => (since(then, around.now)),
                                    Some(then) => { "in step " (since(then, around.now)) }
                                    None if target.verdict.is_some() => "never in step",
                                    None => {}
                                }
                            }
                        }
                        @if let Some(failure) = target.failure.as_ref().filter(|_| tone != words::Tone::Good) {
                            (why(failure))
                        }
                    }
                }
            }
            @if tone == words::Tone::Bad {
                p { a href={ (job_address(&status.name)) "#why" } id={ "why-" (status.name) } { "Why, and what to do" span.hidden { " about " (status.name) } } }
            }
        }
    }
}

/// When it ran last, and when it runs next.
pub(super) fn times(around: &Around<'_>, status: &JobStatus) -> Markup {
    html! {
        @match status.last.as_ref().filter(|last| last.verdict != Verdict::Running) {
            Some(last) => { "last run " (since(last.began, around.now)) }
            None if status.last.is_some() => "first run under way",
            None => "no run yet",
        }
        " · "
        @match (status.next, status.state) {
            (Some(next), _) => { "next " (due(next, around.now)) }
            (None, State::Paused) => "paused",
            (None, State::Disabled) => "off in the configuration",
            (None, _) => "runs by hand only",
        }
    }
}

/// How far a run is.
pub(super) fn running(around: &Around<'_>, status: &JobStatus) -> Markup {
    let Some(tally) = &status.progress else { return html! {} };
    let began = around.snapshot.under.get(&status.name).map_or(around.now, |under| under.began);
    let took = words::span(began, around.now);
    html! {
        div.running {
            @match words::share(tally) {
                Some(share) => progress max="1" value=(format!("{share:.3}")) aria-label={ "Progress of " (status.name) } {},
                None => progress aria-label={ "Progress of " (status.name) } {},
            }
            p.small { (words::progress(tally, took)) " · running for " (human::span(took)) }
        }
    }
}
