//! Whose turn it is. Pure: who asks says what time it is.

use std::collections::BTreeMap;

use sterna_backends::Timestamp;

use crate::jobs::{
    Trigger,
    schedule::{Due, Schedule},
};

/// What is to be run, and what runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeMap<String, Entry>,
}

/// One job. All times are the schedule's.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// When it is due; `None`: never by itself.
    pub schedule: Option<Schedule>,
    /// When its last run began, or when it became known.
    pub last: Timestamp,
    /// It does not run by itself: somebody has it off, or paused it.
    pub held: bool,
    /// Its last run was cut off.
    pub cut_off: bool,
    /// Somebody asked for a run.
    pub asked: bool,
    /// A run is under way.
    pub running: bool,
}

impl Entry {
    pub(super) fn new(schedule: Option<Schedule>, last: Timestamp) -> Self {
        Self { schedule, last, held: false, cut_off: false, asked: false, running: false }
    }

    /// Why it is to run now, and since when; `None`: not now.
    fn wants(&self, now: Timestamp) -> Option<(Timestamp, Trigger)> {
        if self.running {
            return None;
        }
        if self.asked {
            return Some((self.last.min(now), Trigger::Hand));
        }
        if self.held {
            return None;
        }
        if self.cut_off {
            return Some((self.last.min(now), Trigger::CatchUp));
        }
        match self.schedule.as_ref()?.due(self.last, now) {
            Due::Now { at, missed: false } => Some((at, Trigger::Schedule)),
            Due::Now { at, missed: true } => Some((at, Trigger::CatchUp)),
            Due::At(_) | Due::Never => None,
        }
    }

    /// When it is due next, after what is due now.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.schedule.as_ref()?.next_after(now)
    }
}

impl Agenda {
    /// The entries are these now; of jobs that stay, what runs and what was asked for stays.
    pub(super) fn replace(&mut self, entries: BTreeMap<String, Entry>) {
        let mut before = std::mem::replace(&mut self.entries, entries);
        for (name, entry) in &mut self.entries {
            if let Some(before) = before.remove(name) {
                (entry.running, entry.asked) = (before.running, before.asked);
                entry.last = entry.last.max(before.last);
            }
        }
        // What is no longer configured and still runs is not forgotten before it ends.
        self.entries.extend(
            before
                .into_iter()
                .filter(|(_, entry)| entry.running)
                .map(|(name, entry)| (name, Entry { schedule: None, asked: false, held: true, ..entry })),
        );
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Entry)> {
        self.entries.iter_mut()
    }

    /// When each job is due next, those that are held back aside.
    pub(super) fn next(&self, now: Timestamp) -> BTreeMap<String, Timestamp> {
        let next = |(name, entry): (&String, &Entry)| Some((name.clone(), entry.next(now)?));
        self.entries.iter().filter(|(_, entry)| !entry.held).filter_map(next).collect()
    }

    /// Takes the job whose turn it is while fewer than `most` run: first who was asked for, then who has waited longest.
    pub(super) fn take(&mut self, now: Timestamp, most: usize) -> Option<(String, Trigger)> {
        if self.running() >= most {
            return None;
        }
        let wants = |(name, entry): (&String, &Entry)| Some((entry.wants(now)?, name.clone()));
        let ((_, trigger), name) = self
            .entries
            .iter()
            .filter_map(wants)
            .min_by_key(|((since, trigger), name)| (*trigger != Trigger::Hand, *since, name.clone()))?;
        let entry = self.entries.get_mut(&name)?;
        *entry = Entry { last: now, cut_off: false, asked: false, running: true, ..entry.clone() };
        Some((name, trigger))
    }

    /// The jobs that would run if fewer others did.
    pub(super) fn waiting(&self, now: Timestamp) -> Vec<String> {
        let waits = |(name, entry): (&String, &Entry)| entry.wants(now).map(|_| name.clone());
        self.entries.iter().filter_map(waits).collect()
    }

