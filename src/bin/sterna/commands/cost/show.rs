//! Outlooks as people and programs read them.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use sterna::price::{About, Book, Decimal, Flag, Line, Offer, Quote, half_up};

use super::{Ranking, Row, workload::Asked};
use crate::{
    args::GlobalArgs,
    commands::{print, print_json},
    exit::{Exit, Failure},
};

/// Letters of an offer's id beside its figures; a longer one stands above them.
const ID: usize = 33;

type Tables<'a> = [Ranking<'a>];

fn money(amount: Decimal) -> String {
    half_up(amount, 2).to_string()
}

/// One line of JSON: `{"offers": [..]}`, or several of them under `workloads`, by their names.
pub fn json(tables: &Tables<'_>) -> Result<Exit, Failure> {
    let mut several = Map::new();
    for Ranking { asked, rows, present } in tables {
        let offers = rows.iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
        let mut value = json!({ "offers": offers });
        if let (Some(present), Value::Object(map)) = (present, &mut value) {
            map.insert("leaving".to_owned(), serde_json::to_value(present).map_err(std::io::Error::from)?);
        }
        if asked.name.is_empty() {
            print_json(&value)?;
        } else {
            several.insert(asked.name.clone(), value);
        }
    }
    if !several.is_empty() {
        print_json(&json!({ "workloads": several }))?;
    }
    Ok(Exit::Success)
}

fn as_json(row: &Row) -> Result<Value, Failure> {
    let Row { outlook, migration, here, .. } = row;
    let mut value = serde_json::to_value(&outlook.month).map_err(std::io::Error::from)?;
    if let Value::Object(map) = &mut value {
        map.insert("first_year".to_owned(), money(outlook.first_year).into());
        map.insert("moving_in".to_owned(), money(outlook.moving_in.total_exact()).into());
        map.insert("moving_out".to_owned(), money(outlook.moving_out.total_exact()).into());
        map.insert("migration".to_owned(), migration.map(money).into());
        map.insert("present".to_owned(), (*here).into());
    }
    Ok(value)
}

