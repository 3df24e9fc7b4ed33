//! A comparison as one page of HTML that needs nothing else: no script, no font, no network, whatever the browser may load.
//!
//! Every word of it goes through maud, which escapes it: a key such as `<script>` is shown and never obeyed. The page forbids
//! scripts and requests by a policy of its own besides.
//!
//! Charts are inline SVG without a view box: their lengths are shares of the width they get, their letters keep their size, so
//! that a telephone shows the same chart and not a small one.

mod capabilities;
mod chart;
mod content;
mod glance;
mod method;
mod price;
mod speed;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Comparison;

/// The looks of every page of sterna's.
pub(crate) const STYLE: &str = include_str!("style.css");

/// What the page may load: nothing. Its style is inside; an empty icon keeps browsers from asking for one.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The page.
#[must_use]
pub fn page(comparison: &Comparison) -> String {
    let title = "Which provider?";
    let sections = sections(comparison);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "sterna " (comparison.version) };
                link rel="icon" href="data:,";
                title { (title) " " (names(comparison)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                header {
                    h1 { (title) }
                    p.soft { "Side by side on " time datetime=(comparison.made) { (day(comparison)) } ": " (names(comparison)) "." }
                    nav aria-label="Sections" {
                        ul { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } } }
                    }
                }
                main id="main" {
                    @for (id, title, body) in &sections {
                        section id=(id) aria-labelledby={ (id) "-title" } {
                            h2 id={ (id) "-title" } { (title) }
                            (body)
                        }
                    }
                }
                footer { "Made by sterna " (comparison.version) " at " (comparison.made) "." }
            }
        }
    }
    .into_string()
}

type Section = (&'static str, &'static str, Markup);

fn sections(comparison: &Comparison) -> Vec<Section> {
    let mut sections = vec![
        ("glance", "At a glance", glance::section(comparison)),
        ("content", "Content", content::section(comparison)),
    ];
    if comparison.places.iter().any(|place| place.speed.is_some()) {
        sections.push(("speed", "Speed", speed::section(comparison)));
    }
    if let Some(prices) = &comparison.price {
        sections.push(("price", "Price", price::section(comparison, prices)));
    }
    sections.push(("capabilities", "Capabilities", capabilities::section(comparison)));
    sections.push(("method", "How it was found", method::section(comparison)));
    sections
}

fn day(comparison: &Comparison) -> String {
    let made = comparison.made.to_string();
    made.split_once('T').map_or_else(|| made.clone(), |(day, _)| day.to_owned())
}

fn names(comparison: &Comparison) -> String {
    let names: Vec<String> = comparison.places.iter().map(|place| visible(&place.name)).collect();
    names.join(", ")
}

/// A text with its control characters made visible: HTML cannot hold all of them, and some turn the others round.
pub(crate) fn visible(text: &str) -> String {
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let show = |letter: char| if hidden(letter) { letter.escape_unicode().to_string() } else { letter.to_string() };
    text.chars().map(show).collect()
}

/// An object's key.
fn key(key: &str) -> Markup {
    html! { code { bdi { (visible(key)) } } }
}

/// A place: its letter in its colour, and its name.
fn who(comparison: &Comparison, place: usize) -> Markup {
    html! {
        span class={ "who " (colour(place)) } {
            span.badge aria-hidden="true" { (Comparison::letter(place)) }
            bdi { (visible(&comparison.places[place].name)) }
        }
    }
}

/// A place where there is only room for its letter.
fn letter(comparison: &Comparison, place: usize) -> Markup {
    html! {
        span class={ "badge " (colour(place)) } aria-hidden="true" { (Comparison::letter(place)) }
        span.hidden { (visible(&comparison.places[place].name)) }
    }
}

/// The class that gives a place its colour.
fn colour(place: usize) -> String {
    format!("p{}", place % 8)
}

/// A wide table scrolls inside the page, by the keyboard too, and never widens it.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}
