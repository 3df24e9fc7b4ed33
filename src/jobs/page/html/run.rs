//! One run: how it ended at each target, and its log.

use maud::{Markup, html};

use super::{
    Around, badge, due,
    job::{changed, run_address, shown},
    job_address, page, place, since, why, words,
};
use crate::{
    jobs::{RunRecord, TargetRecord, Verdict},
    price::Decimal,
    report::html::visible,
};

/// What is left of a run's log.
pub(in super::super) enum Log {
    /// Its last lines, and whether there are more before them.
    Lines {
        /// As people read them.
        text: String,
        /// Whether lines before them are left out.
        cut: bool,
    },
    /// There is none, and why.
    None(String),
}

/// The page.
pub(in super::super) fn run(around: &Around<'_>, record: &RunRecord, log: &Log) -> String {
    let (tone, word) = words::verdict(record.verdict);
    let title = format!("Run of {}", words::clock(record.began));
    let main = html! {
        h1 { (title) }
        div #state data-live="" {
            p.head {
                (badge(tone, word))
                span.soft {
                    "begun " (words::trigger(record.trigger)) " " (since(record.began, around.now))
                    @match record.ended {
                        Some(ended) if record.verdict != Verdict::Killed => { ", took " (words::took(record.began, ended)) }
                        Some(ended) => { ", found killed " (since(ended, around.now)) }
                        None => {}
                    }
                    @if let Some(next) = around.snapshot.next.get(&record.job) { " · next run " (due(*next, around.now)) }
                }
            }
            @if let Some(failure) = &record.failure { div class={ "notice " (tone.class()) } { (why(failure)) } }
            @if !record.full { p.small.soft { "Only the small index of the source was read: it had not changed, so neither was listed." } }
            @if !record.targets.is_empty() { div.panel { (targets(&record.targets)) } }
        }
        section.log aria-labelledby="log-title" {
            h2 #log-title { "Log" }
            @match log {
                Log::None(why) => p { (visible(why)) },
                Log::Lines { text, cut } => {
                    @if *cut { p.small.soft { "The end of it; " a href={ (run_address(record)) "/log" } { "the whole log" } " is longer." } }
                    pre tabindex="0" role="region" aria-label="Log" { code #log data-live="" { (visible_lines(text)) } }
                }
            }
        }
    };
    page(around, &title, &[("Mirrors", "/".to_owned()), (&record.job, job_address(&record.job))], &main)
}

/// As [`visible`], line by line.
fn visible_lines(text: &str) -> String {
    text.lines().map(|line| visible(line) + "\n").collect()
}

fn targets(targets: &[TargetRecord]) -> Markup {
    html! {
        ul.targets {
            @for target in targets {
                @let (tone, word) = words::verdict(target.verdict);
                li {
                    div.target {
                        (badge(tone, word)) span.name { (place(&target.place)) }
                        span.soft.small {
                            (changed(target))
                            @if let Some(cost) = &target.cost {
                                @if let Ok(amount) = cost.amount.parse::<Decimal>() { ", " (shown(amount)) " " (cost.currency) }
                            }
                        }
                    }
                    @if let Some(failure) = &target.failure { (why(failure)) }
                }
            }
        }
    }
}
