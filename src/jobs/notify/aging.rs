//! [`Aging`]: what there is to tell of how long targets have not been in step, whether a run ends or none is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sterna_backends::Timestamp;

use super::{Interest, Occasion, occasion::since};
use crate::{
    history::{Age, History, HistoryError},
    jobs::JobStatus,
};

/// The shortest time between two notices of one stale target, whatever `quiet` says: nobody is told at every look.
const LEAST: Duration = Duration::from_secs(60);

/// The ages of a job's targets, and what was told of them.
#[derive(Clone, Debug)]
pub struct Aging {
    job: String,
    now: Timestamp,
    /// By place: what was told, and what there would be to tell of now.
    ages: BTreeMap<String, (Age, Age)>,
}

impl Aging {
    /// Of the job that stands as `status` says at `now`.
    ///
    /// # Errors
    /// What stopped the history.
    pub fn of(history: &History, status: &JobStatus, now: Timestamp) -> Result<Self, HistoryError> {
        let places: Vec<String> = status.targets.iter().map(|target| target.place.clone()).collect();
        let told = history.ages(&status.name, &places, now)?;
        let ages = status.targets.iter().filter_map(|target| {
            let told = *told.get(&target.place)?;
            // One that never was in step is as old as it is known.
            let base = target.in_step.unwrap_or(told.base);
            Some((target.place.clone(), (told, Age { base, told: now })))
        });
        Ok(Self { job: status.name.clone(), now, ages: ages.collect() })
    }

    /// What who has that interest is to hear now, and of which targets.
    #[must_use]
    pub fn told(&self, interest: &Interest) -> BTreeMap<Occasion, BTreeSet<String>> {
        let mut told: BTreeMap<Occasion, BTreeSet<String>> = BTreeMap::new();
        let Some(stale_after) = interest.stale_after.filter(|_| interest.on.contains(&Occasion::Staleness)) else {
            return told;
        };
        for (place, (before, now)) in &self.ages {
            let occasion = occasion(*before, now.base, self.now, (stale_after, interest.quiet.max(LEAST)));
            if let Some(occasion) = occasion.filter(|occasion| interest.on.contains(occasion)) {
                told.entry(occasion).or_default().insert(place.clone());
            }
        }
        told
    }

    /// Notes in the history that all this is told. Those targets are left out that somebody else has told of meanwhile, or of which
    /// nobody with such interests is to hear anything.
    ///
    /// # Errors
    /// What stopped the write.
    pub fn note(&mut self, history: &History, interests: &[Interest]) -> Result<(), HistoryError> {
        let heard: BTreeSet<String> =
            interests.iter().flat_map(|interest| self.told(interest)).flat_map(|(_, places)| places).collect();
        let mut ages = std::mem::take(&mut self.ages);
        for place in heard {
            let Some(age) = ages.remove(&place) else { continue };
            if history.tell_age(&self.job, &place, age.0, age.1)? {
                self.ages.insert(place, age);
            }
        }
        Ok(())
    }
}

/// What there is to tell of a target of which that was told `before`, and whose age is now counted from `base`.
fn occasion(before: Age, base: Timestamp, now: Timestamp, (stale, quiet): (Duration, Duration)) -> Option<Occasion> {
    // How long it was stale already when somebody was told last; `None`: it was not.
    let known = since(before.base, before.told).checked_sub(stale);
    let is_stale = since(base, now) >= stale;
    match (known, is_stale) {
        (None, true) => Some(Occasion::Staleness),
        (Some(known), true) => {
            let rounds = |late: Duration| late.as_nanos() / quiet.as_nanos();
            let late = since(before.base, now).saturating_sub(stale);
            (rounds(late) > rounds(known)).then_some(Occasion::Staleness)
        }
        (Some(_), false) => Some(Occasion::Recovery),
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_parts(minutes * 60, 0)
    }

    /// What is told of a target at looks ten minutes apart, by the minutes at which it was in step.
    fn story(in_step: &[i64], looks: i64, terms: (Duration, Duration)) -> Vec<(i64, Occasion)> {
        let mut told = Age { base: at(0), told: at(0) };
        let mut story = Vec::new();
        for now in (1..=looks).map(|look| look * 10) {
            let base = in_step.iter().rev().find(|minute| **minute <= now).map_or(told.base, |minute| at(*minute));
            if let Some(occasion) = occasion(told, base, at(now), terms) {
                told = Age { base, told: at(now) };
                story.push((now, occasion));
            }
        }
        story
    }

    #[test]
    fn staleness_is_told_when_it_comes_and_again_and_when_it_is_over() {
        use Occasion::{Recovery, Staleness};
        let terms = (Duration::from_secs(2 * HOUR), Duration::from_secs(6 * HOUR));
        let never = story(&[], 100, terms);
        assert_eq!(never, [(120, Staleness), (480, Staleness), (840, Staleness)]);
        let comes_back = story(&[30, 500, 510], 70, terms);
        assert_eq!(comes_back, [(150, Staleness), (500, Recovery), (630, Staleness)]);
        assert_eq!(story(&[60, 120, 180, 240], 30, terms), [], "one that is never stale");
    }

    proptest! {
        /// However targets come and go: never two of the same within the quiet time but for a recovery between them, and no
        /// recovery of what was not told.
        #[test]
        fn nobody_is_flooded(mut minutes in prop::collection::vec(0_i64..3000, 0..20), stale in 10_u64..600, quiet in 10_u64..600) {
            minutes.sort_unstable();
            let terms = (Duration::from_secs(stale * 60), Duration::from_secs(quiet * 60));
            let story = story(&minutes, 300, terms);
            for pair in story.windows(2) {
                prop_assert!(pair[0].1 == Occasion::Staleness || pair[1].1 == Occasion::Staleness, "{:?}", story);
                if pair[0].1 == pair[1].1 {
                    prop_assert!((pair[1].0 - pair[0].0) as u64 + 20 > quiet, "{:?}", story);
                }
            }
            prop_assert!(story.first().is_none_or(|first| first.1 == Occasion::Staleness));
        }
    }
}
