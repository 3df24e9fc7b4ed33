//! What a comparison learns, set aside until it may be remembered.

use std::sync::{Mutex, PoisonError};

use sterna_backends::{Digests, Entry};

use super::{Index, Shelf, row::Told};
use crate::list::Spool;

/// Bytes that stay off the disk.
const IN_MEMORY: usize = 1024 * 1024;

/// Rows that are written when the run that learnt them is over: any earlier they would decide more in that very run, and
/// a plan would depend on how far it has come.
pub struct Learnt(Mutex<Spool<Told>>);

impl Learnt {
    /// Nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self(Mutex::new(Spool::new(IN_MEMORY)))
    }

    /// Sets aside what is known of exactly this version, if it is more than what was `told` of it before. Whether it can
    /// be recognised again is decided now, not later.
    pub fn keep(&self, shelf: Option<&Shelf>, entry: &Entry, told: &Digests) {
        let Some(row) = shelf.filter(|_| entry.digests != *told).and_then(|shelf| shelf.told(entry, &entry.digests))
        else {
            return;
        };
        // What finds no room is learnt again.
        let _no_room = self.0.lock().unwrap_or_else(PoisonError::into_inner).push(&row);
    }

    /// Has `index` remember all of it. It waits for the writer: for threads that may.
    pub fn remember(self, index: &Index) {
        let rows = self.0.into_inner().unwrap_or_else(PoisonError::into_inner).read();
        rows.into_iter().flatten().flatten().for_each(|row| index.remember(row));
    }
}
