//! Trees: what becomes of directories.

use std::collections::BTreeSet;

use super::{
    calls::within,
    place::{PATIENCE, Place},
    walk,
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// Removes what is empty of `paths` and, then, of what is above; never the root. The server refuses where something is
/// inside, a file on its way included.
pub(super) async fn prune(place: &Place, mut paths: BTreeSet<String>) {
    // A path sorts before everything below it, so the last is a deepest one.
    while let Some(path) = paths.pop_last() {
        if path.is_empty() || within(PATIENCE, Operation::Delete, place.operator.delete(&path)).await.is_err() {
            continue;
        }
        paths.insert(above(path.trim_end_matches('/')).to_owned());
    }
}

/// The directory a key lies in: empty, or ending in `/`.
pub(super) fn above(key: &str) -> &str {
    &key[..key.rfind('/').map_or(0, |at| at + 1)]
}

pub(super) async fn make_directory(place: &Place, path: &str) -> Result<()> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(());
    }
    let operation = Operation::MakeDirectory;
    place.accepts(operation, path)?;
    let made = within(PATIENCE, operation, place.operator.create_dir(&format!("{path}/"))).await;
    // The library takes every refusal for a directory that is there already.
    match within(PATIENCE, operation, place.operator.stat(path)).await {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Exists, operation).because("an object is in the way")),
        Err(error) => {
            place.below_an_object(operation, path).await?;
            made.and(Err(error))
        }
    }
}

pub(super) async fn remove_directory(place: &Place, path: &str) -> Result<()> {
    let path = path.trim_end_matches('/');
    let operation = Operation::Delete;
    if path.is_empty() {
        return Err(Error::unsupported(operation, "the root of the server stays"));
    }
    place.accepts(operation, path)?;
    match within(PATIENCE, operation, place.operator.stat(path)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.is_dir() => return Err(Error::new(ErrorKind::Exists, operation).because("an object")),
        Ok(_) => {}
    }
    let path = format!("{path}/");
    if !walk::is_empty(place, &path).await? {
        return Err(Error::new(ErrorKind::Exists, operation).because("it is not empty"));
    }
    within(PATIENCE, operation, place.operator.delete(&path)).await
}
