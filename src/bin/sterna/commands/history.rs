//! What a run writes down of itself: its beginning, its end, and what each remote was sent.

use jiff::{Timestamp as Time, civil::Date, tz::TimeZone};
use sterna::{
    backends::Timestamp,
    history::{History, Month, RunId},
    price::Decimal,
};

use super::bill::{Bill, Row, shown};
use crate::{
    args::GlobalArgs,
    config::Budget,
    exit::{Exit, Failure},
    settings, ui,
};

/// Of a budget so much is spent when it is said: four fifths.
pub const WARNED: Decimal = Decimal::from_parts(8, 0, 0, false, 1);

/// A run being written down. What cannot be written is said, and stops nothing.
pub struct Record(Option<(History, RunId)>);

impl Record {
    /// The run of `command` begins; what its remotes were sent this month is taken into account.
    ///
    /// # Errors
    /// Where a budget of the month is used up, unless `over_budget`.
    pub fn begin(
        global: &GlobalArgs,
        command: &str,
        (bill, budgets): (&mut Bill, &[Budget]),
        over_budget: bool,
    ) -> Result<Self, Failure> {
        let Some(history) = settings::history(global)? else { return Ok(Self(None)) };
        let begun = month(None).and_then(|(from, to)| {
            history.between(from, to).map_err(|error| Failure { exit: Exit::Error, message: error.to_string() })
        });
        match begun {
            Ok(months) => {
                let named: Vec<String> = bill.remotes().map(str::to_owned).collect();
                let ours = |budget: &&Budget| named.contains(&budget.remote);
                budgets.iter().filter(ours).try_for_each(|budget| check(budget, &months, over_budget))?;
                bill.after(&months);
            }
            Err(failure) => ui::complain(&failure.message),
        }
        match history.begin(command, Timestamp::now()) {
            Ok(run) => Ok(Self(Some((history, run)))),
            Err(error) => {
                ui::complain(&error.to_string());
                Ok(Self(None))
            }
        }
    }

    /// The run has ended.
    pub fn end(self, exit: Exit, rows: Vec<Row>) {
        let Self(Some((mut history, run))) = self else { return };
        let accounts: Vec<_> = rows.into_iter().filter_map(Row::into_account).collect();
        if let Err(error) = history.end(run, Timestamp::now(), exit as u8, &accounts) {
            ui::complain(&error.to_string());
        }
    }
}

/// How far a budget is spent: what of, a share of 1, and a sentence.
pub fn shares(budget: &Budget, month: &Month) -> Vec<(Decimal, String)> {
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

pub fn percent(share: Decimal) -> String {
    share.saturating_mul(Decimal::ONE_HUNDRED).trunc().to_string()
}

/// The share `used` is of `most`; of nothing everything is too much.
fn part(used: Decimal, most: Decimal) -> Decimal {
    used.checked_div(most).unwrap_or(Decimal::ONE)
}

/// The runs' amounts in that currency.
pub fn paid(month: &Month, currency: &str) -> Decimal {
    let amounts = month.money.iter().filter(|(paid, _)| paid == currency);
    amounts.filter_map(|(_, amount)| amount.parse::<Decimal>().ok()).fold(Decimal::ZERO, Decimal::saturating_add)
}

fn check(budget: &Budget, months: &[Month], over_budget: bool) -> Result<(), Failure> {
    let none = Month { remote: budget.remote.clone(), ..Month::default() };
    let month = months.iter().find(|month| month.remote == budget.remote).unwrap_or(&none);
    for (share, words) in shares(budget, month) {
        let percent = percent(share);
        let message = format!("the budget of '{}' is spent to {percent} %: {words} this month", budget.remote);
        if share >= Decimal::ONE && !over_budget {
            let message = format!("{message}; --over-budget begins all the same");
            return Err(Failure { exit: Exit::OverBudget, message });
        }
        if share >= WARNED {
            ui::complain(&message);
        }
    }
    Ok(())
}

/// From when to when a calendar month is (UTC); the present one where none is named.
pub fn month(text: Option<&str>) -> Result<(Timestamp, Timestamp), Failure> {
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
