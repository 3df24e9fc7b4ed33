//! What the runs of a job came to in a calendar month.

use std::collections::BTreeMap;

use jiff::{ToSpan, tz::TimeZone};
use sterna_backends::Timestamp;

use super::Saved;
use crate::{
    history::{History, HistoryError},
    price::Decimal,
};

/// What a job's runs came to in a calendar month (UTC), those under way and those that were killed included as far as they
/// told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Month {
    /// What they cost, by currency.
    pub spent: BTreeMap<String, Decimal>,
    /// Bytes they read, from all places together.
    pub egress: u64,
    /// Bytes of the objects they wrote, at all targets together; of runs that ended.
    pub written: u64,
}

impl Month {
    /// What the runs of `job` came to in the month of `now`.
    ///
    /// # Errors
    /// What stopped the read of the history.
    pub fn of(history: &History, job: &Saved, now: Timestamp) -> Result<Self, HistoryError> {
        let since = beginning(now);
        let mut month = Self::default();
        for remote in history.between_of(&job.command(), since, Timestamp::from_nanos(i64::MAX))? {
            month.egress = month.egress.saturating_add(remote.sent.bytes_in);
            for (currency, amount) in remote.money {
                // An amount that cannot be read was never written by us.
                let Ok(amount) = amount.parse::<Decimal>() else { continue };
                let sum = month.spent.entry(currency).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        let runs = history.job_runs_since(Some(&job.name), since)?;
        month.written = runs.iter().flat_map(|run| &run.targets).map(|target| target.bytes).sum();
        Ok(month)
    }

    /// What they cost in that currency.
    #[must_use]
    pub fn paid(&self, currency: &str) -> Decimal {
        self.spent.get(currency).copied().unwrap_or(Decimal::ZERO)
    }
}

/// When the calendar month of `now` began, in UTC.
fn beginning(now: Timestamp) -> Timestamp {
    let here = jiff::Timestamp::from(now).to_zoned(TimeZone::UTC);
    let first = here.first_of_month().and_then(|first| first.start_of_day());
    // Only at the very ends of the calendar is there none: then the last 31 days do.
    first.or_else(|_| here.checked_sub(31.days())).map_or(now, |first| first.timestamp().into())
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
