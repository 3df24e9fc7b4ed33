//! The order in which objects are overwritten, and the account of what is written.

use sterna_backends::{Algorithm, Digests, Entry, Key};

use super::{
    ledger::{Ledger, Sent},
    order::order,
};
use crate::{compare::Reason, event::Deed, index::of_bytes, plan::Action};

fn entry(key: &str, content: &str) -> Entry {
    let mut entry = Entry::object(Key::new(key).unwrap(), content.len() as u64);
    entry.digests = of_bytes(content.as_bytes(), &[Algorithm::Md5]);
    entry
}

/// Object `key` becomes `new` where `old` was.
fn over(key: &str, new: &str, old: &str) -> Action {
    Action {
        deed: Deed::Transfer,
        to: 1,
        key: Key::new(key).unwrap(),
        group: 0,
        reason: Reason::Digest(Algorithm::Md5),
        source: Some(entry(key, new)),
        origin: None,
        readers: 1,
        target: Some(entry(key, old)),
        backup: None,
        metadata: None,
        delete_source: false,
    }
}

#[test]
fn contents_are_copied_before_they_are_overwritten() {
    // Logs that are rotated: each takes what the one before it had.
    let logs = [over("1", "new", "a"), over("2", "a", "b"), over("3", "b", "c")];
    assert_eq!(order(&logs), [2, 1, 0]);
    // The other way round they stand right already.
    let back = [over("1", "b", "a"), over("2", "c", "b"), over("3", "new", "c")];
    assert_eq!(order(&back), [0, 1, 2]);
    // Two that change places: one is first, and both are made.
    assert_eq!(order(&[over("1", "b", "a"), over("2", "a", "b")]), [1, 0]);
    // At another destination nothing is waited for.
    let elsewhere = Action { to: 2, ..over("2", "a", "b") };
    assert_eq!(order(&[over("1", "new", "a"), elsewhere]), [0, 1]);
    // A chain as long as a batch needs no stack.
    let name = |at: usize| format!("{at:05}");
    let chain: Vec<Action> = (1..10_000).map(|at| over(&name(at), &name(at - 1), &name(at))).collect();
    assert_eq!(order(&chain), (0..9_999).rev().collect::<Vec<_>>());
}

#[test]
fn the_account_knows_what_is_written_by_key_size_and_content() {
    let ledger = Ledger::new().unwrap();
    let (first, twin, other) = (entry("a", "same"), entry("b", "same"), entry("c", "more"));
    assert!(matches!(ledger.meet(&first, false).unwrap(), Sent::Nothing));
    ledger.note(&first.key).unwrap();
    ledger.know(&first.key, &first.digests).unwrap();
    assert!(ledger.wrote(&first.key).unwrap() && !ledger.wrote(&twin.key).unwrap());
    assert!(matches!(ledger.meet(&twin, false).unwrap(), Sent::Others(None)));
    assert_eq!(ledger.twin(&twin.digests).unwrap(), Some(first.key.clone()));
    assert_eq!(ledger.twin(&other.digests).unwrap(), None);
    // What has no digest is handed on once, to be read.
    let unread = Entry { digests: Default::default(), ..entry("d", "12345") };
    assert!(matches!(ledger.meet(&unread, true).unwrap(), Sent::Nothing));
    let met = |key| ledger.meet(&entry(key, "12345"), false).unwrap();
    assert!(matches!(met("e"), Sent::Others(Some(first)) if *first == unread));
    assert!(matches!(met("f"), Sent::Others(None)));
}

/// Two files of one SHA-1 have been published (<https://shattered.io>), and of one MD5 anybody can make them.
#[test]
fn a_weaker_digest_in_common_proves_nothing_where_a_stronger_one_differs() {
    let of = |kinds: &[(Algorithm, &str)]| -> Digests {
        kinds.iter().filter_map(|(kind, text)| of_bytes(text.as_bytes(), &[*kind]).get(*kind)).collect()
    };
    let (sha256, sha1, md5) = (Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5);
    let ledger = Ledger::new().unwrap();
    let key = Key::new("a").unwrap();
    ledger.know(&key, &of(&[(sha256, "a"), (sha1, "both"), (md5, "both")])).unwrap();
    assert_eq!(ledger.twin(&of(&[(sha256, "b"), (sha1, "both"), (md5, "both")])).unwrap(), None);
    assert_eq!(ledger.twin(&of(&[(sha1, "other"), (md5, "both")])).unwrap(), None);
    assert_eq!(ledger.twin(&of(&[(md5, "both")])).unwrap(), Some(key.clone()));
    assert_eq!(ledger.twin(&of(&[(sha256, "a")])).unwrap(), Some(key));
}
