//! The first thing a reader sees: a card for each place.

use maud::{Markup, html};

use super::{colour, who};
use crate::{
    measure::{Speed, Step, Task},
    price::About,
    report::{Comparison, Priced, Provider, words},
    verify::State,
};

/// Something that places are compared by: its name, its value, its words, and whether less is better.
struct Figure {
    name: &'static str,
    value: fn(&Speed) -> Option<f64>,
    words: fn(f64) -> String,
    less_is_better: bool,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "First byte, median",
        value: |speed| millis(speed, Task::FirstByte),
        words: words::millis,
        less_is_better: true,
    },
    Figure {
        name: "Reads, in parallel",
        value: |speed| rate(speed, Task::GetParallel, Step::bytes_per_second),
        words: words::bytes_per_second,
        less_is_better: false,
    },
    Figure {
        name: "Writes, in parallel",
        value: |speed| rate(speed, Task::PutParallel, Step::bytes_per_second),
        words: words::bytes_per_second,
        less_is_better: false,
    },
    Figure {
        name: "Small objects read",
        value: |speed| rate(speed, Task::GetSmall, Step::objects_per_second),
        words: words::per_second,
        less_is_better: false,
    },
];

fn millis(speed: &Speed, task: Task) -> Option<f64> {
    speed.of(task)?.latency.percentile(50).map(|micros| micros as f64 / 1000.0)
}

fn rate(speed: &Speed, task: Task, of: fn(&Step) -> Option<f64>) -> Option<f64> {
    of(speed.of(task)?)
}

pub(super) fn section(comparison: &Comparison) -> Markup {
    let content = &comparison.content;
    let held = |place: usize| {
        let holding = &content.places[place];
        holding.objects - holding.differing - holding.unknown
    };
    html! {
        p.soft { (verdict(comparison)) }
        div.cards {
            @for (at, place) in comparison.places.iter().enumerate() {
                article class={ "card " (colour(at)) } {
                    h3 { (who(comparison, at)) }
                    dl {
                        dt { "Holds" }
                        dd { (words::grouped(held(at))) " of " (words::grouped(content.objects)) }
                        @if content.places[at].unknown > 0 {
                            dt { "Not comparable" }
                            dd { (words::grouped(content.places[at].unknown)) }
                        }
                        (cost(comparison, at))
                        @for figure in &FIGURES { (figure.cell(comparison, place)) }
                    }
                    @for flag in limits(comparison, at) { p.small.alert { (flag) } }
                }
            }
        }
    }
}

/// What a place costs a month; the cheapest of those that can be had is marked.
fn cost(comparison: &Comparison, place: usize) -> Markup {
    let Some(prices) = &comparison.price else { return html! {} };
    let of = |priced: &Option<Priced>| {
        let priced = priced.as_ref()?;
        Some((priced.total?, priced.quote.is_to_be_had()))
    };
    let Some((total, can_be_had)) = prices.places.get(place).and_then(of) else {
        return html! { dt { "A month" } dd.soft { "no price known" } };
    };
    let others: Vec<f64> =
        prices.places.iter().filter_map(of).filter(|(_, had)| *had).map(|(total, _)| total).collect();
    let best = can_be_had && others.len() > 1 && others.iter().all(|other| total <= *other);
    html! {
        dt { "A month" }
        dd { span.best[best] { (words::money(total)) " " (prices.currency) } }
    }
}

/// What may keep somebody from the price of a place.
fn limits(comparison: &Comparison, place: usize) -> Vec<String> {
    let priced = comparison.price.as_ref().and_then(|prices| prices.places.get(place)?.as_ref());
    let flags = priced.into_iter().flat_map(|priced| &priced.quote.flags);
    flags.filter(|flag| flag.about() != About::Basis).map(ToString::to_string).collect()
}

impl Figure {
    fn of(&self, place: &Provider) -> Option<f64> {
        place.speed.as_ref().and_then(self.value)
    }

    fn cell(&self, comparison: &Comparison, place: &Provider) -> Markup {
        let Some(value) = self.of(place) else { return html! {} };
        let others = || comparison.places.iter().filter_map(|place| self.of(place));
        let beats = |other: f64| if self.less_is_better { value <= other } else { value >= other };
        let best = others().count() > 1 && others().all(beats);
        html! {
            dt { (self.name) }
            dd { span.best[best] { ((self.words)(value)) } }
        }
    }
}

/// What the content comes to, in a sentence.
fn verdict(comparison: &Comparison) -> String {
    let content = &comparison.content;
    let objects = words::grouped(content.objects);
    if content.objects == 0 {
        return "None of the places holds an object.".to_owned();
    }
    if !content.differs() {
        return format!("All places hold the same {objects} objects, {}.", words::bytes(content.bytes));
    }
    let somewhere = |of: fn(&State) -> bool| -> u64 {
        let patterns = content.patterns.iter().filter(|pattern| pattern.states.iter().any(of));
        patterns.map(|pattern| pattern.objects).sum()
    };
    let wrong = somewhere(|state| matches!(state, State::Differs | State::Missing));
    let unsure = content.objects - content.everywhere - wrong;
    let mut rest = Vec::new();
    if wrong > 0 {
        rest.push(format!("{} are missing or differ somewhere", words::grouped(wrong)));
    }
    if unsure > 0 {
        rest.push(format!("of {} nothing says whether they are the same", words::grouped(unsure)));
    }
    format!(
        "Of {objects} objects, {}, {} are the same everywhere; {}.",
        words::bytes(content.bytes),
        words::grouped(content.everywhere),
        rest.join("; ")
    )
}
