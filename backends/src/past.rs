//! What a bucket with versions held at some time.

use crate::entry::{Entry, Key, Kind, Timestamp};

/// Picks, from versions that come newest first within a key, the one that was the newest at a time.
pub(crate) struct Newest {
    time: Timestamp,
    /// The key whose version is found.
    decided: Option<Key>,
}

impl Newest {
    /// For that time.
    pub fn at(time: Timestamp) -> Self {
        Self { time, decided: None }
    }

    /// Whether the entry is what its key was then. Directories always are.
    pub fn takes(&mut self, entry: &Entry) -> bool {
        if entry.kind == Kind::Directory {
            return true;
        }
        let known = self.decided.as_ref() == Some(&entry.key);
        if known || entry.stored.is_none_or(|stored| stored > self.time) {
            return false;
        }
        self.decided = Some(entry.key.clone());
        entry.is_object()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_picked_version_by_version() {
        let entry = |key: &str, stored, kind| Entry {
            stored: Some(Timestamp::from_nanos(stored)),
            kind,
            ..Entry::object(Key::new(key).unwrap(), 1)
        };
        let mut newest = Newest::at(Timestamp::from_nanos(10));
        let listed = [
            (entry("a", 12, Kind::Object), false),
            (entry("a", 9, Kind::Object), true),
            (entry("a", 3, Kind::Object), false),
            (entry("b", 8, Kind::DeleteMarker), false),
            (entry("b", 7, Kind::Object), false),
            (entry("c", 11, Kind::DeleteMarker), false),
            (entry("c", 10, Kind::Object), true),
        ];
        for (entry, taken) in listed {
            assert_eq!(newest.takes(&entry), taken, "{entry:?}");
        }
    }
}
