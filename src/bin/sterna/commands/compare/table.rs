//! A comparison for the terminal.

use std::collections::BTreeSet;

use sterna::{
    measure::{Speed, Step, Task},
    report::{Comparison, Priced, Prices, words},
    verify::{Coverage, Holding, State},
};

use crate::ui::{self, Table};

/// Patterns that are shown; the others are counted.
const SHOWN: usize = 12;

/// The whole comparison in lines of at most `width` characters, as far as names and keys leave that possible.
pub fn text(comparison: &Comparison, width: usize) -> String {
    let mut text = String::new();
    for (at, place) in comparison.places.iter().enumerate() {
        text.push_str(&format!("{}  {}\n", Comparison::letter(at), place.name));
    }
    let mut section = |title: &str, body: String| text.push_str(&format!("\n{title}\n{body}"));
    section(&content_title(&comparison.content), content(comparison, width));
    if comparison.budget.is_some() {
        section("speed, measured now", speed(comparison, width));
    }
    if let Some(prices) = &comparison.price {
        section(&price_title(prices), price(comparison, prices, width));
    }
    section("capabilities", capabilities(comparison));
    text
}

/// Letters over the columns; where all names fit, names.
fn table(comparison: &Comparison, width: usize) -> Table {
    const LABELS: usize = 26;
    let places = &comparison.places;
    let longest = places.iter().map(|place| place.name.chars().count()).max().unwrap_or(0);
    let fits = LABELS + places.len() * (longest.max(12) + 2) <= width;
    let heading = |(at, name): (usize, &str)| if fits { name.to_owned() } else { Comparison::letter(at).to_string() };
    Table::new(places.iter().map(|place| place.name.as_str()).enumerate().map(heading))
}

fn content_title(content: &Coverage) -> String {
    format!(
        "content: {}, {}; the same everywhere: {}",
        ui::count(content.objects, "object"),
        ui::bytes(content.bytes),
        content.everywhere
    )
}

fn content(comparison: &Comparison, width: usize) -> String {
    let mut table = table(comparison, width);
    let places = &comparison.content.places;
    let mut row = |label: &str, of: fn(&Holding) -> String| table.row(label, places.iter().map(of));
    row("objects", |held| ui::grouped(held.objects));
    row("bytes", |held| ui::bytes(held.bytes));
    row("first to have it", |held| ui::grouped(held.first));
    row("the same, proven", |held| ui::grouped(held.proven));
    row("the same, likely", |held| ui::grouped(held.likely));
    row("the same size only", |held| ui::grouped(held.unproven));
    row("differing", |held| ui::grouped(held.differing));
    row("not comparable", |held| ui::grouped(held.unknown));
    row("missing", |held| ui::grouped(held.missing));
    row("nowhere else", |held| ui::grouped(held.only_here));
    let mut text = table.text(width);
    if comparison.content.differs() {
        text.push_str(&patterns(comparison));
    }
    if places.iter().any(|held| held.unknown > 0) {
        text.push_str(
            "not comparable: the same size at another time, without a digest that both know; --checksum reads them\n",
        );
    }
    text
}

/// How the places stand beside one another, a line for each way.
fn patterns(comparison: &Comparison) -> String {
    let letters: String = (0..comparison.places.len()).map(|at| format!("{} ", Comparison::letter(at))).collect();
    let mut text = format!("\n{letters}  (= the same, * differs, ? not comparable, . missing)\n");
    for pattern in comparison.content.patterns.iter().take(SHOWN) {
        let signs: String = pattern.states.iter().map(|state| format!("{} ", sign(*state))).collect();
        let (count, bytes) = (ui::count(pattern.objects, "object"), ui::bytes(pattern.bytes));
        text.push_str(&format!("{signs}  {count}, {bytes}, such as {}\n", pattern.example));
    }
    match comparison.content.patterns.len() {
        all if all > SHOWN => text.push_str(&format!("and {} ways more\n", all - SHOWN)),
        _ => {}
    }
    text
}

/// The sign of a state: rclone's of `--combined`, where it has one.
const fn sign(state: State) -> char {
    match state {
        State::Held => '=',
        State::Differs => '*',
        State::Unknown => '?',
        State::Missing => '.',
    }
}

