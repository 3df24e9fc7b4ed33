//! What puts left behind that were killed: noticed while listing, removed by the next put. An upload in parts is not
//! among it: that may be gone on with, and is given up by who asks for it.

use std::io;

use super::{
    escape::DiskPath,
    names::is_gone,
    system::{Dir, FileKind},
};
use crate::{
    entry::Timestamp,
    unfinished::{Leftover, Stale, is_stale, ledger_name, leftover},
};

/// Notes `name` in `directory`, which lies at `path`, if it is nobody's.
pub(super) fn saw(stale: &Stale<DiskPath>, directory: &Dir, path: &str, name: &str, now: Timestamp) {
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    if let Some(path) = DiskPath::reread(&path) {
        stale.saw(path, last_changed(directory, name), now);
    }
}

/// Removes below `root` what was noted and is still old.
pub(super) fn sweep(stale: &Stale<DiskPath>, root: &Dir, now: impl Fn() -> Timestamp) {
    for path in stale.take() {
        let removed = root.open_directory(path.parent(), false).and_then(|directory| {
            let old = last_changed(&directory, path.name()).is_some_and(|changed| is_stale(changed, now()));
            if old { directory.remove_file(path.name()) } else { Ok(()) }
        });
        // What cannot be removed stays, and is left out of listings.
        drop::<io::Result<()>>(removed);
    }
}

/// When the content of a put last changed; `None` where `name` is something else, part of an upload included.
fn last_changed(directory: &Dir, name: &str) -> Option<Timestamp> {
    let Some(Leftover::Content { .. }) = leftover(name) else { return None };
    // The time of the inode: the content's own may have been set already.
    let changed = directory.facts(name, false).ok().filter(|facts| facts.kind == FileKind::File)?.changed;
    let alone = directory.facts(&ledger_name(name), false).is_err_and(|error| is_gone(&error));
    alone.then_some(changed)
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
        let later = Timestamp::from_parts(Timestamp::now().seconds() + 2 * 24 * 60 * 60, 0);
        for (seen, swept, goes) in
            [(Timestamp::now(), later, false), (later, Timestamp::now(), false), (later, later, true)]
        {
            let stale = Stale::default();
            for name in [left, parts, &ledger_name(parts), other] {
                saw(&stale, &below, "d", name, seen);
            }
            sweep(&stale, &top, || swept);
            assert_eq!(root.path().join("d").join(left).exists(), !goes);
        }
        assert_eq!(std::fs::read_dir(root.path().join("d")).unwrap().count(), 3);
    }
}
