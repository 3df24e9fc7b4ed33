//! What lay at the places of runs when these ended.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;
use sterna_backends::Timestamp;

use super::{History, HistoryError, count};

/// Objects at a place and their bytes, as a listing and what was done after it tell them: the newest version of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// How many.
    pub objects: u64,
    /// Their bytes together.
    pub bytes: u64,
}

impl Kept {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { objects: self.objects.saturating_add(other.objects), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// What a run left at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The remote.
    #[serde(skip)]
    pub remote: String,
    /// As the user wrote it, without a slash at its end.
    pub place: String,
    /// When that run began.
    pub at: Timestamp,
    /// What lay there when it had ended.
    #[serde(flatten)]
    pub kept: Kept,
}

impl History {
    /// What the runs that began before `before` left at their places: of each place the last word, of places inside one
    /// another the outermost. What was listed in part only is not among them.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn left(&self, before: Timestamp) -> Result<Vec<Left>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<Left>> {
            // SQLite takes the other columns from the row that has the maximum.
            let mut found = self.connection.prepare(
                "SELECT remote, place, kept_objects, kept_bytes, max(started) FROM account JOIN run ON run.id = account.run \
                 WHERE kept_bytes IS NOT NULL AND started < ?1 GROUP BY remote, place",
            )?;
            let left = |row: &rusqlite::Row<'_>| {
                let place: String = row.get(1)?;
                let kept = Kept { objects: count(row, 2)?, bytes: count(row, 3)? };
                let at = Timestamp::from_nanos(row.get(4)?);
                Ok(Left { remote: row.get(0)?, place: place.trim_end_matches('/').to_owned(), at, kept })
            };
            found.query_map(params![before.as_nanos()], left)?.collect()
        };
        read().map(outermost).map_err(|error| self.wrong(error))
    }
}

/// Of places inside one another the outermost; of the same one the latest word.
fn outermost(all: Vec<Left>) -> Vec<Left> {
    let mut latest: BTreeMap<(String, String), Left> = BTreeMap::new();
    for left in all {
        let place = (left.remote.clone(), left.place.clone());
        match latest.get(&place) {
            Some(known) if known.at >= left.at => {}
            _ => drop(latest.insert(place, left)),
        }
    }
    // What contains a place stands before it.
    let mut found: Vec<Left> = Vec::new();
    for left in latest.into_values() {
        if !found.iter().any(|outer| outer.remote == left.remote && contains(&outer.place, &left.place)) {
            found.push(left);
        }
    }
    found
}

/// Whether the place `inner` lies inside `outer`, or is the same; both without a slash at their end.
#[must_use]
pub fn contains(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || outer.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(place: &str, at: i64, bytes: u64) -> Left {
        let remote = place.split(':').next().unwrap().to_owned();
        let place = place.to_owned();
        Left { remote, place, at: Timestamp::from_parts(at, 0), kept: Kept { objects: 1, bytes } }
    }

    #[test]
    fn places_inside_others_count_once() {
        let all = vec![
            left("b2:x/deep/er", 9, 1),
            left("b2:x", 2, 2),
            left("b2:xy", 3, 4),
            left("b2:x", 5, 8),
            left("b2:x", 4, 16),
            left("s3:x/deep", 1, 32),
        ];
        let told: Vec<_> = outermost(all).into_iter().map(|left| (left.place, left.kept.bytes)).collect();
        let told: Vec<_> = told.iter().map(|(place, bytes)| (place.as_str(), *bytes)).collect();
        assert_eq!(told, [("b2:x", 8), ("b2:xy", 4), ("s3:x/deep", 32)]);
        assert_eq!(outermost(vec![left("b2:x/y", 1, 1), left("b2:", 1, 2)]), [left("b2:", 1, 2)]);
    }
}
