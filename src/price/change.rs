//! [`Change`]: what a run adds to what a store keeps, and takes from it.

use std::collections::BTreeMap;

use sterna_backends::Timestamp;

use super::Stock;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// What a run does to what is kept at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Objects that are put there.
    pub added: Stock,
    /// Objects that go.
    pub gone: Gone,
}

impl Change {
    /// Adds what another run over the same place does.
    pub fn add(&mut self, later: &Self) {
        let Self { added, gone } = later;
        self.added.add_all(added);
        self.gone.add_all(gone);
    }
}

/// Objects that are deleted or overwritten, so that nobody keeps them any more: by the day on which the store took them.
///
/// Bounded: [`Gone::DAYS`] days are told apart, and sizes as [`Stock::add_about`] does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Days since 1970 (UTC).
    by_day: BTreeMap<i64, Stock>,
    undated: Stock,
}

impl Gone {
    /// More days than the longest minimum duration of any offer has: what is older than all of them has it behind it.
    pub const DAYS: usize = 400;

    /// One object more; `stored`: when the store took it, where that is known.
    pub fn add(&mut self, size: u64, stored: Option<Timestamp>) {
        self.day(stored.map(day_of)).add_about(size);
        self.forget();
    }

    /// All of `other` more.
    pub fn add_all(&mut self, other: &Self) {
        let Self { by_day, undated } = other;
        self.undated.add_all(undated);
        for (day, stock) in by_day {
            self.day(Some(*day)).add_all(stock);
        }
        self.forget();
    }

    /// All together, whatever its age.
    #[must_use]
    pub fn stock(&self) -> Stock {
        let mut all = self.undated.clone();
        self.by_day.values().for_each(|stock| all.add_all(stock));
        all
    }

    /// What is of each age, in whole days at `now`; what has none is left out.
    pub(super) fn ages(&self, now: Timestamp) -> impl Iterator<Item = (u64, &Stock)> {
        let today = day_of(now);
        self.by_day.iter().map(move |(day, stock)| (u64::try_from(today - day).unwrap_or(0), stock))
    }

    fn day(&mut self, day: Option<i64>) -> &mut Stock {
        match day {
            Some(day) => self.by_day.entry(day).or_default(),
            None => &mut self.undated,
        }
    }

    /// Lets the oldest days fall together.
    fn forget(&mut self) {
        while self.by_day.len() > Self::DAYS
            && let Some((_, oldest)) = self.by_day.pop_first()
            && let Some(mut next) = self.by_day.first_entry()
        {
            next.get_mut().add_all(&oldest);
        }
    }
}

fn day_of(time: Timestamp) -> i64 {
    time.as_nanos().div_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Book;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_nanos(day * DAY + 5)
    }

    #[test]
    fn days_fall_together_when_they_are_too_old_to_matter() {
        let mut gone = Gone::default();
        let days = i64::try_from(Gone::DAYS).unwrap();
        for day in 0..days + 100 {
            gone.add(10, Some(at(day)));
        }
        gone.add(7, None);
        let ages: Vec<_> = gone.ages(at(days + 100)).map(|(age, stock)| (age, stock.objects())).collect();
        assert_eq!((ages.len(), ages[0].1, ages[1].1), (Gone::DAYS, 101, 1));
        assert_eq!(
            (gone.stock().objects(), gone.stock().bytes()),
            (Gone::DAYS as u64 + 101, (days as u64 + 100) * 10 + 7)
        );
        let book = Book::shipped();
        let minimums = book.records().filter_map(|offer| offer.storage.as_ref()).map(|one| one.min_duration_days);
        assert!(minimums.max().is_some_and(|days| (days as usize) < Gone::DAYS - 1));
    }

    #[test]
    fn a_clock_that_is_behind_makes_nothing_older() {
        let mut gone = Gone::default();
        gone.add(10, Some(at(9)));
        assert_eq!(gone.ages(at(3)).map(|(age, _)| age).collect::<Vec<_>>(), [0]);
    }
}