/// The same, a row an offer.
pub fn csv(tables: &Tables<'_>) -> Result<Exit, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = [
        "workload",
        "offer",
        "currency",
        "month",
        "month_exact",
        "first_year",
        "moving_in",
        "moving_out",
        "migration",
        "flags",
    ];
    let mut write = |row: &[String]| writer.write_record(row).map_err(std::io::Error::from);
    write(&columns.map(str::to_owned))?;
    for Ranking { asked, rows, .. } in tables {
        for Row { outlook, migration, .. } in rows {
            let month = &outlook.month;
            let flags: Vec<_> = month.flags.iter().map(ToString::to_string).collect();
            write(&[
                asked.name.clone(),
                month.offer.clone(),
                month.currency.clone(),
                month.total().to_string(),
                half_up(month.total_exact(), 8).to_string(),
                money(outlook.first_year),
                money(outlook.moving_in.total_exact()),
                money(outlook.moving_out.total_exact()),
                migration.map(money).unwrap_or_default(),
                flags.join("; "),
            ])?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
    print(&String::from_utf8_lossy(&bytes))?;
    Ok(Exit::Success)
}

/// For people: the cheapest first, what needs to be known below each row; at most 80 letters a line.
pub fn table(tables: &Tables<'_>, book: &Book) -> Result<Exit, Failure> {
    let mut text = String::new();
    for Ranking { asked, rows, present } in tables {
        let name = if asked.name.is_empty() { String::new() } else { format!("{}: ", asked.name) };
        let _written = writeln!(text, "{name}{}", asked.title);
        if let Some(present) = present {
            let _written =
                writeln!(text, "leaving {} costs {} {} once", present.offer, present.total(), present.currency);
        }
        let _written = writeln!(
            text,
            "\n{:<ID$}     {:>10} {:>11} {:>9} {:>9}",
            "offer", "month", "first year", "migration", "exit"
        );
        rows.iter().for_each(|one| row(one, &mut text));
        text.push('\n');
    }
    let rate = |(name, rate)| format!("1 {name} = {rate} {}", book.fx.base);
    let rates: Vec<String> = book.fx.rates.iter().map(rate).collect();
    let _written = writeln!(
        text,
        "List prices without tax, in each offer's own currency;\ncompared, and converted where ~ stands, at {} of {}.\n\
         migration: leaving the present provider, where one is known, and moving in.\n\
         exit: leaving again, on top of a month.\n\
         ! marks what a provider does not sell, or not for long. See --explain OFFER.",
        rates.join(", "),
        book.fx.date,
    );
    print(&text)?;
    Ok(Exit::Success)
}

fn row(row: &Row, text: &mut String) {
    let Row { outlook, migration, converted, here } = row;
    let month = &outlook.month;
    let mark = if month.is_to_be_had() { ' ' } else { '!' };
    let mut id = month.offer.as_str();
    if id.chars().count() > ID {
        let _written = writeln!(text, "{id}");
        id = "";
    }
    let about = if *converted { "~" } else { "" };
    let migration = migration.map_or_else(|| "-".to_owned(), |amount| format!("{about}{}", money(amount)));
    let _written = writeln!(
        text,
        "{id:<ID$}{mark}{} {:>10} {:>11} {migration:>9} {:>9}",
        month.currency,
        month.total().to_string(),
        money(outlook.first_year),
        money(outlook.moving_out.total_exact()),
    );
    if *here {
        let _written = writeln!(text, "    the present provider");
    }
    for flag in month.flags.iter().filter(|flag| matters(flag)) {
        let _written = writeln!(text, "    {flag}");
    }
}

/// Whether a flag stands in the table; the rest is told by `--explain`.
fn matters(flag: &Flag) -> bool {
    flag.about() != About::Basis
        || matches!(
            flag,
            Flag::VersionsKept { .. } | Flag::Overridden { .. } | Flag::OverrideEnded(_) | Flag::Unclassified { .. }
        )
}

/// Every line of an offer, with its formula and numbers.
pub fn explain(
    global: &GlobalArgs,
    asked: &Asked,
    offer: &Offer,
    row: &Row,
    present: Option<&Quote>,
) -> Result<(), Failure> {
    let outlook = &row.outlook;
    let mut parts = vec![
        ("month".to_owned(), &outlook.month),
        ("moving in".to_owned(), &outlook.moving_in),
        ("moving out".to_owned(), &outlook.moving_out),
    ];
    parts.extend(present.filter(|_| !row.here).map(|present| (format!("leaving {}", present.offer), present)));
    if global.json {
        let lines = |quote: &Quote| -> Vec<Value> { quote.lines.iter().map(line_json).collect() };
        let formulas: Map<_, _> =
            parts.iter().map(|(name, quote)| (name.replace(' ', "_"), lines(quote).into())).collect();
        let mut value = as_json(row)?;
        if let Value::Object(map) = &mut value {
            map.insert("explained".to_owned(), formulas.into());
        }
        return print_json(&value);
    }
    let mut text = format!("{} at {} ({}, {})\n", asked.title, offer.id, offer.provider, offer.class);
    for (name, quote) in &parts {
        let _written = writeln!(text, "\n{name}: {} {}", quote.total(), quote.currency);
        for line in &quote.lines {
            let own = if line.overridden { " (own price)" } else { "" };
            let charge = line.charge.to_string();
            let _written = writeln!(text, "  {charge:<16} {:>14}  = {}{own}", half_up(line.amount, 6), line.formula);
        }
    }
    let units = [("storage", offer.meter.storage_unit_bytes), ("traffic", offer.meter.transfer_unit_bytes)];
    let units: Vec<_> = units.iter().map(|(name, bytes)| format!("a unit of {name} is {bytes} bytes")).collect();
    let _written = writeln!(text, "\n{}", units.join(", "));
    let flags = outlook.month.flags.iter().map(ToString::to_string);
    for remark in flags.chain(offer.traps.iter().cloned()).chain(offer.notes.iter().cloned()) {
        let _written = writeln!(text, "- {remark}");
    }
    print(&text)
}

fn line_json(line: &Line) -> Value {
    json!({
        "charge": line.charge.to_string(),
        "amount": half_up(line.amount, 8).to_string(),
        "formula": line.formula,
        "as_of": line.as_of.to_string(),
        "overridden": line.overridden,
    })
}
