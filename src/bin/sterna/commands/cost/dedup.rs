//! `sterna cost dedup`: what keeping each content once would save.

use std::{fmt::Write, sync::Arc};

use serde_json::json;
use sterna::{
    archive::ManifestSize,
    index::{self, Group},
    list::Listing,
    price::{Decimal, Stock, Workload, half_up},
};

use super::{is_usable, load, offers, today};
use crate::{
    args::{DedupArgs, GlobalArgs, VersionArgs},
    commands::{observer, print, print_json},
    exit::{Exit, Failure},
    places::Opener,
    settings, ui,
};

pub async fn run(global: &GlobalArgs, args: DedupArgs) -> Result<Exit, Failure> {
    let observer = observer(global, None);
    let book = load(global, &args.prices)?;
    let date = args.prices.date.unwrap_or_else(today);
    let offers = offers(&book, &args.prices, date)?;
    let index = settings::index(global)?;
    let scope = settings::scope(&args.filter, &VersionArgs::default())?;
    let opener = Opener::new(global, args.local, Arc::clone(&observer))?;
    let mut stores = Vec::new();
    let mut plain = Stock::default();
    let mut manifests = Vec::new();
    for place in &args.places {
        let store = opener.folder(place).await?.store;
        let mut listing = Listing::open(&store, &scope, stores.len(), Arc::clone(&observer));
        let mut manifest = ManifestSize::of(place)?;
        while let Some(entry) = listing.next().await? {
            plain.add(entry.size.unwrap_or(0));
            manifest.add(&entry)?;
        }
        manifests.push(manifest.end()?);
        stores.push(store);
    }
    let mut once = plain.clone();
    let tell = |group: Group| once.take_many(group.size, u64::try_from(group.objects.len()).unwrap_or(1) - 1);
    let found = index::dups(&stores, index.as_ref(), &scope, &observer, tell).await?;
    manifests.iter().for_each(|manifest| once.add(*manifest));
    let manifest: u64 = manifests.iter().sum();
    let mut rows: Vec<_> = offers
        .iter()
        .map(|offer| {
            let month = |stock: &Stock| offer.quote(&Workload { stock: stock.clone(), ..Workload::default() });
            (offer, month(&plain), month(&once))
        })
        .filter(|(_, plain, _)| is_usable(plain, date, args.prices.allow_stale))
        .map(|(offer, plain, once)| (offer, plain.total_exact(), once.total_exact()))
        .map(|(offer, plain, once)| (offer, plain, once, plain - once))
        .collect();
    let in_base = |amount: Decimal, currency: &str| book.fx.in_base(amount, currency).unwrap_or_default();
    rows.sort_by_cached_key(|(offer, .., saved)| {
        (std::cmp::Reverse(in_base(*saved, &offer.currency)), offer.id.clone())
    });
    let money = |amount: Decimal| half_up(amount, 2).to_string();
    if global.json {
        let offers: Vec<_> = rows
            .iter()
            .map(|(offer, plain, once, saved)| {
                json!({ "offer": offer.id, "currency": offer.currency, "plain": money(*plain), "once": money(*once), "saved": money(*saved) })
            })
            .collect();
        print_json(&json!({ "places": args.places, "found": found, "manifest": manifest, "offers": offers }))?;
        return Ok(Exit::Success);
    }
    let mut text = format!(
        "{}, {}; {} ({}) could be spared\nin an archive, with {}\n\n{:<41}     {:>10} {:>10} {:>10}\n",
        ui::count(plain.objects(), "object"),
        ui::bytes(plain.bytes()),
        ui::count(found.spare, "object"),
        ui::bytes(found.wasted),
        match stores.len() {
            1 => format!("a manifest of {}", ui::bytes(manifest)),
            places => format!("{places} manifests of {} together", ui::bytes(manifest)),
        },
        "a month at",
        "as it is",
        "archive",
        "saved"
    );
    for (offer, plain, once, saved) in &rows {
        let (plain, once, saved) = (money(*plain), money(*once), money(*saved));
        let _written = writeln!(text, "{:<41} {} {plain:>10} {once:>10} {saved:>10}", offer.id, offer.currency);
    }
    print(&text)?;
    if found.unknown > 0 && !global.quiet {
        let unknown = ui::count(found.unknown, "object");
        ui::say(&format!(
            "{unknown} of a size that others have, too, and of unknown content: see 'sterna index build'"
        ));
    }
    Ok(Exit::Success)
}
