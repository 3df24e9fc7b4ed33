//! Which objects of a destination are being copied from or written, so that neither comes too early.

use std::collections::HashMap;

use sterna_backends::Key;

use crate::{event::Deed, plan::Action};

/// What is under way at the destinations. Actions come in an order in which they could be made one by one; what does not
/// touch the same objects is made at once, and what does waits.
#[derive(Default)]
pub(super) struct Claims {
    /// By destination and key. Only copies from inside a destination make others wait.
    busy: HashMap<(usize, Key), Busy>,
    waiting: usize,
}

#[derive(Default)]
struct Busy {
    readers: usize,
    written: bool,
    waiting: Vec<Action>,
}

impl Claims {
    /// Takes up `action`, or keeps it until it may begin.
    pub(super) fn take(&mut self, action: Action) -> Option<Action> {
        let blocked = |(key, reads): &(&Key, bool)| {
            let busy = self.busy.get(&(action.to, (*key).clone()));
            busy.is_some_and(|busy| busy.written || busy.readers > 0 && !reads || !busy.waiting.is_empty())
        };
        let behind = touched(&action).find(blocked).map(|(key, _)| key.clone());
        if let Some(key) = behind {
            self.waiting += 1;
            self.busy.entry((action.to, key)).or_default().waiting.push(action);
            return None;
        }
        for (key, reads) in touched(&action) {
            let busy = self.busy.entry((action.to, key.clone())).or_default();
            if reads {
                busy.readers += 1;
            } else {
                busy.written = true;
            }
        }
        Some(action)
    }

    /// `action` is over. Those that waited for it are to be taken up again, in their order.
    pub(super) fn release(&mut self, action: &Action) -> Vec<Action> {
        touched(action).flat_map(|(key, reads)| self.free(action.to, key, reads)).collect()
    }

    /// `action` goes on without what it was to copy.
    pub(super) fn release_origin(&mut self, action: &Action) -> Vec<Action> {
        touched(action).filter(|(_, reads)| *reads).flat_map(|(key, reads)| self.free(action.to, key, reads)).collect()
    }

    fn free(&mut self, to: usize, key: &Key, reads: bool) -> Vec<Action> {
        let at = (to, key.clone());
        let Some(busy) = self.busy.get_mut(&at) else { return Vec::new() };
        if reads {
            busy.readers -= 1;
        } else {
            busy.written = false;
        }
        if busy.readers > 0 || busy.written {
            return Vec::new();
        }
        let free = self.busy.remove(&at).map(|busy| busy.waiting).unwrap_or_default();
        self.waiting -= free.len();
        free
    }

    /// How many actions wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

/// The keys at the destination that an action reads (`true`) or writes.
fn touched(action: &Action) -> impl Iterator<Item = (&Key, bool)> {
    let read = action.origin.as_ref().filter(|_| action.deed == Deed::Copy).and_then(|origin| origin.inside.as_ref());
    read.map(|key| (key, true)).into_iter().chain([(&action.key, false)])
}
