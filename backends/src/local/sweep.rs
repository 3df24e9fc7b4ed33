//! What puts left behind that were killed: noticed while listing, removed by the next put. An upload in parts is not
//! among it: that may be gone on with, and is given up by who asks for it.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    escape::DiskPath,
    names::is_gone,
    system::{Dir, FileKind},
    temporary::{Leftover, ledger_name, leftover},
};
use crate::entry::Timestamp;

/// Nobody writes any more to what was not written to for so long, in seconds: a day.
const STALE: i64 = 24 * 60 * 60;

/// Files that are remembered at once.
const MOST: usize = 1000;

/// The files that are to go, as paths below the root.
#[derive(Default)]
pub(super) struct Sweep {
    any: AtomicBool,
    paths: Mutex<Vec<DiskPath>>,
}

impl Sweep {
    /// Notes `name` in `directory`, which lies at `path`, if it is a day old.
    pub(super) fn saw(&self, directory: &Dir, path: &str, name: &str, now: Timestamp) {
        if !is_stale(directory, name, now) {
            return;
        }
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = DiskPath::reread(&path).filter(|_| paths.len() < MOST) {
            paths.push(path);
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Removes what was noted and is still old.
    pub(super) fn sweep(&self, root: &Dir, now: impl Fn() -> Timestamp) {
        // Every put comes through here, and hardly one finds anything: a read that all share, no write.
        if !self.any.load(Ordering::Relaxed) || !self.any.swap(false, Ordering::Relaxed) {
            return;
        }
        for path in std::mem::take(&mut *self.paths.lock().unwrap_or_else(PoisonError::into_inner)) {
            let removed = root.open_directory(path.parent(), false).and_then(|directory| {
                if is_stale(&directory, path.name(), now()) { directory.remove_file(path.name()) } else { Ok(()) }
            });
            // What cannot be removed stays, and is left out of listings.
            drop::<io::Result<()>>(removed);
        }
    }
}

/// Whether `name` is content of a put that nobody makes any more.
fn is_stale(directory: &Dir, name: &str, now: Timestamp) -> bool {
    let content = matches!(leftover(name), Some(Leftover::Content { .. }));
    let alone = || directory.facts(&ledger_name(name), false).is_err_and(|error| is_gone(&error));
    let old = || {
        directory.facts(name, false).is_ok_and(|facts| {
            // The time of the inode: the content's own may have been set already.
            facts.kind == FileKind::File && now.seconds() - facts.changed.seconds() > STALE
        })
    };
    content && old() && alone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_day_old_and_nobodys_goes() {
        let root = tempfile::tempdir().unwrap();
        let [left, parts, other] = [".a.sterna-12345678.part", ".b.sterna-12345678.part", "a.part"];
        std::fs::create_dir(root.path().join("d")).unwrap();
        for name in [left, parts, &ledger_name(parts), other] {
            std::fs::write(root.path().join("d").join(name), "x").unwrap();
        }
        let (top, below) = (Dir::open(root.path()).unwrap(), Dir::open(&root.path().join("d")).unwrap());
        let later = Timestamp::from_parts(Timestamp::now().seconds() + STALE + 2, 0);
        for (seen, swept, goes) in
            [(Timestamp::now(), later, false), (later, Timestamp::now(), false), (later, later, true)]
        {
            let sweep = Sweep::default();
            for name in [left, parts, &ledger_name(parts), other] {
                sweep.saw(&below, "d", name, seen);
            }
            sweep.sweep(&top, || swept);
            assert_eq!(root.path().join("d").join(left).exists(), !goes);
        }
        assert_eq!(std::fs::read_dir(root.path().join("d")).unwrap().count(), 3);
    }
}