    /// Its run is over.
    pub(super) fn ended(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.running = false;
        }
    }

    pub(super) fn running(&self) -> usize {
        self.entries.values().filter(|entry| entry.running).count()
    }

    /// When somebody who is not due now will be.
    pub(super) fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        self.next(now).into_values().min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn every(seconds: u64, last: i64) -> Entry {
        Entry::new(Some(Schedule::every(Duration::from_secs(seconds)).unwrap()), at(last))
    }

    fn agenda(entries: impl IntoIterator<Item = (&'static str, Entry)>) -> Agenda {
        let mut agenda = Agenda::default();
        agenda.replace(entries.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect());
        agenda
    }

    #[test]
    fn a_job_runs_once_however_often_it_was_due() {
        let mut agenda = agenda([("a", every(60, 0))]);
        assert_eq!(agenda.take(at(59), 9), None);
        assert_eq!(agenda.take(at(60), 9), Some(("a".to_owned(), Trigger::Schedule)));
        assert_eq!(agenda.take(at(300), 9), None, "it runs");
        agenda.ended("a");
        assert_eq!(agenda.take(at(300), 9), Some(("a".to_owned(), Trigger::CatchUp)));
        agenda.ended("a");
        assert_eq!(agenda.take(at(300), 9), None);
        assert_eq!(agenda.wakes(at(300)), Some(at(360)));
    }

    #[test]
    fn no_more_than_so_many_run_and_who_was_asked_for_comes_first() {
        let mut agenda = agenda([("a", every(60, 0)), ("b", every(50, 0)), ("c", Entry::new(None, at(0)))]);
        agenda.get_mut("c").unwrap().asked = true;
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(at(60), 2)).map(|(name, _)| name).collect();
        assert_eq!(taken, ["c", "b"]);
        assert_eq!(agenda.waiting(at(60)), ["a"]);
        agenda.ended("c");
        assert_eq!(agenda.take(at(60), 2).unwrap().0, "a");
        agenda.ended("a");
        agenda.ended("b");
        assert_eq!(agenda.running(), 0);
    }

    #[test]
    fn who_is_held_back_runs_only_when_asked_for_and_catches_up_later() {
        let held = Entry { held: true, ..every(60, 0) };
        let mut agenda = agenda([("a", held)]);
        assert_eq!((agenda.take(at(130), 9), agenda.wakes(at(130))), (None, None));
        agenda.get_mut("a").unwrap().asked = true;
        assert_eq!(agenda.take(at(130), 9), Some(("a".to_owned(), Trigger::Hand)));
        agenda.ended("a");
        agenda.get_mut("a").unwrap().held = false;
        assert_eq!(agenda.take(at(200), 9), Some(("a".to_owned(), Trigger::Schedule)));
    }

    #[test]
    fn a_run_that_was_cut_off_is_made_again_at_once() {
        let mut agenda = agenda([("a", Entry { cut_off: true, ..every(3600, 10) })]);
        assert_eq!(agenda.take(at(20), 9), Some(("a".to_owned(), Trigger::CatchUp)));
        agenda.ended("a");
        assert_eq!(agenda.take(at(30), 9), None);
    }

    #[test]
    fn a_new_configuration_forgets_no_run() {
        let mut agenda = agenda([("a", every(60, 0)), ("b", every(60, 0))]);
        assert!(agenda.take(at(60), 9).is_some() && agenda.take(at(60), 9).is_some());
        agenda.replace(BTreeMap::from([("a".to_owned(), every(10, 0)), ("c".to_owned(), every(10, 60))]));
        assert_eq!(agenda.take(at(65), 9), None, "a runs still, b is no longer known, c is new");
        assert_eq!(agenda.running(), 2);
        agenda.ended("a");
        agenda.ended("b");
        assert_eq!(agenda.take(at(70), 9).unwrap(), ("a".to_owned(), Trigger::Schedule));
        assert_eq!(agenda.take(at(70), 9).unwrap().0, "c");
        assert_eq!(agenda.take(at(70), 9), None, "b is gone");
    }
}
