//! Months of the history: from when to when they are, and how far a budget, or what is free, is used up in one.

use jiff::{Timestamp as Time, civil::Date, tz::TimeZone};
use serde::Serialize;
use sterna::{
    backends::Timestamp,
    history::Month,
    price::{Allowance, Allowed, Decimal, Offer, Period, Usage},
};

use super::bill::{Stored, shown};
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

/// An allowance, and how much of it is used.
#[derive(Serialize)]
pub struct Used {
    #[serde(flatten)]
    pub allowance: Allowance,
    /// In hundredths.
    percent: Option<String>,
    /// What the allowance is a multiple of, where it is one.
    #[serde(skip)]
    stored: Option<Stored>,
}

/// What `offer` gives for nothing, beside what `month` has used of it; `days` are the days of the month, for what is given by
/// the day.
pub fn free(offer: &Offer, month: &Usage, days: &[Usage], stored: Option<Stored>) -> Vec<Used> {
    let found = offer.allowances(month, days, stored.map(|stored| stored.bytes));
    let used = |allowance: Allowance| Used { percent: allowance.share().map(percent), allowance, stored };
    found.into_iter().map(used).collect()
}

impl Used {
    /// Whether it is used up to [`WARNED`] or beyond.
    pub fn is_much(&self) -> bool {
        self.allowance.share().is_some_and(|share| share >= WARNED)
    }

    /// Whether nothing of it is left.
    pub fn is_all(&self) -> bool {
        self.allowance.share().is_some_and(|share| share >= Decimal::ONE)
    }

    /// `egress 12.0 GiB of 3.0 TiB a month, 0 % (3 × 1.0 TiB stored, seen 2026-11-22)`.
    pub fn text(&self) -> String {
        let percent = self.percent.as_ref().map(|percent| format!(", {percent} %"));
        format!("{} {}", self.allowance.of, self.words(&percent.unwrap_or_default()))
    }

    /// How much of what, with `percent` at its end.
    fn words(&self, percent: &str) -> String {
        let Self { allowance, stored, .. } = self;
        let amount = |number| if allowance.of.is_bytes() { ui::bytes(number) } else { ui::grouped(number) };
        let period = match allowance.period {
            Period::Day => "on one day",
            Period::Month | Period::Hour => "a month",
        };
        let used = amount(allowance.used);
        let times = allowance.of_stored.map(|times| format!("{} ×", times.normalize()));
        match (allowance.free, times) {
            (Some(free), times) => {
                let stored = times.zip(*stored).map(|(times, stored)| format!(" ({times} {})", of(stored)));
                format!("{used} of {} {period}{percent}{}", amount(free), stored.unwrap_or_default())
            }
            (None, times) => {
                let times = times.unwrap_or_default();
                format!(
                    "{used} of {times} what is stored, which no run has seen yet; stored in its [budget] would say it"
                )
            }
        }
    }

    /// That it is as good as used up at `remote`, and what then.
    pub fn warning(&self, remote: &str) -> String {
        let (percent, words) = (self.percent.as_deref().unwrap_or("?"), self.words(""));
        match &self.allowance.of {
            Allowed::Policy => {
                format!(
                    "the egress policy of '{remote}' is used to {percent} %: {words}; the provider may object to more"
                )
            }
            of => {
                format!("what is free at '{remote}' is used to {percent} %: {of} {words}; what goes beyond is billed")
            }
        }
    }
}

/// `1.0 TiB stored, seen 2026-11-22`.
fn of(stored: Stored) -> String {
    let bytes = ui::bytes(stored.bytes);
    match stored.seen {
        Some(at) => format!("{bytes} stored, seen {}", day(at)),
        None => format!("{bytes} stored, by its [budget]"),
    }
}

/// The day (UTC) of a time.
pub fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('T').map_or_else(|| text.clone(), |(day, _)| day.to_owned())
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
        None => today().first_of_month(),
    };
    let next = first.last_of_month().tomorrow().map_err(|_| wrong(text.unwrap_or_default()))?;
    let begin = |date: Date| midnight(date).ok_or_else(|| wrong(text.unwrap_or_default()));
    Ok((begin(first)?, begin(next)?))
}

/// From when to when the present day is (UTC).
pub fn this_day() -> Option<(Timestamp, Timestamp)> {
    let today = today();
    Some((midnight(today)?, midnight(today.tomorrow().ok()?)?))
}

fn today() -> Date {
    Time::now().to_zoned(TimeZone::UTC).date()
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|midnight| Timestamp::from(midnight.timestamp()))
}
