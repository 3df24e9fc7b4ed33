//! A bill for people: a line a remote, or, where several destinations are to be compared, a column each.

use std::collections::BTreeSet;

use sterna::{
    backends::Spend,
    price::{Decimal, half_up},
};

use super::row::{Price, Row, Sum};
use crate::ui;

/// An amount as it was, and as it was quoted.
type Both = (Option<Decimal>, Option<Decimal>);

/// Says what a plan costs, all remotes `together` where several have a price, and once which have none.
pub fn say_quote(rows: &[Row], together: &Sum) {
    say("quote", rows);
    let currencies: Vec<&str> = rows.iter().filter_map(|row| Some(row.money.as_ref()?.currency.as_str())).collect();
    if let (Some(once), Some(month), true) = (together.once, together.per_month, currencies.len() > 1) {
        let currency = &together.currency;
        let converted = if currencies.iter().all(|one| one == currency) { "" } else { "about " };
        let month = format!("{converted}{} {currency} a month {}", shown(month.abs()), more(month));
        ui::say(&format!("quote: together {converted}{} {currency} once, {month}", shown(once)));
    }
    let unpriced: BTreeSet<String> =
        rows.iter().filter(|row| row.money.is_none()).map(|row| format!("'{}'", row.remote)).collect();
    if !unpriced.is_empty() {
        let names: Vec<String> = unpriced.into_iter().collect();
        ui::say(&format!("no price is known for {}: set price_offer", names.join(", ")));
    }
}

/// Says what a run has cost, beside its quote where that was another.
pub fn say_sent(rows: &[Row]) {
    say("sent", rows);
}

fn say(word: &str, rows: &[Row]) {
    if rows.iter().filter(|row| row.role == "destination").count() > 1 {
        ui::say(table(word, rows).text(ui::width()).trim_end());
    } else {
        rows.iter().for_each(|row| ui::say(&line(word, row)));
    }
}

fn line(word: &str, row: &Row) -> String {
    let Some(spend) = row.actual.as_ref().or(row.quoted.as_ref()) else { return String::new() };
    let mut line = format!("{word}: {} ({}): {}", row.place, row.role, words(spend));
    if let Some(price) = &row.money {
        // What is only read costs what it has cost.
        let changes = row.role != "source" || price.per_month.is_some_and(|month| !month.is_zero());
        line += &format!("; {}", money(price, changes));
    }
    if let (Some(actual), Some(quoted)) = (&row.actual, &row.quoted)
        && actual != quoted
    {
        line += &format!("; quoted: {}", words(quoted));
        if let Some(Price { quoted: Some(quoted), actual, currency, .. }) = &row.money
            && Some(*quoted) != *actual
        {
            line += &format!("; {} {currency}", shown(*quoted));
        }
    }
    line
}

/// `0.01 USD once, 0.004 of it for early deletion, 0.05 USD a month more (1.0 GiB kept so far)`; the month belongs to a plan.
fn money(price: &Price, changes: bool) -> String {
    let currency = &price.currency;
    let mut text = format!("{} {currency} once", shown(price.actual.or(price.quoted).unwrap_or_default()));
    let early = if price.actual.is_some() { price.actual_early_deletion } else { price.quoted_early_deletion };
    if let Some(early) = early {
        text += &format!(", {} of it for early deletion", shown(early));
    }
    if let Some(month) = price.per_month.filter(|_| price.actual.is_none() && changes) {
        text += &format!(", {} {currency} a month {}", shown(month.abs()), more(month));
        if let Some(kept) = price.kept_bytes {
            text += &format!(" ({} kept so far)", ui::bytes(kept));
        }
    }
    for note in &price.own {
        text += &format!(" ({note})");
    }
    text
}

const fn more(month: Decimal) -> &'static str {
    if month.is_sign_negative() { "less" } else { "more" }
}

