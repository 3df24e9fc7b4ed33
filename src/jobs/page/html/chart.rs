//! The history as a row of bars, a bar a run.

use maud::{Markup, html};

use super::words;
use crate::{
    jobs::{RunRecord, Verdict},
    report::words as human,
};

/// Height of the chart, in pixels, and what of it is kept for signs above the bars.
const HEIGHT: f64 = 96.0;
const HEAD: f64 = 16.0;

/// The height of a run that took no time, in pixels: it is there all the same.
const LEAST: f64 = 4.0;

/// `runs`, the latest first, as bars from the left to the right: as high as they took long, in the colour of how they ended.
pub(super) fn runs(runs: &[RunRecord], address: &dyn Fn(&RunRecord) -> String) -> Markup {
    let took = |run: &RunRecord| words::span(run.began, run.ended.unwrap_or(run.began)).as_secs_f64();
    let most = runs.iter().map(took).fold(f64::MIN_POSITIVE, f64::max);
    let width = 100.0 / runs.len().max(20) as f64;
    let failed = runs.iter().filter(|run| run.verdict.is_trouble()).count();
    let label = format!("The last {}: {failed} failed", human::count(runs.len() as u64, "run"));
    html! {
        figure {
            figcaption { "The last " (human::count(runs.len() as u64, "run")) ", the latest on the right; as high as they took long, at most "
                (human::span(std::time::Duration::from_secs_f64(most))) "." }
            svg.history width="100%" height=(HEIGHT) role="img" aria-label=(label) {
                line.axis x1="0" x2="100%" y1=(HEIGHT) y2=(HEIGHT) {}
                @for (at, run) in runs.iter().rev().enumerate() {
                    @let high = (took(run) / most * (HEIGHT - HEAD)).max(LEAST);
                    @let left = at as f64 * width;
                    @let (tone, word) = words::verdict(run.verdict);
                    a href=(address(run)) tabindex="-1" {
                        rect class={ "run " (tone.class()) } x=(format!("{left:.2}%")) width=(format!("{:.2}%", width * 0.8))
                            y=(format!("{:.1}", HEIGHT - high)) height=(format!("{high:.1}")) rx="2" {
                            title { (words::clock(run.began)) ": " (word) }
                        }
                        @if run.verdict.is_trouble() || run.verdict == Verdict::Stopped {
                            text.tick x=(format!("{:.2}%", left + width * 0.4)) y=(format!("{:.1}", HEIGHT - high - 4.0)) text-anchor="middle" { (tone.sign()) }
                        }
                    }
                }
            }
        }
    }
}
