//! What the places hold.

use maud::{Markup, html};

use super::{chart, colour, key, letter, scrolling, who};
use crate::{
    report::{Comparison, words},
    verify::{Holding, State},
};

/// Ways in which places stand beside one another that are shown; the others are counted.
const SHOWN: usize = 24;

pub(super) fn section(comparison: &Comparison) -> Markup {
    html! {
        p.soft { "What a key stands for is what the first place that has it holds; the others are compared with that." }
        div.stack {
            div.panel { (shares(comparison)) }
            div.panel { (matrix(comparison)) }
            details { summary { "All counts, with their evidence" } (scrolling("Content, by place", &counts(comparison))) }
        }
    }
}

/// A bar for each place: what of all keys it holds, how well that is proven, and what is not there.
fn shares(comparison: &Comparison) -> Markup {
    let all = comparison.content.objects.max(1) as f64;
    let parts = |held: &Holding| {
        [
            ("held, proven or the first", held.first + held.proven, "c", 1.0),
            ("held, likely", held.likely, "c", 0.65),
            ("held, by size alone", held.unproven, "c", 0.4),
            ("not comparable", held.unknown, "unsure", 1.0),
            ("differing", held.differing, "bad", 1.0),
        ]
    };
    html! {
        figure {
            figcaption { "Share of all keys that each place holds. The empty rest is missing there." }
            @for (at, held) in comparison.content.places.iter().enumerate() {
                div style="margin-top:.7rem" {
                    div style="display:flex;justify-content:space-between;gap:1rem" {
                        (who(comparison, at))
                        span.small.soft { (remarks(held)) }
                    }
                    (chart::share(&colour(at), &parts(held).map(|(name, count, class, opacity)| chart::Part {
                        name: format!("{name}: {}", words::grouped(count)),
                        share: count as f64 / all,
                        class,
                        opacity,
                    })))
                }
            }
        }
    }
}

/// What of a place a reader must know beside its bar.
fn remarks(held: &Holding) -> String {
    let counts = [(held.missing, "missing"), (held.differing, "differ"), (held.unknown, "not comparable")];
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, word)| format!("{} {word}", words::grouped(*count))).collect();
    if told.is_empty() { "complete".to_owned() } else { told.join(", ") }
}

/// The coverage matrix: a row for each way in which the places stand beside one another.
fn matrix(comparison: &Comparison) -> Markup {
    let patterns = &comparison.content.patterns;
    let most = patterns.iter().map(|pattern| pattern.objects).max().unwrap_or(1).max(1);
    let hidden = patterns.len().saturating_sub(SHOWN);
    let table = html! {
        table {
            caption { "Coverage: which objects lie where. Bars are on a logarithmic scale." }
            thead { tr {
                @for at in 0..comparison.places.len() { th.mark scope="col" { (letter(comparison, at)) } }
                th scope="col" { "Objects" }
                th scope="col" { "Bytes" }
                th scope="col" style="width:38%" { span.hidden { "Share" } }
            } }
            tbody { @for pattern in patterns.iter().take(SHOWN) {
                tr {
                    @for (at, state) in pattern.states.iter().enumerate() { td.mark { (mark(*state, at)) } }
                    td { (words::grouped(pattern.objects)) }
                    td style="white-space:nowrap" { (words::bytes(pattern.bytes)) }
                    td { (chart::bar(tone(&pattern.states), logarithmic(pattern.objects, most))) }
                }
                tr {
                    td colspan=(pattern.states.len() + 3) style="text-align:left;padding:0 0 .6rem .3rem" {
                        span.small.soft { "such as " (key(&pattern.example)) }
                    }
                }
            } }
        }
    };
    html! {
        (scrolling("Coverage matrix", &table))
        ul.legend {
            @for (state, word) in [(State::Held, "the same"), (State::Differs, "differs"), (State::Unknown, "not comparable"), (State::Missing, "missing")] {
                li.p6 { (mark(state, 6)) span { (word) } }
            }
        }
        @if comparison.content.places.iter().any(|held| held.unknown > 0) {
            p.small.soft { "Not comparable: the same size, another time, and no digest that both places know. That is what a copy without its times looks like, and no sign that "
                "anything is wrong; " code { "--checksum" } " reads such objects and settles it." }
        }
        @if hidden > 0 { p.small.soft { "And " (hidden) " ways more, each with fewer objects." } }
    }
}

/// The class that colours a way in which places stand beside one another: well, wrong, or nobody knows.
fn tone(states: &[State]) -> &'static str {
    if states.iter().any(|state| matches!(state, State::Differs | State::Missing)) {
        "bad"
    } else if states.contains(&State::Unknown) {
        "unsure"
    } else {
        "good"
    }
}

/// A bar that shows one object beside a million.
fn logarithmic(count: u64, most: u64) -> f64 {
    (count as f64 + 1.0).ln() / (most as f64 + 1.0).ln()
}

fn mark(state: State, place: usize) -> Markup {
    let word = match state {
        State::Held => "the same",
        State::Differs => "differs",
        State::Unknown => "not comparable",
        State::Missing => "missing",
    };
    html! {
        svg class=(colour(place)) width="20" height="20" role="img" aria-label=(word) {
            title { (word) }
            @match state {
                State::Held => circle.c cx="10" cy="10" r="7" {},
                State::Differs => { rect.bad x="3" y="3" width="14" height="14" rx="2" transform="rotate(45 10 10) scale(.84) translate(1.9 1.9)" {} }
                State::Unknown => { circle.hollow cx="10" cy="10" r="7" {} text x="10" y="14.5" text-anchor="middle" { "?" } }
                State::Missing => circle.hollow cx="10" cy="10" r="2.5" {},
            }
        }
    }
}

type Row = (&'static str, fn(&Holding) -> String);

fn counts(comparison: &Comparison) -> Markup {
    let rows: [Row; 10] = [
        ("Objects", |held| words::grouped(held.objects)),
        ("Bytes", |held| words::bytes(held.bytes)),
        ("First to have it", |held| words::grouped(held.first)),
        ("The same, proven by a digest", |held| words::grouped(held.proven)),
        ("The same size and time (likely)", |held| words::grouped(held.likely)),
        ("The same size only (unproven)", |held| words::grouped(held.unproven)),
        ("Differing", |held| words::grouped(held.differing)),
        ("Not comparable", |held| words::grouped(held.unknown)),
        ("Missing", |held| words::grouped(held.missing)),
        ("Held nowhere else", |held| words::grouped(held.only_here)),
    ];
    html! {
        table {
            thead { tr {
                th scope="col" { span.hidden { "Count" } }
                @for at in 0..comparison.places.len() { th scope="col" { (letter(comparison, at)) } }
            } }
            tbody { @for (name, of) in rows {
                tr { th scope="row" { (name) } @for held in &comparison.content.places { td { (of(held)) } } }
            } }
        }
    }
}
