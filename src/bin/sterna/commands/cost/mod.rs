//! `sterna cost`: a workload, the book, a ranked table.

mod book;
mod dedup;
mod history;
mod show;
mod workload;

use jiff::{civil::Date, tz::TimeZone};
use sterna::{
    backends::Timestamp,
    price::{Book, Decimal, Fx, Offer, Outlook, Quote, STALE_DAYS, SelectError, ranked},
    transfer::BETWEEN_REMOTES,
};

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
    let asked = workload::asked(global, &args, &book).await?;
    if let Some(id) = &args.explain {
        for one in &asked {
            let date = day(&args.prices, one);
            let present = present(&book, one, args.from.as_deref(), date)?;
            let wrong = |error: SelectError| Failure::usage(format!("--explain {id}: {error}"));
            let offer = book.offer_of(id, None, date).map_err(wrong)?;
            let row = Row::of(outlook(&book, &offer, one, date), present.as_ref(), &book.fx);
            show::explain(global, one, &offer, &row, present.as_ref())?;
        }
        return Ok(Exit::Success);
    }
    let mut tables = Vec::new();
    for asked in &asked {
        let date = day(&args.prices, asked);
        let present = present(&book, asked, args.from.as_deref(), date)?;
        let mut outlooks = Vec::new();
        for offer in offers(&book, &args.prices, date)? {
            let outlook = outlook(&book, &offer, asked, date);
            if is_usable(&outlook.month, date, args.prices.allow_stale) {
                outlooks.push(outlook);
            }
        }
        let rows = ranked(outlooks, &book.fx).into_iter();
        let rows = rows.map(|outlook| Row::of(outlook, present.as_ref(), &book.fx)).collect();
        tables.push(Ranking { asked, rows, present });
    }
    if global.json {
        show::json(&tables)
    } else if args.csv {
        show::csv(&tables)
    } else {
        show::table(&tables, &book)
    }
}

/// The offers of one workload, the cheapest first.
struct Ranking<'a> {
    asked: &'a Asked,
    rows: Vec<Row>,
    present: Option<Quote>,
}

/// What one offer means for data that may lie elsewhere now.
struct Row {
    outlook: Outlook,
    /// Moving there from where it lies, both sides; `None` where a currency has no rate.
    migration: Option<Decimal>,
    /// Part of it is of another currency, converted by the rate of the book.
    converted: bool,
    /// It lies there now.
    here: bool,
}

impl Row {
    fn of(outlook: Outlook, present: Option<&Quote>, fx: &Fx) -> Self {
        let (currency, arriving) = (&outlook.month.currency, outlook.moving_in.total_exact());
        let here = present.is_some_and(|present| present.offer == outlook.month.offer);
        let leaving = present
            .map_or(Some(Decimal::ZERO), |present| fx.convert(present.total_exact(), &present.currency, currency));
        let migration =
            if here { Some(Decimal::ZERO) } else { leaving.map(|leaving| leaving.saturating_add(arriving)) };
        let converted = !here && present.is_some_and(|present| present.currency != *currency);
        Self { outlook, migration, converted, here }
    }
}

/// What leaving costs where the data lies now: at the offer `from`, else at that of its place. `None` where neither is known.
fn present(book: &Book, asked: &Asked, from: Option<&str>, date: Date) -> Result<Option<Quote>, Failure> {
    let offer = match from {
        Some(name) => {
            let wrong = |error: SelectError| Failure::usage(format!("--from {name}: {error}"));
            Some(book.offer_of(name, None, date).map_err(wrong)?)
        }
        None => asked.lies.as_ref().and_then(|lies| lies.offer.clone()),
    };
    Ok(offer.map(|offer| {
        let early = match &asked.lies {
            Some(lies) => offer.early(&lies.objects, &asked.workload.stock, Timestamp::now()),
            None => offer.early_at_the_end(&asked.workload),
        };
        offer.leaving(&asked.workload, &BETWEEN_REMOTES, early)
    }))
}

fn outlook(book: &Book, offer: &Offer, asked: &Asked, date: Date) -> Outlook {
    let mut outlook = Outlook::of(offer, &asked.workload, &BETWEEN_REMOTES);
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
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Whether the prices are young enough; says so where they are not.
fn is_usable(month: &Quote, date: Date, allow_stale: bool) -> bool {
    let age = month.oldest().map_or(0, |read| (date - read).get_days());
    let stale = u32::try_from(age).is_ok_and(|days| days > STALE_DAYS);
    if stale && !allow_stale {
        let offer = &month.offer;
        ui::complain(&format!(
            "{offer}: left out, its price was read {age} days ago; --allow-stale takes it all the same"
        ));
    }
    !stale || allow_stale
}
