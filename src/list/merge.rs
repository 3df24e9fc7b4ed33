//! Several listings side by side, key by key, in constant memory.

use std::sync::Arc;

use sterna_backends::{Entry, Key, Result};

use super::Listing;

/// One key and what each place has under it, in the order of the places.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The key.
    pub key: Key,
    /// What each place has; `None`: nothing.
    pub entries: Vec<Option<Entry>>,
    /// Which places have nothing after this.
    pub ended: Arc<[bool]>,
}

/// Merges ordered listings.
pub struct Merge {
    listings: Vec<Listing>,
    heads: Vec<Option<Entry>>,
    ended: Arc<[bool]>,
    started: bool,
}

impl Merge {
    /// Over `listings`; rows keep their order.
    #[must_use]
    pub fn new(listings: Vec<Listing>) -> Self {
        let heads = listings.iter().map(|_| None).collect();
        Self { ended: listings.iter().map(|_| false).collect(), listings, heads, started: false }
    }

    /// How many objects each listing has told so far.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        self.listings.iter().map(Listing::count).collect()
    }

    /// The next key that any place has; `None` when all have ended.
    ///
    /// # Errors
    /// What ended one of the listings.
    pub async fn next(&mut self) -> Result<Option<Row>> {
        if !self.started {
            self.started = true;
            // All at once, so that the first pages of all places are on their way together.
            self.heads = futures::future::try_join_all(self.listings.iter_mut().map(Listing::next)).await?;
        }
        let Some(key) = self.heads.iter().flatten().map(|entry| &entry.key).min().cloned() else { return Ok(None) };
        let mut entries = Vec::with_capacity(self.heads.len());
        for (head, listing) in self.heads.iter_mut().zip(&mut self.listings) {
            entries.push(match head {
                Some(entry) if entry.key == key => std::mem::replace(head, listing.next().await?),
                _ => None,
            });
        }
        if self.heads.iter().zip(&*self.ended).any(|(head, ended)| head.is_none() != *ended) {
            self.ended = self.heads.iter().map(Option::is_none).collect();
        }
        Ok(Some(Row { key, entries, ended: Arc::clone(&self.ended) }))
    }
}
