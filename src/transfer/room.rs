//! Actions whose place is taken: a file stands where a directory is needed, or a directory where the file is to lie.
//! They wait until the deletes have made room.

use std::collections::BTreeSet;

use sterna_backends::{Error, ErrorKind, Key, Result};

use crate::{event::Deed, list::Spool, plan::Action};

/// Bytes of actions that wait, kept off the disk.
const IN_MEMORY: usize = 1024 * 1024;

/// What waits for room at one destination, and the deletes that are of no help to it.
pub(super) struct Room {
    blocked: Spool<Action>,
    keys: BTreeSet<String>,
    /// Deletes that make no room: they come last, as ever.
    others: Spool<Action>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { blocked: Spool::new(IN_MEMORY), keys: BTreeSet::new(), others: Spool::new(IN_MEMORY) }
    }

    /// Where what waits, or the deletes that were set aside, cannot be read back.
    #[cfg(test)]
    pub(super) fn broken(deletes: bool) -> Self {
        let mut room = Self { keys: ["a".to_owned()].into(), ..Self::new() };
        *(if deletes { &mut room.others } else { &mut room.blocked }) = Spool::broken();
        room
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether `error` says that the place of `action` is taken.
    pub(super) fn is_for(action: &Action, error: &Error) -> bool {
        matches!(action.deed, Deed::Transfer | Deed::Copy)
            && action.target.is_none()
            && error.kind() == ErrorKind::Exists
    }

    /// Sets an action aside.
    pub(super) fn wait(&mut self, action: &Action) -> Result<()> {
        self.blocked.push(action)?;
        self.keys.insert(action.key.as_str().to_owned());
        Ok(())
    }

    /// Of `deletes` those that make room; the others are set aside.
    pub(super) fn sift(&mut self, deletes: Vec<Action>) -> Result<Vec<Action>> {
        let mut helping = Vec::new();
        for action in deletes {
            if self.is_obstacle(&action.key) {
                helping.push(action);
            } else {
                self.others.push(&action)?;
            }
        }
        Ok(helping)
    }

    fn is_obstacle(&self, key: &Key) -> bool {
        let above = |(at, _)| self.keys.contains(&key[..at]);
        let below = format!("{key}/");
        let waits_below = self.keys.range(below.clone()..).next().is_some_and(|first| first.starts_with(&below));
        waits_below || key.match_indices('/').any(above)
    }

    /// What waited, and the deletes that were set aside.
    pub(super) fn open(self) -> (Spool<Action>, Spool<Action>) {
        (self.blocked, self.others)
    }
}
