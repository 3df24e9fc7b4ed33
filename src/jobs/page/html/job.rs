//! One job: how it stands, why it failed, what it did.

use maud::{Markup, html};

use super::{
    Around, Hand, badge, chart, job_address, order,
    overview::{running, times},
    page, place, since, why, words,
};
use crate::{
    jobs::{Allowance, JobStatus, Month, RunRecord, Saved, State, TargetRecord, Verdict, page::stand::Stand},
    price::Decimal,
    report::{html::visible, words as human},
};

/// The page; `last` are the last runs, the latest first.
pub(in super::super) fn job(around: &Around<'_>, stand: &Stand, last: &[RunRecord]) -> String {
    let Stand { job, status, month: spent } = stand;
    let (tone, word) = words::health(status);
    let main = html! {
        h1 { bdi { (visible(&job.name)) } }
        div #state data-live="" {
            p.head {
                (badge(tone, word))
                @if let Some((tone, word)) = words::doing(status.state) { (badge(tone, word)) }
                span.soft { (times(around, status)) }
            }
            (running(around, status))
        }
        div #acts .acts data-live="" { (acts(around, status)) }
        section #why aria-labelledby="why-title" tabindex="-1" {
            div #why-now data-live="" { (reasons(around, status)) }
        }
        section aria-labelledby="targets-title" {
            h2 #targets-title { "Targets" }
            div #targets .panel data-live="" { (targets(around, status)) }
        }
        section aria-labelledby="month-title" {
            h2 #month-title { "This month" }
            div #month .panel data-live="" { (month(job.budget.as_ref(), spent)) }
        }
        section aria-labelledby="runs-title" {
            h2 #runs-title { "History" }
            div #runs .panel data-live="" { (runs(around, last)) }
        }
        section aria-labelledby="set-title" {
            h2 #set-title { "How it is set" }
            div #set .panel data-live="" { (settings(job)) }
        }
    };
    page(around, &job.name, &[("Mirrors", "/".to_owned())], &main)
}

fn acts(around: &Around<'_>, status: &JobStatus) -> Markup {
    html! {
        @match around.hand {
            Hand::Nobody => p.small.soft { "To run or pause it from here, start the daemon with " code { "--token-file" } "." },
            Hand::SignedOut => p.small { a href="/sign-in" { "Sign in" } " to run or pause it." },
            Hand::SignedIn(_) => {
                (order(around, &status.name, ("run", if status.state == State::Running { "Run again afterwards" } else { "Run now" })))
                @if status.state == State::Paused {
                    (order(around, &status.name, ("resume", "Resume")))
                } @else if status.state != State::Disabled {
                    (order(around, &status.name, ("pause", "Pause")))
                }
            }
        }
    }
}

/// Why the last run that ended was no success, and why a target is behind.
fn reasons(around: &Around<'_>, status: &JobStatus) -> Markup {
    let (tone, _) = words::health(status);
    let failing: Vec<_> = status.targets.iter().filter(|target| target.failure.is_some() || target.stale).collect();
    let broken = around.snapshot.broken.get(&status.name);
    if (tone != words::Tone::Bad && tone != words::Tone::Warn && failing.is_empty()) && broken.is_none() {
        return html! { h2.hidden #why-title { "Nothing fails" } };
    }
    html! {
        div class={ "notice " (tone.class()) } {
            h2 #why-title { "Why, and what to do" }
            @if let Some(at) = broken {
                p.reason { "The run that began last broke off inside sterna itself (" (since(*at, around.now)) "). Please report it, with the log of that run." }
            }
            @for target in &failing {
                h3 { (place(&target.place)) }
                (why(&status.why_behind(target)))
            }
            @if failing.is_empty() {
                @match &status.trouble {
                    Some(failure) => (why(failure)),
                    None => p { (without_reason(status)) },
                }
            }
            @if let Some(last) = &status.ended {
                p { a href=(run_address(last)) id="to-log" { "The log of that run" } }
            }
        }
    }
}

/// What to say of a run that has no reason of its own.
fn without_reason(status: &JobStatus) -> &'static str {
    match status.targets.iter().find_map(|target| target.verdict) {
        Some(Verdict::Killed) => {
            "Its process was killed, or the machine went down. Nothing is lost: the next run goes on where it was."
        }
        Some(Verdict::Stopped) => "It was ended before all was done. The next run goes on where it was.",
        _ => "Its log says more.",
    }
}

fn targets(around: &Around<'_>, status: &JobStatus) -> Markup {
    html! {
        div.scroll role="region" aria-label="Targets" tabindex="0" {
            table.words {
                thead { tr {
                    th scope="col" { "Target" } th scope="col" { "State" } th scope="col" { "Last in step" } th scope="col" { "Holds" } th scope="col" { "Last run" }
                } }
                tbody {
                    @for target in &status.targets {
                        @let (tone, word) = words::standing(target);
                        tr {
                            th scope="row" { (place(&target.place)) }
                            td { (badge(tone, word)) }
                            td { @match target.in_step { Some(then) => (since(then, around.now)), None => "never" } }
                            td {
                                @match target.holds {
                                    Some(holds) => { (human::count(holds.objects, "object")) " (" (human::bytes(holds.bytes)) ")" }
                                    None => span.soft { "–" },
                                }
                            }
                            td { (last_change(status, &target.place)) }
                        }
                    }
                }
            }
        }
    }
}

/// What the last run did at `place`.
fn last_change(status: &JobStatus, place: &str) -> Markup {
    let target = status.ended.as_ref().and_then(|last| last.targets.iter().find(|target| target.place == place));
    html! { @match target { Some(target) => (changed(target)), None => span.soft { "–" } } }
}

