//! How the figures came about, so that they can be judged.

use maud::{Markup, html};

use super::who;
use crate::report::{Comparison, words};

pub(super) fn section(comparison: &Comparison) -> Markup {
    html! {
        p { "Keys were listed at every place and merged. A match is " em { "proven" } " where a digest of both contents is equal, "
            em { "likely" } " where size and time are, and " em { "unproven" } " where only the size is." }
        @if let Some(budget) = comparison.budget {
            p { "Speed was measured with at most " (words::bytes(budget)) " a place, read and written together. Each task ran at every place before the next one began. "
                "Objects read were the user's own, the same ones everywhere where there are such; objects written were random bytes of the same sizes, "
                "below a prefix of their own, and were removed. Times are those of requests as a run has them, with whatever had to be tried again. "
                "Percentiles are samples, by nearest rank." }
            ul.small {
                @for (at, place) in comparison.places.iter().enumerate() {
                    @if let Some(estimate) = &place.estimate {
                        li { (who(comparison, at)) "at most " (words::bytes(estimate.bytes_out)) " sent, " (words::bytes(estimate.bytes_in)) " read, "
                            (words::grouped(estimate.requests.values().sum())) " requests" }
                    }
                }
            }
        }
    }
}
