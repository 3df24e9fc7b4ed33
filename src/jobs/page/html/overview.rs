//! Every job and every target at a glance: what fails comes first, with its reason.

use maud::{Markup, html};

use super::{
    Around, badge, due,
    job::{changed, shown},
    job_address, order, page, place, since, why, words,
};
use crate::{
    jobs::{Allowance, JobStatus, Month, State, Verdict, page::stand::Stand},
    report::{html::visible, words as human},
};

/// The page.
pub(in super::super) fn overview(around: &Around<'_>, jobs: &[Stand]) -> String {
    let mut ordered: Vec<&Stand> = jobs.iter().collect();
    ordered.sort_by_key(|job| words::health(&job.status).0 != words::Tone::Bad);
    let main = html! {
        h1 { "Mirrors" }
        p #sum .sum data-live="" role="status" { (sum(jobs)) }
        div #jobs .stack data-live="" {
            @if jobs.is_empty() {
                div.panel {
                    h2 { "No job is configured" }
                    p { "Write one into the configuration, such as" }
                    pre tabindex="0" { code { "[job.ports]\nsource = \"garage:ports\"\ntargets = [\"b2:ports\", \"/srv/mirror/ports\"]\nevery = \"15m\"" } }
                    p { "and send the daemon a SIGHUP." }
                }
            }
            @for job in ordered { (card(around, job)) }
        }
    };
    page(around, "Mirrors", &[], &main)
}

/// How all of them stand, in a sentence.
fn sum(jobs: &[Stand]) -> Markup {
    let of = |tone| jobs.iter().map(|job| &job.status).filter(move |status| words::health(status).0 == tone);
    let bad: Vec<&JobStatus> = of(words::Tone::Bad).collect();
    let good = of(words::Tone::Good).count();
    html! {
        @if bad.is_empty() {
            (good) " of " (human::count(jobs.len() as u64, "job")) " in step."
        } @else {
            strong.alert { (human::count(bad.len() as u64, "job")) " of " (jobs.len()) " failing or stale: " }
            @for (at, status) in bad.iter().enumerate() {
                @if at > 0 { ", " }
                a href={ (job_address(&status.name)) "#why" } id={ "sum-" (status.name) } { (visible(&status.name)) }
            }
            "."
        }
    }
}

fn card(around: &Around<'_>, stand: &Stand) -> Markup {
    let Stand { job, status, month } = stand;
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
            p.soft.small { "From " (place(&status.source)) " · " (times(around, status)) (spent(job.budget.as_ref(), month)) }
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
                        @if tone == words::Tone::Bad || target.failure.is_some() { (why(&status.why_behind(target))) }
                    }
                }
            }
            @if tone == words::Tone::Bad {
                p { a href={ (job_address(&status.name)) "#why" } id={ "why-" (status.name) } { "Why, and what to do" span.hidden { " about " (status.name) } } }
            }
        }
    }
}

/// What this month took, of what it may.
fn spent(budget: Option<&Allowance>, month: &Month) -> Markup {
    let (egress, cost) = (budget.and_then(|budget| budget.egress), budget.and_then(|budget| budget.cost.as_ref()));
    html! {
        @if month.egress > 0 || egress.is_some() {
            " · " (human::bytes(month.egress)) " read "
            @if let Some(most) = egress { "of " (human::bytes(most)) " " }
            "this month"
        }
        @for (currency, amount) in &month.spent { " · " (shown(*amount)) " " (currency) " this month" }
        @if let Some((most, currency)) = cost { ", budget " (shown(*most)) " " (currency) }
    }
}

/// What the last run changed at `place`, if it did.
fn changed_last(status: &JobStatus, place: &str) -> Option<String> {
    let target = status.ended.as_ref()?.targets.iter().find(|target| target.place == place)?;
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
