//! [`Exempt`]: where the source has not the last word. [`Inventory`]: what it told of the rest.

use std::{collections::BTreeSet, fmt::Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sterna_backends::{Entry, Key};

/// Keys on which the source has not the last word. Takes memory for each.
#[derive(Clone, Debug, Default)]
pub struct Exempt {
    /// Taken as missing at the source: not transferred, and deleted like anything else that the source lacks.
    pub passed_over: BTreeSet<Key>,
    /// By destination: what is not deleted, though the source lacks it. A destination without an entry holds nothing.
    pub held: Vec<BTreeSet<Key>>,
}

impl Exempt {
    /// Leaves alone what lies under `key` at all of so many destinations, and does not mirror what the source has there.
    pub fn leave_alone(&mut self, key: &Key, destinations: usize) {
        self.passed_over.insert(key.clone());
        self.held.resize(self.held.len().max(destinations), BTreeSet::new());
        for held in &mut self.held {
            held.insert(key.clone());
        }
    }

    /// Whether the source is to be heard on `key`.
    pub(super) fn hears(&self, key: &Key) -> bool {
        !self.passed_over.contains(key)
    }

    /// Whether destination `at`, from 0, keeps `key` whatever the source says.
    pub(super) fn holds(&self, at: usize, key: &Key) -> bool {
        self.held.get(at).is_some_and(|held| held.contains(key))
    }
}

/// What of the source is mirrored: places with the same inventory have objects of the same names and sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// SHA-256 over `SIZE KEY` and a zero byte for each object, in byte order of the keys; `-` for a size that the listing did
    /// not tell.
    pub sha256: String,
    /// How many.
    pub objects: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// An [`Inventory`] that is still being taken.
#[derive(Default)]
pub(super) struct Counting {
    digest: Sha256,
    objects: u64,
    bytes: u64,
}

impl Counting {
    /// The next object.
    pub(super) fn add(&mut self, entry: &Entry) {
        match entry.size {
            Some(size) => self.digest.update(size.to_string()),
            None => self.digest.update("-"),
        }
        self.digest.update(b" ");
        self.digest.update(entry.key.as_bytes());
        self.digest.update([0]);
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(entry.size.unwrap_or(0));
    }

    pub(super) fn end(self) -> Inventory {
        let mut sha256 = String::with_capacity(64);
        for byte in self.digest.finalize() {
            let _written = write!(sha256, "{byte:02x}");
        }
        Inventory { sha256, objects: self.objects, bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1 a\0- b\n\0' | sha256sum`
    #[test]
    fn an_inventory_can_be_taken_without_sterna() {
        let mut counting = Counting::default();
        counting.add(&Entry::object(Key::new("a").unwrap(), 1));
        counting.add(&Entry { size: None, ..Entry::object(Key::new("b\n").unwrap(), 0) });
        let inventory = counting.end();
        assert_eq!(inventory.sha256, "a4d78e1f249fcb4706d4586ee1775a2c5d25a059fca69b19a3f0ca6decef02b1");
        assert_eq!((inventory.objects, inventory.bytes), (2, 1));
    }
}