/// What is shown of a task: a row each.
type Shown = (&'static str, Task, fn(&Step) -> Option<String>);

fn speed(comparison: &Comparison, width: usize) -> String {
    let shown: [Shown; 11] = [
        ("first byte, p50", Task::FirstByte, |step| millis(step, 50)),
        ("first byte, p95", Task::FirstByte, |step| millis(step, 95)),
        ("small read, p95", Task::GetSmall, |step| millis(step, 95)),
        ("small objects read", Task::GetSmall, |step| step.objects_per_second().map(words::per_second)),
        ("small objects written", Task::PutSmall, |step| step.objects_per_second().map(words::per_second)),
        ("listed", Task::List, |step| step.objects_per_second().map(words::per_second)),
        ("read, one stream", Task::GetStream, |step| step.bytes_per_second().map(words::bytes_per_second)),
        ("read, in parallel", Task::GetParallel, |step| step.bytes_per_second().map(words::bytes_per_second)),
        ("written, one stream", Task::PutStream, |step| step.bytes_per_second().map(words::bytes_per_second)),
        ("written, in parallel", Task::PutParallel, |step| step.bytes_per_second().map(words::bytes_per_second)),
        ("first byte, n", Task::FirstByte, |step| Some(step.latency.n().to_string())),
    ];
    let speeds: Vec<_> = comparison.places.iter().map(|place| place.speed.as_ref()).collect();
    let mut table = table(comparison, width);
    for (label, task, of) in shown {
        let cell = |speed: &Option<&Speed>| speed.and_then(|speed| of(speed.of(task)?));
        table.row(label, speeds.iter().map(|speed| cell(speed).unwrap_or_else(|| "-".to_owned())));
    }
    let mut counted = |label: &str, of: fn(&Speed) -> u64| {
        table.row(label, speeds.iter().map(|speed| speed.map_or(0, of).to_string()));
    };
    counted("operations failed", |speed| speed.steps.iter().map(Step::failures).sum());
    counted("requests", |speed| speed.requests);
    counted("requests failed", |speed| speed.errors);
    counted("requests throttled", |speed| speed.throttled);
    let mut text = table.text(width);
    for (at, place) in comparison.places.iter().enumerate() {
        let Some(speed) = &place.speed else { continue };
        let letter = Comparison::letter(at);
        if !speed.own {
            text.push_str(&format!("{letter}: none of its objects could serve; what was written was read back\n"));
        }
        if let Some(why) = &speed.not_written {
            text.push_str(&format!("{letter}: nothing was written: {why}\n"));
        }
    }
    text
}

fn millis(step: &Step, percent: usize) -> Option<String> {
    step.latency.percentile(percent).map(|micros| words::millis(micros as f64 / 1000.0))
}

fn price_title(prices: &Prices) -> String {
    let (kept, read) = (ui::bytes(prices.bytes), ui::bytes(prices.egress_bytes));
    format!("price of a month in {}, list prices without tax: {kept} kept, {read} read", prices.currency)
}

fn price(comparison: &Comparison, prices: &Prices, width: usize) -> String {
    let places = || prices.places.iter().map(Option::as_ref);
    let charges: BTreeSet<&str> =
        places().flatten().flat_map(|priced| &priced.lines).map(|(charge, _)| charge.as_str()).collect();
    let none = || "-".to_owned();
    let mut table = table(comparison, width);
    for charge in charges {
        let amount =
            |priced: &Priced| priced.lines.iter().find(|(known, _)| known == charge).map(|(_, amount)| *amount);
        table.row(charge, places().map(|priced| priced.and_then(amount).map_or_else(none, words::money)));
    }
    table.row("total", places().map(|priced| priced.and_then(|priced| priced.total).map_or_else(none, words::money)));
    let mut text = table.text(width);
    for (at, priced) in places().enumerate() {
        let letter = Comparison::letter(at);
        match priced {
            Some(priced) => {
                text.push_str(&format!("{letter}: {}\n", priced.quote.offer));
                priced.quote.flags.iter().for_each(|flag| text.push_str(&format!("     {flag}\n")));
            }
            None => {
                text.push_str(&format!("{letter}: nothing is known of its price; its price_offer could name one\n"))
            }
        }
    }
    text
}

fn capabilities(comparison: &Comparison) -> String {
    let told: Vec<_> = comparison.places.iter().map(|place| place.capabilities.words()).collect();
    let rows = told.first().map_or(0, |words| words.len());
    let mut text = String::new();
    // Sentences: one below the other where they differ, once where all say the same.
    for row in 0..rows {
        let what = told[0][row].0;
        let same = told.iter().all(|words| words[row].1 == told[0][row].1);
        if same {
            text.push_str(&format!("{what:<22}  all  {}\n", told[0][row].1));
            continue;
        }
        for (at, words) in told.iter().enumerate() {
            let label = if at == 0 { what } else { "" };
            text.push_str(&format!("{label:<22}  {}    {}\n", Comparison::letter(at), words[row].1));
        }
    }
    for (at, report) in comparison.places.iter().enumerate() {
        let Some(report) = &report.doctor else { continue };
        let broken: Vec<&str> = report.broken().map(|check| check.name).collect();
        let said =
            if broken.is_empty() { "nothing broken".to_owned() } else { format!("broken: {}", broken.join(", ")) };
        text.push_str(&format!("{:<22}  {}    {said}\n", "conformance suite", Comparison::letter(at)));
    }
    text
}