/// A column a remote; a row for whatever one of them at least has.
fn table(word: &str, rows: &[Row]) -> ui::Table {
    let mut table = ui::Table::new(rows.iter().map(|row| row.place.clone()));
    table.row(word, rows.iter().map(|row| row.role.to_owned()));
    let mut figures = |label: &str, shown: fn(u64) -> String, of: &dyn Fn(&Spend) -> u64| {
        let each: Vec<_> = rows.iter().map(|row| (row.actual.as_ref().map(of), row.quoted.as_ref().map(of))).collect();
        if each.iter().any(|(actual, quoted)| actual.unwrap_or(0) + quoted.unwrap_or(0) > 0) {
            table.row(label, each.into_iter().map(|(actual, quoted)| beside(actual, quoted, shown)));
        }
    };
    figures("requests", |count| count.to_string(), &|spend| spend.requests.total());
    let spends = rows.iter().flat_map(|row| row.actual.iter().chain(&row.quoted));
    let classes: BTreeSet<&str> = spends.flat_map(|spend| spend.requests.iter()).map(|(name, _)| name).collect();
    for class in classes {
        figures(&format!("  {class}"), |count| count.to_string(), &|spend| spend.requests.of(class));
    }
    figures("bytes in", ui::bytes, &|spend| spend.bytes_in);
    figures("bytes out", ui::bytes, &|spend| spend.bytes_out);
    let mut amounts = |label: &str, of: fn(&Price) -> Both| {
        let each: Vec<_> = rows.iter().map(|row| row.money.as_ref().map(|price| (of(price), price))).collect();
        if each.iter().flatten().any(|((actual, quoted), _)| actual.or(*quoted).is_some()) {
            let cell = |cell: Option<(Both, &Price)>| match cell {
                Some(((None, None), _)) => String::new(),
                Some(((actual, quoted), price)) => format!("{} {}", beside(actual, quoted, shown), price.currency),
                // Who asked for a quote is to know; who ran something knows already.
                None if word == "quote" => "no price known".to_owned(),
                None => String::new(),
            };
            table.row(label, each.into_iter().map(cell));
        }
    };
    amounts("once", |price| (price.actual, price.quoted));
    amounts("  of it early deletion", |price| (price.actual_early_deletion, price.quoted_early_deletion));
    if rows.iter().all(|row| row.actual.is_none()) {
        amounts("a month more", |price| (None, price.per_month));
        let kept = |row: &Row| row.money.as_ref().and_then(|price| price.kept_bytes);
        if rows.iter().any(|row| kept(row).is_some()) {
            table.row("  kept so far", rows.iter().map(|row| kept(row).map(ui::bytes).unwrap_or_default()));
        }
    }
    if rows.iter().filter_map(|row| row.money.as_ref()).any(|price| !price.own.is_empty()) {
        let own = |row: &Row| row.money.as_ref().map_or_else(String::new, |price| price.own.join(", "));
        table.row("", rows.iter().map(own));
    }
    table
}

/// What was, with what was said of it where that was another.
fn beside<T: PartialEq + Copy>(actual: Option<T>, quoted: Option<T>, shown: impl Fn(T) -> String) -> String {
    match (actual, quoted) {
        (Some(actual), Some(quoted)) if actual != quoted => format!("{} (quoted {})", shown(actual), shown(quoted)),
        (Some(one), _) | (None, Some(one)) => shown(one),
        (None, None) => String::new(),
    }
}

/// To the cent, or what is less to the millionth.
pub fn shown(amount: Decimal) -> String {
    let cents = half_up(amount, 2);
    if cents.is_zero() { half_up(amount, 6).normalize().to_string() } else { cents.to_string() }
}

/// `12 requests (10 put_object, 2 list_objects), 5 B in, 7 B out`.
pub fn words(spend: &Spend) -> String {
    let each: Vec<String> = spend.requests.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let each = if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) };
    let total = ui::count(spend.requests.total(), "request");
    format!("{total}{each}, {} in, {} out", ui::bytes(spend.bytes_in), ui::bytes(spend.bytes_out))
}
