//! What puts left behind that were killed: noticed while listing, removed by the next put. Only who writes removes; a
//! listing does not.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::entry::Timestamp;

/// Nobody writes any more to what was not written to for so long, in seconds. It is the server's time and ours that are
/// compared: hence a day.
const DAY: i64 = 24 * 60 * 60;

/// Files that are remembered at once; those beyond are seen by a later listing.
const MOST: usize = 1_000;

/// Whether what was last written to at `written` is nobody's `now`.
pub(crate) fn is_stale(written: Timestamp, now: Timestamp) -> bool {
    now.seconds() - written.seconds() > DAY
}

/// The files that are to go.
#[derive(Debug)]
pub(crate) struct Stale<Path = String> {
    any: AtomicBool,
    paths: Mutex<Vec<Path>>,
}

impl<Path> Default for Stale<Path> {
    fn default() -> Self {
        Self { any: AtomicBool::new(false), paths: Mutex::default() }
    }
}

impl<Path: PartialEq> Stale<Path> {
    /// Notes a file that is not finished, if it is stale by `now`. One whose time is not known never is.
    pub fn saw(&self, path: Path, written: Option<Timestamp>, now: Timestamp) {
        if !written.is_some_and(|written| is_stale(written, now)) {
            return;
        }
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.len() < MOST && !paths.contains(&path) {
            paths.push(path);
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// What was noted, to be removed by who asks.
    pub fn take(&self) -> Vec<Path> {
        // Every put comes through here, and hardly one finds anything: a read that all share, no write.
        if !self.any.load(Ordering::Relaxed) || !self.any.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        std::mem::take(&mut *self.paths.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_day_old_is_told_once() {
        let now = Timestamp::from_parts(10 * DAY, 0);
        let ago = |seconds| Some(Timestamp::from_parts(10 * DAY - seconds, 0));
        let stale = Stale::default();
        for (path, written) in
            [("old", ago(DAY + 1)), ("old", ago(DAY + 1)), ("young", ago(DAY)), ("ahead", ago(-5)), ("unknown", None)]
        {
            stale.saw(path, written, now);
        }
        assert_eq!(stale.take(), ["old"]);
        assert!(stale.take().is_empty());
        stale.saw("again", ago(2 * DAY), now);
        assert_eq!(stale.take(), ["again"]);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let stale = Stale::default();
        for path in 0..2 * MOST {
            stale.saw(path, Some(Timestamp::from_parts(0, 0)), Timestamp::from_parts(2 * DAY, 0));
        }
        assert_eq!(stale.take().len(), MOST);
    }
}
