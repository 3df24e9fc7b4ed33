//! Every job and every target at a glance: what fails comes first, with its reason.

use maud::{Markup, html};

use super::{
    Around, badge, due,
    job::{changed, shown},
    job_address, order, page, place, since, why, words,
};
use crate::{
    jobs::{JobStatus, State, Verdict, page::month::Month},
    report::{html::visible, words as human},
};

/// The page.
///
/// Each job comes with what its runs of this calendar month came to.
pub(in super::super) fn overview(around: &Around<'_>, statuses: &[(JobStatus, Month)]) -> String {
    let mut ordered: Vec<&(JobStatus, Month)> = statuses.iter().collect();
    ordered.sort_by_key(|(status, _)| words::health(status).0 != words::Tone::Bad);
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
            @for (status, month) in ordered { (card(around, status, month)) }
        }
    };
    page(around, "Mirrors", &[], &main)
}

/// How all of them stand, in a sentence.
fn sum(statuses: &[(JobStatus, Month)]) -> Markup {
    let of = |tone| statuses.iter().map(|(status, _)| status).filter(move |status| words::health(status).0 == tone);
    let failing: Vec<&JobStatus> = of(words::Tone::Bad).collect();
    let good = of(words::Tone::Good).count();
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

fn card(around: &Around<'_>, status: &JobStatus, month: &Month) -> Markup {
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
            p.soft.small { "From " (place(&status.source)) " · " (times(around, status)) (spent(around, status, month)) }
            (running(around, status))
            ul.targets {
                @for target in &status.targets {
                    @let (tone, word) = words::standing(target);
                    li {
                        div.target {
                            (badge(tone, word))
                            span.name { (place(&target.place)) }
                            span.soft.small {
                                @if let Some(changed) = changed_last(status, &target.place) { (changed) " · " }
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

/// What this month cost, of what it may.
fn spent(around: &Around<'_>, status: &JobStatus, month: &Month) -> Markup {
    let budget = around.snapshot.jobs.get(&status.name).and_then(|job| job.budget.as_ref());
    let most = budget.and_then(|budget| budget.cost.as_ref());
    html! {
        @for (currency, amount) in &month.spent { " · " (shown(*amount)) " " (currency) " this month" }
        @if let Some((most, currency)) = most { ", budget " (shown(*most)) " " (currency) }
    }
}

/// What the last run changed at `place`, if it did.
fn changed_last(status: &JobStatus, place: &str) -> Option<String> {
    let target = status.last.as_ref()?.targets.iter().find(|target| target.place == place)?;
    (target.written + target.deleted > 0).then(|| changed(target))
}

/// When it ran last, and when it runs next.
pub(super) fn times(around: &Around<'_>, status: &JobStatus) -> Markup {
    html! {
        @match status.last.as_ref().filter(|last| last.verdict != Verdict::Running) {
            Some(last) => { "last run " (since(last.began, around.now)) }
            None if status.last.is_some() => "a run is under way",
            None => "no run yet",
        }
        " · "
        @match (status.next, status.state) {
            (Some(next), _) => { "next run " (due(next, around.now)) }
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
