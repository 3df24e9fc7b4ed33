//! Deleting objects, and directories that are empty.

use super::{
    facts::What,
    list::is_empty,
    place::{Place, look, look_through, remove},
    reply::Refused,
};
use crate::{
    directories::{Makes, checked, prune_after},
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, delete_each},
};

/// Objects deleted at once, over one connection.
const AT_ONCE: usize = 32;

/// Deletes each target, and the directories that became empty by it.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    let removed = delete_each(targets, AT_ONCE, |target| async move {
        one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
    })
    .await;
    prune_after(place, targets, removed).await
}

/// Whether something was there. A refusal is believed only where nothing is there, or a directory, which is not the
/// object.
async fn one(place: &Place, target: &Deleted) -> Result<bool> {
    let operation = Operation::Delete;
    if target.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    if place.accepts(operation, &target.key).is_err() {
        return Ok(false);
    }
    let lease = place.call(operation).await?;
    let path = place.path(&target.key);
    match remove(&lease.control, operation, &path).await {
        Ok(()) => Ok(true),
        Err(error) if Refused::of(&error).is_none() => Err(error),
        Err(error) => match look(&lease.control, operation, &path).await? {
            Some(found) if found.what() != What::Directory => Err(error),
            _ => Ok(false),
        },
    }
}

/// # Errors
/// `Exists` where it is not empty.
pub(super) async fn remove_directory(place: &Place, path: &str) -> Result<()> {
    let operation = Operation::Delete;
    let path = checked(place, &place.capabilities.keys, operation, path)?;
    let lease = place.call(operation).await?;
    match look_through(&lease.control, operation, &path).await? {
        None => return Ok(()),
        Some(found) if matches!(found.what(), What::Directory | What::Unknown) => {}
        Some(_) => return Err(Error::new(ErrorKind::Exists, operation).because("an object")),
    }
    if !is_empty(place, &path).await? {
        return Err(Error::new(ErrorKind::Exists, operation).because("it is not empty"));
    }
    place.directories.forget(&path);
    place.remove_empty(&path).await
}
