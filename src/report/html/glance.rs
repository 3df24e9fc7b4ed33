//! The first thing a reader sees: a card for each place.

use maud::{Markup, html};

use super::{colour, who};
use crate::{
    measure::{Speed, Step, Task},
    report::{Comparison, Provider, words},
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
    let held = |place: usize| content.objects - content.places[place].missing - content.places[place].differing;
    html! {
        p.soft { (verdict(comparison)) }
        div.cards {
            @for (at, place) in comparison.places.iter().enumerate() {
                article class={ "card " (colour(at)) } {
                    h3 { (who(comparison, at)) }
                    dl {
                        dt { "Holds" }
                        dd { (words::grouped(held(at))) " of " (words::grouped(content.objects)) }
                        @if let Some(total) = cost(comparison, at) {
                            dt { "A month" }
                            dd { (total) }
                        }
                        @for figure in &FIGURES { (figure.cell(comparison, place)) }
                    }
                }
            }
        }
    }
}

fn cost(comparison: &Comparison, place: usize) -> Option<String> {
    let prices = comparison.price.as_ref()?;
    let total = prices.places.get(place)?.as_ref()?.total?;
    Some(format!("{} {}", words::money(total), prices.currency))
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
    format!(
        "Of {objects} objects, {}, {} are the same everywhere; {} are missing or differ somewhere.",
        words::bytes(content.bytes),
        words::grouped(content.everywhere),
        words::grouped(content.objects - content.everywhere)
    )
}
