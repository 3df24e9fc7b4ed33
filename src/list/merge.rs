//! Several listings side by side, key by key, in constant memory.

use std::collections::VecDeque;

use futures::future::join_all;
use sterna_backends::{Entry, Error, ErrorKind, Key, Result};

use super::{Listing, Patience};

/// One key and what each place has under it, in the order of the places.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The key.
    pub key: Key,
    /// What each place has; `None`: nothing, or nothing that is known.
    pub entries: Vec<Option<Entry>>,
}

/// What merged listings tell.
#[derive(Debug)]
pub enum Merged {
    /// The next key that any place has.
    Row(Row),
    /// That place has nothing more.
    Ended(usize),
    /// The listing of that place broke off. What it has after the last row is not known.
    Lost(usize, Error),
}

impl Merged {
    /// The row, where it is one; for who needs all places.
    ///
    /// # Errors
    /// What a place was lost by.
    pub fn row(self) -> Result<Option<Row>> {
        match self {
            Self::Row(row) => Ok(Some(row)),
            Self::Ended(_) => Ok(None),
            Self::Lost(_, error) => Err(error),
        }
    }
}

/// Merges ordered listings.
pub struct Merge {
    listings: Vec<Listing>,
    heads: Vec<Option<Entry>>,
    /// What is to be told before the next row.
    news: VecDeque<Merged>,
    /// Whether the first one can do without others.
    goes_on: bool,
    patience: Patience,
    started: bool,
}

impl Merge {
    /// Over `listings`; rows keep their order. A listing that breaks off ends the merge.
    #[must_use]
    pub fn new(listings: Vec<Listing>) -> Self {
        let heads = listings.iter().map(|_| None).collect();
        Self { listings, heads, news: VecDeque::new(), goes_on: false, patience: Patience::default(), started: false }
    }

    /// A listing that breaks off, or for which there is no `patience` any more, is lost, and the others go on. Only the first
    /// one is needed.
    #[must_use]
    pub fn goes_on(mut self, patience: Patience) -> Self {
        (self.goes_on, self.patience) = (true, patience);
        self
    }

    /// How many objects each listing has told so far.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        self.listings.iter().map(Listing::count).collect()
    }

    /// What is next; `None` when all have ended.
    ///
    /// # Errors
    /// What ended a listing that is needed.
    pub async fn next(&mut self) -> Result<Option<Merged>> {
        if !self.started {
            self.started = true;
            // All at once, so that the first pages of all places are on their way together.
            let places = self.listings.iter_mut().enumerate();
            let first = join_all(places.map(|(at, listing)| self.patience.wait(at, listing.next()))).await;
            for (at, next) in first.into_iter().enumerate() {
                self.heads[at] = self.head(at, next)?;
            }
        }
        if let Some(news) = self.news.pop_front() {
            return Ok(Some(news));
        }
        let Some(key) = self.heads.iter().flatten().map(|entry| &entry.key).min().cloned() else { return Ok(None) };
        let mut entries = Vec::with_capacity(self.heads.len());
        for at in 0..self.heads.len() {
            let has = self.heads[at].as_ref().is_some_and(|entry| entry.key == key);
            entries.push(if has {
                let next = self.patience.wait(at, self.listings[at].next()).await;
                let next = self.head(at, next)?;
                std::mem::replace(&mut self.heads[at], next)
            } else {
                None
            });
        }
        Ok(Some(Merged::Row(Row { key, entries })))
    }

    /// What place `at` has next; where that is nothing more, it is told after the present row.
    fn head(&mut self, at: usize, next: Result<Option<Entry>>) -> Result<Option<Entry>> {
        match next {
            Ok(Some(entry)) => return Ok(Some(entry)),
            Ok(None) => self.news.push_back(Merged::Ended(at)),
            Err(error) if self.goes_on && at > 0 && error.kind() != ErrorKind::Cancelled => {
                self.listings[at].close();
                self.news.push_back(Merged::Lost(at, error));
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }
}
