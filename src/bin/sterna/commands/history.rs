//! Months of the history: from when to when they are, and how far a budget is spent in one.

use jiff::{Timestamp as Time, civil::Date, tz::TimeZone};
use sterna::{backends::Timestamp, history::Month, price::Decimal};

use super::bill::shown;
use crate::{config::Budget, exit::Failure, ui};

/// Of a budget, or of what is free, so much is used when it is said: four fifths.
pub const WARNED: Decimal = Decimal::from_parts(8, 0, 0, false, 1);

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
