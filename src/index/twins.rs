//! Where a content already lies.

use std::sync::Arc;

use sterna_backends::{Entry, Store};

use super::{Index, Row, Shelf};

/// Places that are searched for contents: a destination, and others it can copy from.
#[derive(Clone, Debug)]
pub struct Twins {
    index: Index,
    places: Vec<(Arc<dyn Store>, Shelf)>,
    numbers: Vec<i64>,
}

impl Twins {
    /// Searches `stores`, the first ones first. Those that cannot be remembered are left out.
    #[must_use]
    pub fn of(index: &Index, stores: impl IntoIterator<Item = Arc<dyn Store>>) -> Self {
        let places: Vec<_> =
            stores.into_iter().filter_map(|store| index.shelf(&*store).map(|shelf| (store, shelf))).collect();
        let mut numbers: Vec<i64> = places.iter().map(|(_, shelf)| shelf.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self { index: index.clone(), places, numbers }
    }

    /// Whether anything of so many bytes is known to lie there. An index that cannot be read knows nothing.
    #[must_use]
    pub fn has_size(&self, size: u64) -> bool {
        self.index.has_size(&self.numbers, size).unwrap_or_default()
    }

    /// An object with the content of `entry`, as it is now, and its store; `suits` is asked of each that might do.
    pub async fn find(&self, entry: &Entry, suits: impl Fn(usize, &Entry) -> bool) -> Option<(usize, Entry)> {
        let rows = self.index.twins(&self.numbers, entry.size?, &entry.digests).ok()?;
        for (at, (store, shelf)) in self.places.iter().enumerate() {
            // What lies in an earlier place was asked for there.
            let earlier = |row: &Row| self.places[..at].iter().any(|(_, shelf)| shelf.holds(row));
            for row in rows.iter().filter(|row| shelf.holds(row) && !earlier(row)) {
                let Some(found) = self.look(store, shelf, row).await else { continue };
                if suits(at, &found) {
                    return Some((at, found));
                }
            }
        }
        None
    }

    /// The place of that number.
    #[must_use]
    pub fn store(&self, at: usize) -> Option<&Arc<dyn Store>> {
        self.places.get(at).map(|(store, _)| store)
    }

    /// What a row speaks of, if it is still there and the same.
    async fn look(&self, store: &Arc<dyn Store>, shelf: &Shelf, row: &Row) -> Option<Entry> {
        let key = shelf.key_of(&row.key)?;
        match store.stat(&key, None).await {
            Ok(mut now) => shelf.add(row, &mut now).then_some(now),
            Err(_) => None,
        }
    }
}
