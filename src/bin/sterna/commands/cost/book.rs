//! `sterna cost book`: what the prices rest on.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::json;
use sterna::price::{AsOf, Offer};

use super::{load, offers, today};
use crate::{
    args::{GlobalArgs, PricesArgs},
    commands::{print, print_json},
    exit::{Exit, Failure},
};

/// When the storage prices of an offer were read: what every month bills.
fn read_on(offer: &Offer) -> AsOf {
    let storage = offer.storage.as_ref().map(|storage| storage.as_of);
    storage.or_else(|| offer.plans.as_ref().map(|plans| plans.as_of)).unwrap_or_default()
}

fn sources(offer: &Offer) -> BTreeSet<&str> {
    let storage = offer.storage.iter().flat_map(|storage| &storage.src);
    let plans = offer.plans.iter().flat_map(|plans| &plans.src);
    let requests = offer.requests.iter().flat_map(|class| &class.src);
    storage.chain(plans).chain(requests).chain(&offer.egress.src).map(String::as_str).collect()
}

pub fn run(global: &GlobalArgs, prices: &PricesArgs) -> Result<Exit, Failure> {
    let book = load(global, prices)?;
    let date = prices.date.unwrap_or_else(today);
    let mut text = format!("price book {}, prices of {date}\n\n", book.version);
    let mut used = BTreeSet::new();
    for offer in offers(&book, prices, date)? {
        let as_of = read_on(&offer);
        let age = match as_of {
            AsOf::On(day) => Some((date - day).get_days().max(0)),
            AsOf::Undated => None,
        };
        let old = age.is_some_and(|days| u32::try_from(days).is_ok_and(|days| days > book.max_age_days));
        let from = sources(&offer);
        if global.json {
            print_json(&json!({
                "offer": offer.id, "provider": offer.provider, "currency": offer.currency, "read": as_of.to_string(),
                "age_days": age, "old": old, "sources": from,
            }))?;
        }
        let words =
            age.map_or_else(|| "undated".to_owned(), |days| format!("{days} days{}", if old { ", old" } else { "" }));
        let own = if offer.overridden.is_some() { ", own price" } else { "" };
        let _written = writeln!(text, "{:<41} {} {as_of} ({words}{own})", offer.id, offer.currency);
        let _written = writeln!(text, "    {}", from.iter().copied().collect::<Vec<_>>().join(", "));
        used.extend(from.into_iter().map(str::to_owned));
    }
    if global.json {
        return Ok(Exit::Success);
    }
    text += "\nsources\n";
    for (id, source) in book.sources.iter().filter(|(id, _)| used.contains(*id)) {
        let _written = writeln!(text, "{id}: {} ({}, {})", source.title, source.kind, source.as_of);
        if !source.url.is_empty() {
            let _written = writeln!(text, "    {}", source.url);
        }
    }
    print(&text)?;
    Ok(Exit::Success)
}
