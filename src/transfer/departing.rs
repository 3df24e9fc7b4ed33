//! What is kept no more when an action is done.

use sterna_backends::{Capabilities, DeleteMeaning, OldVersions};

use crate::{
    event::{Deed, Departed},
    plan::Action,
};

/// The object that `action` overwrites or deletes, as it was seen; `None` where there is none, or where the store, which `can` do
/// that, keeps it as an old version. `deed`: what is done of the action; deleting at the source comes after the rest.
pub(super) fn departing(action: &Action, deed: Deed, can: &Capabilities) -> Option<Departed> {
    let deletes = can.delete == DeleteMeaning::Removes;
    match deed {
        Deed::Touch => None,
        Deed::Transfer | Deed::Copy => {
            let stays = can.old_versions.is_some_and(|OldVersions { overwritten_stay, .. }| overwritten_stay);
            action.target.as_ref().filter(|_| !stays).map(Departed::from)
        }
        Deed::Delete | Deed::Backup => action.target.as_ref().filter(|_| deletes).map(Departed::from),
        Deed::DeleteSource => action.source.as_ref().filter(|_| deletes).map(Departed::from),
    }
}
