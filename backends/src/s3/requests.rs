//! What the calls of the contract are at the wire.

use std::sync::atomic::Ordering;

use super::place::Place;
use crate::request::{Called, Requests};

/// The requests of a call where nothing fails. Not among them: what finds out what a server does that nobody knows, once
/// (a checksum it refuses, a key it folds), and what finds old states where `version_at` is set.
pub(super) fn of(place: &Place, call: &Called<'_>) -> Requests {
    match call {
        // See `copy`: only then is the source looked at.
        Called::Copy { source, replaces_metadata: false, dated: true, .. } if source.container == place.bucket => {
            call.plainly().and("head_object", 1)
        }
        Called::SetMetadata => call.plainly().and("head_object", 1),
        Called::Begun if place.learned.no_upload_list.load(Ordering::Relaxed) => Requests::default(),
        Called::Delete(targets) => deletes(place, targets.len()),
        _ => call.plainly(),
    }
}

/// A last key that is left over goes by itself.
fn deletes(place: &Place, keys: usize) -> Requests {
    let batch = place.capabilities.delete_batch.max(1);
    if batch == 1 || place.learned.no_bulk_delete.load(Ordering::Relaxed) {
        return Requests::default().and("delete_object", keys as u64);
    }
    let (full, rest) = (keys / batch, keys % batch);
    Requests::default()
        .and("delete_objects", (full + usize::from(rest > 1)) as u64)
        .and("delete_object", u64::from(rest == 1))
}
