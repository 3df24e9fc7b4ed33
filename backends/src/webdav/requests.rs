//! What requests are called, and what the calls of the contract are at the wire. Nobody bills them one by one; what a run
//! makes of them is told all the same.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{place::Place, settle::is_plain};
use crate::{
    entry::Key,
    error::Operation,
    request::{Called, Requests},
    web::{address::parent, client::Call},
};

/// The name of a request.
pub(super) fn name_of(call: &Call) -> &'static str {
    match call.method.as_str() {
        "PROPFIND" if call.operation == Operation::List => "list_objects",
        "PROPFIND" | "HEAD" => "head_object",
        "GET" => "get_object",
        "PUT" if call.operation == Operation::PutPart => "upload_part",
        "PUT" => "put_object",
        "COPY" => "copy_object",
        "DELETE" => "delete_object",
        "MKCOL" => "webdav_mkcol",
        "MOVE" => "webdav_move",
        "PROPPATCH" => "webdav_proppatch",
        _ => "other",
    }
}

/// What was said to be done once.
#[derive(Debug, Default)]
pub(super) struct Foretold {
    /// Collections that will be made.
    made: Mutex<HashSet<String>>,
    /// Whether it will be looked what a MOVE does to an object.
    looked: AtomicBool,
    /// The folder in which the last call that deletes ends.
    deleted_in: Mutex<Option<String>>,
}

/// The requests of a call where nothing fails. It takes for granted that a MOVE keeps time and tag, as most servers do;
/// where one does not, each object is looked at once more. The removal of collections that deletes leave empty, and the
/// look before it, are not among them: nobody knows which; nor the looks at objects one by one that their collections do not show.
pub(super) fn of(place: &Place, call: &Called<'_>) -> Requests {
    match *call {
        Called::Put { key, replaces, .. } => {
            let sent = above(place, key).and("put_object", 1).and("head_object", 1);
            // What is replaced is seen with the drafts; see `around`.
            let is_seen = is_plain(key) && !place.takes_checksums();
            if place.vendor.atomic_put { sent } else { moved(place, sent, key, replaces && !is_seen) }
        }
        Called::Copy { key, replaces, .. } => {
            moved(place, above(place, key).and("copy_object", 1).and("head_object", 2), key, replaces)
        }
        Called::Delete(targets) => {
            let count = targets.len() as u64;
            // Each folder shows what its objects are; the one in which the call before has ended has done so.
            let folders: HashSet<&str> = targets.iter().map(|target| parent(&target.key)).collect();
            let last = targets.last().map(|target| parent(&target.key).to_owned());
            let mut deleted_in = place.foretold.deleted_in.lock().unwrap_or_else(PoisonError::into_inner);
            let goes_on = std::mem::replace(&mut *deleted_in, last).is_some_and(|path| folders.contains(&*path));
            let looked_at = folders.len() as u64 - u64::from(goes_on);
            Requests::default().and("delete_object", count).and("head_object", looked_at)
        }
        Called::Begin => Requests::one("webdav_mkcol"),
        Called::Complete => Requests::one("webdav_move").and("head_object", 2),
        Called::SetMetadata => Requests::one("webdav_proppatch").and("head_object", 2),
        _ => call.plainly(),
    }
}

/// What gives a draft its name: where that may be taken, over what is there after a look. An object is looked at where its name may be misread, and the
/// first other one to learn what a MOVE does.
fn moved(place: &Place, sent: Requests, key: &Key, is_taken: bool) -> Requests {
    let first =
        || !place.assumes_moves() && !place.knows_moves() && !place.foretold.looked.swap(true, Ordering::Relaxed);
    let looked_at = !is_plain(key) || first();
    let again = u64::from(is_taken);
    sent.and("webdav_move", 1 + again).and("head_object", again + u64::from(looked_at))
}

/// What makes the collections above `key` that nobody has seen, each once.
fn above(place: &Place, key: &Key) -> Requests {
    let mut foretold = place.foretold.made.lock().unwrap_or_else(PoisonError::into_inner);
    let mut made = 0;
    let mut path = parent(key);
    while !path.is_empty() && !place.collections.knows(path) && foretold.insert(path.to_owned()) {
        made += 1;
        path = parent(path);
    }
    Requests::default().and("webdav_mkcol", made)
}
