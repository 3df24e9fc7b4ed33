//! Deleting objects, and directories that are empty.

use super::{
    place::Place,
    rpc::{Found, Refused},
};
use crate::{
    directories::{Makes, checked, prune_after},
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, delete_each},
};

/// Objects deleted at once.
const AT_ONCE: usize = 4;

/// Deletes each target, and the directories that became empty by it.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    let removed = delete_each(targets, AT_ONCE, |target| async move {
        one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
    });
    prune_after(place, targets, removed.await).await
}

/// Whether something was there.
async fn one(place: &Place, target: &Deleted) -> Result<bool> {
    let operation = Operation::Delete;
    if target.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    if place.accepts(operation, &target.key).is_err() {
        return Ok(false);
    }
    let path = place.path(&target.key);
    match place.remove(operation, &path).await {
        Ok(()) => Ok(true),
        Err(error) if !Refused::is(&error) => Err(error),
        Err(error) => match place.look(operation, &path).await? {
            Some(found) if found.is_file() => Err(error),
            _ => Ok(false),
        },
    }
}

/// # Errors
/// `Exists` where it is not empty.
pub(super) async fn remove_directory(place: &Place, path: &str) -> Result<()> {
    let operation = Operation::Delete;
    let path = checked(place, &place.capabilities.keys, operation, path)?;
    match place.look(operation, &path).await? {
        None => return Ok(()),
        Some(found) if Found::is_file(&found) => {
            return Err(Error::new(ErrorKind::Exists, operation).because("an object"));
        }
        Some(_) => {}
    }
    place.directories.forget(&path);
    place.remove_empty(&path).await
}
