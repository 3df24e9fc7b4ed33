//! What requests are called, and what the calls of the contract are at the wire. Nobody bills them one by one; what a run
//! makes of them is told all the same.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::place::Place;
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

/// Collections that were said to be made.
#[derive(Debug, Default)]
pub(super) struct Foretold(Mutex<HashSet<String>>);

/// The requests of a call where nothing fails. It takes for granted that a MOVE keeps time and tag, as most servers do;
/// where one does not, each object is looked at once more. The removal of collections that deletes leave empty is not among
/// them: nobody knows which.
pub(super) fn of(place: &Place, call: &Called<'_>) -> Requests {
    match *call {
        Called::Put { key, replaces, turn } => {
            let sent = above(place, key).and("put_object", 1).and("head_object", 1);
            if place.vendor.atomic_put { sent } else { moved(sent, replaces, turn.nth == 0 && !place.knows_moves()) }
        }
        Called::Copy { key, replaces, .. } => {
            moved(above(place, key).and("copy_object", 1).and("head_object", 2), replaces, false)
        }
        Called::Delete(targets) => {
            let count = targets.len() as u64;
            // Whether it is left empty each folder is asked once.
            let folders: HashSet<&str> = targets.iter().map(|target| parent(&target.key)).collect();
            let asked = folders.into_iter().filter(|folder| !folder.is_empty()).count() as u64;
            Requests::default().and("delete_object", count).and("head_object", count + asked)
        }
        Called::Begin => Requests::one("webdav_mkcol"),
        Called::Complete => Requests::one("webdav_move").and("head_object", 2),
        Called::SetMetadata => Requests::one("webdav_proppatch").and("head_object", 2),
        _ => call.plainly(),
    }
}

/// What gives a draft its name: over what is there after a look, and where nobody knows what a MOVE does to an object, it
/// is looked at once.
fn moved(sent: Requests, replaces: bool, looked_at: bool) -> Requests {
    let again = u64::from(replaces);
    sent.and("webdav_move", 1 + again).and("head_object", again + u64::from(looked_at))
}

/// What makes the collections above `key` that nobody has seen, each once.
fn above(place: &Place, key: &Key) -> Requests {
    let mut foretold = place.foretold.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut made = 0;
    let mut path = parent(key);
    while !path.is_empty() && !place.collections.knows(path) && foretold.insert(path.to_owned()) {
        made += 1;
        path = parent(path);
    }
    Requests::default().and("webdav_mkcol", made)
}