/// What a run did at a target.
pub(super) fn changed(target: &TargetRecord) -> String {
    if target.written == 0 && target.deleted == 0 {
        return "nothing changed".to_owned();
    }
    let mut words = Vec::new();
    if target.written > 0 {
        words.push(format!("{} written ({})", human::count(target.written, "object"), human::bytes(target.bytes)));
    }
    if target.deleted > 0 {
        words.push(format!("{} deleted", human::grouped(target.deleted)));
    }
    words.join(", ")
}

/// What it took, beside what it may.
fn month(budget: Option<&Allowance>, month: &Month) -> Markup {
    let egress = budget.and_then(|budget| budget.egress);
    let cost = budget.and_then(|budget| budget.cost.as_ref());
    let beyond = month.spent.iter().filter(|(currency, _)| cost.is_none_or(|(_, budgeted)| budgeted != *currency));
    html! {
        dl.facts {
            dt { "Written" } dd { (human::bytes(month.written)) }
            dt { "Read (egress)" }
            dd {
                @match egress {
                    Some(most) => (used(Decimal::from(month.egress), Decimal::from(most), "egress", &|bytes| human::bytes(bytes.try_into().unwrap_or(u64::MAX)))),
                    None => (human::bytes(month.egress)),
                }
            }
            dt { "Cost" }
            dd {
                @if let Some((most, currency)) = cost {
                    div { (used(month.paid(currency), *most, "cost", &|amount| format!("{} {currency}", shown(amount)))) }
                }
                @for (currency, amount) in beyond { div { (shown(*amount)) " " (currency) } }
                @if month.spent.is_empty() && cost.is_none() { "no price known, or nothing spent" }
            }
        }
        p.small.soft { "Requests, retrieval and traffic as they are billed at list prices; storage is not in it." }
    }
}

/// How much of a budget is used.
fn used(part: Decimal, most: Decimal, what: &str, words: &dyn Fn(Decimal) -> String) -> Markup {
    let share = share(part, most);
    html! {
        meter min="0" max="1" high="0.8" value=(format!("{:.3}", share.min(1.0))) aria-label={ "Budget of " (what) " used" } {}
        " " (words(part)) " of " (words(most))
        @if share >= 1.0 { " " strong.alert { "used up" } }
    }
}

fn share(spent: Decimal, most: Decimal) -> f64 {
    if most.is_zero() {
        return 1.0;
    }
    spent.checked_div(most).and_then(|share| f64::try_from(share).ok()).unwrap_or(1.0)
}

/// Money to the cent, and finer where that shows nothing.
pub(super) fn shown(amount: Decimal) -> String {
    let cents = amount.round_dp(2);
    if cents.is_zero() && !amount.is_zero() {
        amount.round_dp(6).normalize().to_string()
    } else {
        format!("{cents:.2}")
    }
}

fn runs(around: &Around<'_>, runs: &[RunRecord]) -> Markup {
    if runs.is_empty() {
        return html! { p { "It has not run yet." } };
    }
    html! {
        (chart::runs(runs, &run_address))
        div.scroll role="region" aria-label="Runs" tabindex="0" {
            table.words {
                thead { tr {
                    th scope="col" { "Began" } th scope="col" { "Ended" } th scope="col" { "Took" } th scope="col" { "Changed" } th scope="col" { "Begun" }
                } }
                tbody { @for run in runs { (row(around, run)) } }
            }
        }
    }
}

fn row(around: &Around<'_>, run: &RunRecord) -> Markup {
    let (tone, word) = words::verdict(run.verdict);
    let sum = |of: fn(&TargetRecord) -> u64| run.targets.iter().map(of).sum::<u64>();
    let (written, bytes, deleted) =
        (sum(|target| target.written), sum(|target| target.bytes), sum(|target| target.deleted));
    html! {
        tr {
            th scope="row" { a href=(run_address(run)) id={ "run-" (run.id.0) } { (words::clock(run.began)) } }
            td { (badge(tone, word)) }
            td { (words::took(run.began, run.ended.unwrap_or(around.now))) }
            td {
                @if written + deleted == 0 { span.soft { "nothing" } } @else {
                    (human::grouped(written)) " written (" (human::bytes(bytes)) "), " (human::grouped(deleted)) " deleted"
                }
            }
            td.soft { (words::trigger(run.trigger)) }
        }
    }
}

/// The address of a run's page.
pub(super) fn run_address(run: &RunRecord) -> String {
    format!("{}/runs/{}", job_address(&run.job), run.id.0)
}

fn settings(job: &Saved) -> Markup {
    let when = &job.when;
    html! {
        dl.facts {
            dt { "Source" } dd { (place(&job.source)) }
            dt { "Targets" } dd { @for target in &job.targets { div { (place(target)) } } }
            dt { "Due" }
            dd {
                @match (&when.schedule, when.every) {
                    (Some(cron), _) => { code { (visible(cron)) } " " (when.zone.as_deref().unwrap_or("(local time)")) }
                    (None, Some(every)) => { "every " (human::span(every)) }
                    (None, None) => "by hand only",
                }
                @if !when.jitter.is_zero() { ", at most " (human::span(when.jitter)) " later" }
            }
            @if let Some(profile) = &job.profile { dt { "Order of publication" } dd { (visible(profile)) } }
            @if let Some(grace) = job.delete_after { dt { "Deleted after" } dd { (human::span(grace)) } }
            @if let Some(age) = job.stale_after { dt { "Stale after" } dd { (human::span(age)) } }
            @if let Some(most) = job.limits.max_duration { dt { "Longest run" } dd { (human::span(most)) } }
            @if let Some(bandwidth) = &job.limits.bandwidth { dt { "Bandwidth" } dd { (visible(bandwidth)) } }
        }
    }
}
