//! [`Age`]: what people were told of how long a target has not been in step.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use sterna_backends::Timestamp;

use super::{History, HistoryError};

/// What was told of the age of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Its age was counted from then: when it was last in step; of one that never was, when it became known.
    pub base: Timestamp,
    /// When somebody was told of it last, or it became known.
    pub told: Timestamp,
}

impl History {
    /// What was told of the age of each of `places`; one that nobody has looked at yet is known from `now` on.
    ///
    /// # Errors
    /// What stopped the read or the write.
    pub fn ages(&self, job: &str, places: &[String], now: Timestamp) -> Result<BTreeMap<String, Age>, HistoryError> {
        let read = || {
            let mut select = self.connection.prepare("SELECT place, base, told FROM job_age WHERE job = ?1")?;
            let row = |row: &Row<'_>| {
                let time = |at| Ok::<_, rusqlite::Error>(Timestamp::from_nanos(row.get(at)?));
                Ok((row.get::<_, String>(0)?, Age { base: time(1)?, told: time(2)? }))
            };
            let mut ages = select.query_map([job], row)?.collect::<rusqlite::Result<BTreeMap<_, _>>>()?;
            ages.retain(|place, _| places.contains(place));
            for place in places.iter().filter(|place| !ages.contains_key(*place)).collect::<Vec<_>>() {
                let insert =
                    "INSERT INTO job_age (job, place, base, told) VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO NOTHING";
                self.connection.execute(insert, params![job, place, now.as_nanos()])?;
                ages.insert(place.clone(), Age { base: now, told: now });
            }
            Ok(ages)
        };
        read().map_err(|error| self.wrong(error))
    }

    /// Notes that somebody is told of `place` as `now` says, if what was told is still what `before` says: of several that find out
    /// the same at once, one tells it.
    ///
    /// # Errors
    /// What stopped the write.
    pub fn tell_age(&self, job: &str, place: &str, before: Age, now: Age) -> Result<bool, HistoryError> {
        let update =
            "UPDATE job_age SET base = ?5, told = ?6 WHERE job = ?1 AND place = ?2 AND base = ?3 AND told = ?4";
        let nanos = [before.base, before.told, now.base, now.told].map(Timestamp::as_nanos);
        let changed = self.connection.execute(update, params![job, place, nanos[0], nanos[1], nanos[2], nanos[3]]);
        changed.map(|rows| rows > 0).map_err(|error| self.wrong(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_find_out_one_tells() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(&folder.path().join("history.db")).unwrap();
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let places = ["b2:a".to_owned()];
        let known = Age { base: at(1), told: at(1) };
        for now in [1, 2] {
            assert_eq!(history.ages("ports", &places, at(now)).unwrap(), BTreeMap::from([("b2:a".to_owned(), known)]));
        }
        let told = Age { base: at(1), told: at(9) };
        assert!(history.tell_age("ports", "b2:a", known, told).unwrap());
        assert!(!history.tell_age("ports", "b2:a", known, told).unwrap());
        assert_eq!(history.ages("ports", &places, at(10)).unwrap()["b2:a"], told);
        assert!(history.ages("ports", &[], at(10)).unwrap().is_empty(), "what is no target any more");
    }
}
