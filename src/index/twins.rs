//! Where a content already lies.

use std::{collections::BTreeSet, sync::Arc};

use sterna_backends::{Entry, Store};

use super::{Index, Row, Shelf};

/// Places that are searched for contents: a destination, and others it can copy from.
#[derive(Clone, Debug)]
pub struct Twins {
    index: Index,
    places: Vec<(Arc<dyn Store>, Shelf)>,
    numbers: Arc<[i64]>,
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
        Self { index: index.clone(), places, numbers: numbers.into() }
    }

    /// Those of `sizes` of which anything is known to lie there. An index that cannot be read knows nothing.
    pub async fn sizes(&self, mut sizes: BTreeSet<u64>) -> BTreeSet<u64> {
        if sizes.is_empty() {
            return sizes;
        }
        let ask = move |index: &Index, numbers: &[i64]| {
            sizes.retain(|size| index.has_size(numbers, *size).unwrap_or_default());
            Some(sizes)
        };
        self.ask(ask).await.unwrap_or_default()
    }

    /// Asks the file off the threads that wait for the network: it may be larger than the memory, and its disk slow.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Index, &[i64]) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let (index, numbers) = (self.index.clone(), Arc::clone(&self.numbers));
        tokio::task::spawn_blocking(move || question(&index, &numbers)).await.ok().flatten()
    }

    /// An object with the content of `entry`, as it is now, and its store; `suits` is asked of each that might do.
    pub async fn find(&self, entry: &Entry, suits: impl Fn(usize, &Entry) -> bool) -> Option<(usize, Entry)> {
        let (size, digests) = (entry.size?, entry.digests.clone());
        let rows = self.ask(move |index, numbers| index.twins(numbers, size, &digests).ok()).await?;
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
