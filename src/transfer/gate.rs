//! Promise 5: what is of a later group waits until everything before it is there, each destination for itself.

use std::iter::Peekable;

use sterna_backends::Result;

use crate::{list::Spool, plan::Item};

/// Bytes of items that wait at one destination, kept off the disk.
const IN_MEMORY: usize = 1024 * 1024;

/// Items read back, in their order.
type Kept = Peekable<Box<dyn Iterator<Item = Result<Item>> + Send>>;

/// The gate of one destination. Items come in the order of the plan; whenever the group changes, what is under way ends
/// first.
pub(super) struct Gate {
    /// The group that may be begun.
    open: usize,
    /// Actions begun and not over.
    under_way: usize,
    /// What came first of what waits.
    kept: Kept,
    /// What came after it.
    behind: Spool<Item>,
    waiting: u64,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { open: 0, under_way: 0, kept: none(), behind: Spool::new(IN_MEMORY), waiting: 0 }
    }

    /// Where what waits cannot be read back.
    #[cfg(test)]
    pub(super) fn broken() -> Self {
        Self { behind: Spool::broken(), waiting: 1, ..Self::new() }
    }

    /// Whether an item of `group` may be begun as it comes.
    pub(super) fn lets_pass(&self, group: usize) -> bool {
        self.waiting == 0 && group == self.open
    }

    /// Keeps `item` until its turn.
    pub(super) fn keep(&mut self, item: &Item) -> Result<()> {
        self.behind.push(item)?;
        self.waiting += 1;
        Ok(())
    }

    /// Something begins.
    pub(super) fn begin(&mut self) {
        self.under_way += 1;
    }

    /// Something is over, whatever came of it.
    pub(super) fn end(&mut self) {
        self.under_way -= 1;
    }

    /// How many items wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The next item that may be begun. `sound`: everything so far is there, so another group may follow.
    pub(super) fn next(&mut self, sound: bool) -> Result<Option<Item>> {
        if self.waiting == 0 {
            return Ok(None);
        }
        if self.kept.peek().is_none() {
            let behind = std::mem::replace(&mut self.behind, Spool::new(IN_MEMORY));
            let behind: Box<dyn Iterator<Item = Result<Item>> + Send> = Box::new(behind.read()?);
            self.kept = behind.peekable();
        }
        let group = match self.kept.peek() {
            Some(Ok(item)) => item.group(),
            // The error is handed out below.
            Some(Err(_)) | None => self.open,
        };
        if group != self.open && (!sound || self.under_way > 0) {
            return Ok(None);
        }
        self.open = group;
        self.waiting -= 1;
        self.kept.next().transpose()
    }
}

fn none() -> Kept {
    let none: Box<dyn Iterator<Item = Result<Item>> + Send> = Box::new(std::iter::empty());
    none.peekable()
}

#[cfg(test)]
mod tests {
    use sterna_backends::Key;

    use super::*;
    use crate::plan::Problem;

    fn item(key: &str, group: usize) -> Item {
        Item::Problem(Problem { to: 1, key: Key::new(key).unwrap(), group, problem: String::new() })
    }

    #[test]
    fn promise_5_a_group_waits_for_the_one_before_it() {
        let mut gate = Gate::new();
        assert!(gate.lets_pass(0) && !gate.lets_pass(1));
        gate.begin();
        for (key, group) in [("b", 1), ("c", 1), ("d", 2)] {
            gate.keep(&item(key, group)).unwrap();
        }
        assert!(!gate.lets_pass(0), "nothing overtakes what waits");
        assert_eq!(gate.next(true).unwrap(), None, "one of the first group is under way");
        gate.end();
        assert_eq!(gate.next(false).unwrap(), None, "one of the first group failed");
        assert_eq!(gate.next(true).unwrap(), Some(item("b", 1)));
        gate.begin();
        gate.keep(&item("e", 2)).unwrap();
        assert_eq!(gate.next(false).unwrap(), Some(item("c", 1)), "a failure holds no other of its group");
        assert_eq!(gate.next(true).unwrap(), None);
        gate.end();
        assert_eq!(gate.next(true).unwrap(), Some(item("d", 2)));
        assert_eq!(gate.next(true).unwrap(), Some(item("e", 2)));
        assert_eq!((gate.next(true).unwrap(), gate.waiting()), (None, 0));
        assert!(gate.lets_pass(2));
    }
}
