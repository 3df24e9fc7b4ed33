//! What the runs of this calendar month came to.

use std::collections::BTreeMap;

use jiff::{ToSpan, tz::TimeZone};
use sterna_backends::Timestamp;

use crate::{jobs::RunRecord, price::Decimal};

/// What a job's runs came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Month {
    /// What they cost, by currency.
    pub spent: Vec<(String, Decimal)>,
    /// Bytes they wrote, all targets together.
    pub written: u64,
}

/// When the calendar month of `now` began, in UTC.
pub(super) fn beginning(now: Timestamp) -> Timestamp {
    let here = jiff::Timestamp::from(now).to_zoned(TimeZone::UTC);
    let first = here.first_of_month().and_then(|first| first.start_of_day());
    // Only at the very ends of the calendar is there none: then the last 31 days do.
    first.or_else(|_| here.checked_sub(31.days())).map_or(now, |first| first.timestamp().into())
}

impl Month {
    /// The sum of `runs`.
    pub(super) fn of(runs: &[RunRecord]) -> Self {
        let mut spent: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut written = 0;
        for target in runs.iter().flat_map(|run| &run.targets) {
            written += target.bytes;
            let Some(cost) = &target.cost else { continue };
            // An amount that cannot be read was never written by us.
            let Ok(amount) = cost.amount.parse::<Decimal>() else { continue };
            let sum = spent.entry(cost.currency.clone()).or_default();
            *sum = sum.saturating_add(amount);
        }
        Self { spent: spent.into_iter().collect(), written }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_with_its_first_day() {
        let told = |text: &str| beginning(text.parse::<jiff::Timestamp>().unwrap().into()).to_string();
        assert_eq!(told("2028-02-29T23:59:59Z"), "2028-02-01T00:00:00Z");
        assert_eq!(told("2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
    }
}
