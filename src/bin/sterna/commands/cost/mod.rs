//! `sterna cost`: a workload, the book, a ranked table.

mod book;
mod dedup;
mod history;
mod show;
mod workload;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use sterna::price::{Book, Offer, Outlook, STALE_DAYS, ranked};

use self::workload::Asked;
use crate::{
    args::{CostArgs, CostCommand, GlobalArgs, PricesArgs},
    config::{Config, Environment},
    exit::{Exit, Failure},
    settings, ui,
};

/// `sterna cost`.
pub async fn run(global: &GlobalArgs, args: CostArgs) -> Result<Exit, Failure> {
    match args.command {
        Some(CostCommand::Book(prices)) => return book::run(global, &prices),
        Some(CostCommand::Dedup(args)) => return dedup::run(global, *args).await,
        Some(CostCommand::History(args)) => return history::run(global, &args),
        None => {}
    }
    let book = load(global, &args.prices)?;
    let asked = workload::asked(global, &args).await?;
    if let Some(id) = &args.explain {
        for one in &asked {
            let date = day(&args.prices, one);
            let offer = book.offer(id, date).map_err(|error| Failure::usage(error.to_string()))?;
            show::explain(global, one, &offer, &outlook(&book, &offer, one, date))?;
        }
        return Ok(Exit::Success);
    }
    let mut tables = Vec::new();
    for one in &asked {
        let date = day(&args.prices, one);
        let mut outlooks = Vec::new();
        for offer in offers(&book, &args.prices, date)? {
            let outlook = outlook(&book, &offer, one, date);
            if is_usable(&outlook, date, args.prices.allow_stale) {
                outlooks.push(outlook);
            }
        }
        tables.push((one, ranked(outlooks, &book.fx)));
    }
    if global.json {
        show::json(&tables)
    } else if args.csv {
        show::csv(&tables)
    } else {
        show::table(&tables, &book)
    }
}

fn outlook(book: &Book, offer: &Offer, asked: &Asked, date: Date) -> Outlook {
    let mut outlook = Outlook::of(offer, &asked.workload);
    outlook.month.flag_age(date, book.max_age_days);
    outlook
}

/// The book with the user's own prices.
fn load(global: &GlobalArgs, prices: &PricesArgs) -> Result<Book, Failure> {
    settings::book(&prices.own, &Config::load(global.config.as_deref(), Environment::of_process())?)
}

/// The offers that are asked for, each once.
fn offers(book: &Book, prices: &PricesArgs, date: Date) -> Result<Vec<Offer>, Failure> {
    let mut chosen: Vec<Offer> = Vec::new();
    for name in &prices.offers {
        let found = book.select(name.trim(), date).map_err(|error| Failure::usage(error.to_string()))?;
        let new: Vec<_> = found.into_iter().filter(|offer| chosen.iter().all(|other| other.id != offer.id)).collect();
        chosen.extend(new);
    }
    Ok(chosen)
}

fn day(prices: &PricesArgs, asked: &Asked) -> Date {
    prices.date.or(asked.date).unwrap_or_else(today)
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Whether the prices are young enough; says so where they are not.
fn is_usable(outlook: &Outlook, date: Date, allow_stale: bool) -> bool {
    let age = outlook.month.oldest().map_or(0, |read| (date - read).get_days());
    let stale = u32::try_from(age).is_ok_and(|days| days > STALE_DAYS);
    if stale && !allow_stale {
        let offer = &outlook.month.offer;
        ui::complain(&format!(
            "{offer}: left out, its price was read {age} days ago; --allow-stale takes it all the same"
        ));
    }
    !stale || allow_stale
}
