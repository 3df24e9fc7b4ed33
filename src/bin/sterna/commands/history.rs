//! `cost history`: what remotes were sent and what that cost, by month, beside their budgets.

use jiff::{Timestamp as Time, civil::Date, tz::TimeZone};
use serde::Serialize;
use sterna::{backends::Timestamp, history::Month, price::Decimal};

use super::{
    bill::{shown, words},
    print, print_json,
};
use crate::{
    args::{GlobalArgs, HistoryArgs},
    config::{Budget, Config, Environment},
    exit::{Exit, Failure},
    settings, ui,
};

/// How far a budget is spent: what of, a share of 1, and a sentence.
pub(super) fn shares(budget: &Budget, month: &Month) -> Vec<(Decimal, String)> {
    let mut shares = Vec::new();
    if let Some(most) = budget.egress {
        let share = part(Decimal::from(month.sent.bytes_in), Decimal::from(most));
        shares.push((share, format!("egress {} of {}", ui::bytes(month.sent.bytes_in), ui::bytes(most))));
    }
    if let Some((most, currency)) = &budget.cost {
        let paid = paid(month, currency);
        shares.push((part(paid, *most), format!("cost {} of {} {currency}", shown(paid), shown(*most))));
    }
    shares
}

pub(super) fn percent(share: Decimal) -> String {
    share.saturating_mul(Decimal::ONE_HUNDRED).trunc().to_string()
}

/// The share `used` is of `most`; of nothing everything is too much.
fn part(used: Decimal, most: Decimal) -> Decimal {
    used.checked_div(most).unwrap_or(Decimal::ONE)
}

/// The runs' amounts in that currency.
pub(super) fn paid(month: &Month, currency: &str) -> Decimal {
    let amounts = month.money.iter().filter(|(paid, _)| paid == currency);
    amounts.filter_map(|(_, amount)| amount.parse::<Decimal>().ok()).fold(Decimal::ZERO, Decimal::saturating_add)
}

/// One remote's month, as `cost history` tells it.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    month: Month,
    budget: Vec<Spent>,
}

#[derive(Serialize)]
struct Spent {
    what: String,
    /// In hundredths.
    percent: String,
}

/// `sterna cost history`.
pub fn run(global: &GlobalArgs, args: &HistoryArgs) -> Result<Exit, Failure> {
    let history = settings::history(global)?;
    let history = history.ok_or_else(|| Failure::usage("this command is about the history; leave out --no-history"))?;
    let config = Config::load(global.config.as_deref(), Environment::of_process())?;
    let (from, to) = month(args.month.as_deref())?;
    let months =
        history.between(from, to).map_err(|error| Failure { exit: Exit::Error, message: error.to_string() })?;
    let told = months.into_iter().map(|month| {
        let budget = config.budgets().iter().find(|budget| budget.remote == month.remote);
        let spent = |(share, what): (Decimal, String)| Spent { what, percent: percent(share) };
        let budget = budget.map_or_else(Vec::new, |budget| shares(budget, &month).into_iter().map(spent).collect());
        Told { month, budget }
    });
    let told: Vec<Told> = told.collect();
    if global.json {
        print_json(&told)?;
        return Ok(Exit::Success);
    }
    if told.is_empty() {
        ui::say("no run is written down for that month");
    }
    for Told { month, budget } in told {
        let mut currencies: Vec<&str> = month.money.iter().map(|(currency, _)| currency.as_str()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let money: Vec<String> =
            currencies.iter().map(|currency| format!("{} {currency}", shown(paid(&month, currency)))).collect();
        let money = if money.is_empty() { "no price known".to_owned() } else { money.join(", ") };
        let runs = ui::count(month.runs, "run");
        print(&format!("{}: {runs}, {}; {money}\n", month.remote, words(&month.sent)))?;
        for Spent { what, percent } in budget {
            print(&format!("  budget: {what}, {percent} %\n"))?;
        }
    }
    Ok(Exit::Success)
}

/// From when to when a calendar month is (UTC); the present one where none is named.
pub(super) fn month(text: Option<&str>) -> Result<(Timestamp, Timestamp), Failure> {
    let wrong = |text: &str| Failure::usage(format!("--month {text}: write a month as 2026-11"));
    let first = match text {
        Some(text) => format!("{text}-01").parse::<Date>().map_err(|_| wrong(text))?,
        None => Time::now().to_zoned(TimeZone::UTC).date().first_of_month(),
    };
    let next = first.last_of_month().tomorrow().map_err(|_| wrong(text.unwrap_or_default()))?;
    let begin = |date: Date| {
        let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| wrong(text.unwrap_or_default()))?;
        Ok::<_, Failure>(Timestamp::from(midnight.timestamp()))
    };
    Ok((begin(first)?, begin(next)?))
}
