//! What the places can do.

use maud::{Markup, html};

use super::{letter, scrolling, who};
use crate::report::Comparison;

pub(super) fn section(comparison: &Comparison) -> Markup {
    let told: Vec<_> = comparison.places.iter().map(|place| place.capabilities.words()).collect();
    let rows = told.first().map_or(0, |words| words.len());
    let same = |row: usize| told.iter().all(|words| words[row].1 == told[0][row].1);
    let table = html! {
        table.words {
            caption { "What each place says of itself." }
            thead { tr {
                th scope="col" { "Capability" }
                @for at in 0..told.len() { th scope="col" { (letter(comparison, at)) } }
            } }
            tbody { @for row in 0..rows {
                tr {
                    th scope="row" { (told[0][row].0) }
                    @if same(row) {
                        td.soft colspan=(told.len()) { "all: " (told[0][row].1) }
                    } @else {
                        @for words in &told { td { (words[row].1) } }
                    }
                }
            } }
        }
    };
    html! {
        div.panel { (scrolling("Capabilities, by place", &table)) }
        @if comparison.places.iter().any(|place| place.doctor.is_some()) { (doctor(comparison)) }
    }
}

/// What the conformance suite found.
fn doctor(comparison: &Comparison) -> Markup {
    html! {
        h3 style="margin-top:1.2rem" { "The conformance suite" }
        ul.small {
            @for (at, report) in comparison.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.doctor.as_ref()?))) {
                li {
                    (who(comparison, at))
                    @if report.broken().next().is_none() { "All that it offers held." }
                    @for check in report.broken() { div.alert { code { (check.name) } ": " (check.guarantee) } }
                }
            }
        }
    }
}
