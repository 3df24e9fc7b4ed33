//! Whether a server we know nothing of keeps odd keys apart, tried before one is written.
//!
//! Servers on top of a file system make `a/b` of `a//b` and of `a\b`, and tell nobody: the object that was there is
//! gone. So the first odd key of each kind is preceded by a probe under a name of its own, which is removed again.

use futures::TryStreamExt;
use tokio::sync::OnceCell;

use super::{delete, list, place::Shared, put};
use crate::{
    body::Body,
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, ListRequest, PutRequest},
};

/// How a kind of odd key is known.
type IsOdd = fn(&str) -> bool;

/// Makes a key of a kind out of a name.
type Probe = fn(&str) -> String;

/// Kinds of keys that some servers fold.
const KINDS: [(IsOdd, Probe); 5] = [
    (|key| key.starts_with('/'), |name| format!("/{name}")),
    (|key| key.contains("//"), |name| format!("{name}//x")),
    (|key| key.ends_with('/'), |name| format!("{name}/")),
    (|key| key.contains('\\'), |name| format!("{name}\\x")),
    (|key| key.split('/').any(|segment| matches!(segment, "." | "..")), |name| format!("{name}/./x")),
];

/// What was found of each of [`KINDS`]: whether such keys are kept.
#[derive(Debug, Default)]
pub(super) struct Tried([OnceCell<bool>; KINDS.len()]);

/// Refuses a key that the server was seen to fold; servers we know are not tried.
///
/// # Errors
/// `Unsupported` for such a key; what stopped the listing of the probe.
pub(super) async fn refuse_folded(place: &Shared, operation: Operation, key: &Key) -> Result<()> {
    if place.provider.name != "other" {
        return Ok(());
    }
    for ((is_odd, probe), tried) in KINDS.iter().zip(&place.learned.tried.0) {
        if is_odd(key) && !*tried.get_or_try_init(|| keeps(place, probe)).await? {
            let why = "the server was tried and does not keep keys with a leading, doubled or trailing '/', a '\\', or \
                       a segment '.' or '..' as they are";
            return Err(Error::unsupported(operation, why));
        }
    }
    Ok(())
}

/// Puts a probe and looks whether exactly its key is listed.
async fn keeps(place: &Shared, probe: &Probe) -> Result<bool> {
    let name = format!("sterna-probe-{:016x}", fastrand::u64(..));
    let Ok(key) = Key::new(probe(&name)) else { return Ok(false) };
    let put = put::put(place, &key, PutRequest::default(), Body::from(&b"probe"[..])).await;
    let mut found: Vec<Entry> = Vec::new();
    // A folded probe may lie without its leading slash, too.
    for prefix in [name.clone(), format!("/{name}")] {
        match list::list(place, ListRequest::all(prefix)).try_concat().await {
            Ok(entries) => found.extend(entries),
            // It lists what does not start with the prefix: it has folded that as well.
            Err(error) if error.kind() == ErrorKind::Integrity => {}
            Err(error) => return Err(error),
        }
    }
    let kept = put.is_ok() && found.iter().any(|entry| entry.key == key && entry.size == Some(5));
    // One by one: a server may refuse a whole request for one key it does not take.
    for left in found.into_iter().map(|entry| entry.key).chain([key]) {
        let _unless_never_there = delete::delete(place, &[Deleted::from(left)]).await;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_known_and_probes_are_of_their_kind() {
        let odd = ["/lead", "a//b", "dir/", "a\\b", "a/../b"];
        for ((is_odd, probe), key) in KINDS.iter().zip(odd) {
            assert!(is_odd(key) && is_odd(&probe("name")), "{key}");
        }
        for plain in ["a", "a/b", "a.b/..c", "a b"] {
            assert!(KINDS.iter().all(|(is_odd, _)| !is_odd(plain)), "{plain}");
        }
    }
}
