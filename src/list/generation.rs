//! Whether objects are still those that were seen.

use std::hash::{DefaultHasher, Hash, Hasher};

use sterna_backends::Entry;

/// What a listing told of some objects, folded into a few bytes: two that are equal told the same objects in the same order.
/// It means something within one process only.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    told: DefaultHasher,
    objects: u64,
}

impl Generation {
    /// Adds the next object.
    pub fn add(&mut self, entry: &Entry) {
        let Entry { key, size, etag, version, modified, .. } = entry;
        (key, size, etag, version, modified.map(|time| time.as_nanos())).hash(&mut self.told);
        self.objects += 1;
    }
}

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        self.objects == other.objects && self.told.finish() == other.told.finish()
    }
}

impl Eq for Generation {}

#[cfg(test)]
mod tests {
    use sterna_backends::{Key, Timestamp};

    use super::*;

    fn of(objects: &[(&str, u64, Option<&str>, i64)]) -> Generation {
        let mut generation = Generation::default();
        for (key, size, etag, seconds) in objects {
            let mut entry = Entry::object(Key::new(*key).unwrap(), *size);
            entry.etag = etag.map(Into::into);
            entry.modified = Some(Timestamp::from_parts(*seconds, 0));
            generation.add(&entry);
        }
        generation
    }

    #[test]
    fn whatever_changes_makes_another_generation() {
        let first = of(&[("repo", 1, Some("a"), 5), ("repo.info", 2, None, 5)]);
        assert_eq!(first, of(&[("repo", 1, Some("a"), 5), ("repo.info", 2, None, 5)]));
        for other in [
            of(&[("repo", 1, Some("b"), 5), ("repo.info", 2, None, 5)]),
            of(&[("repo", 2, Some("a"), 5), ("repo.info", 2, None, 5)]),
            of(&[("repo", 1, Some("a"), 5), ("repo.info", 2, None, 6)]),
            of(&[("repo", 1, Some("a"), 5)]),
            of(&[]),
        ] {
            assert_ne!(first, other);
        }
    }
}
