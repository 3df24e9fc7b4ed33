//! Deleting objects, and collections that are empty.

use std::collections::BTreeSet;

use super::{
    collections::ensure,
    place::Place,
    properties::{Depth, ask, look_if_there},
    put::moved,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, delete_each},
    unfinished::is_unfinished,
    web::address::parent,
};

/// Objects deleted at once.
const AT_ONCE: usize = 8;

/// Deletes each target, and the collections that became empty by it. To delete a collection is to delete all that is in
/// it, so each is looked at first.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    let results = delete_each(targets, AT_ONCE, |target| async move {
        one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
    })
    .await;
    let gone = targets.iter().zip(&results).filter(|(_, result)| matches!(result, Ok(true)));
    prune(place, gone.map(|(target, _)| parent(&target.key).to_owned()).collect()).await;
    results.into_iter().map(|result| result.map(drop)).collect()
}

/// Whether something was there.
async fn one(place: &Place, target: &Deleted) -> Result<bool> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    if place.cannot_be(&target.key) {
        return Ok(false);
    }
    match look_if_there(place, Operation::Delete, &target.key).await? {
        None => Ok(false),
        // A collection is not the object.
        Some(found) if found.collection => Ok(false),
        Some(_) => remove(place, &target.key).await.map(|()| true),
    }
}

/// Removes what is empty of `paths` and, then, of what is above; never the root. What cannot be removed stays: the objects
/// are gone all the same.
async fn prune(place: &Place, mut paths: BTreeSet<String>) {
    // A path sorts before everything below it, so the last is a deepest one.
    while let Some(path) = paths.pop_last() {
        if path.is_empty() || !is_empty(place, &path, true).await.unwrap_or(false) {
            continue;
        }
        place.collections.forget(&path);
        if remove(place, &path).await.is_ok() {
            paths.insert(parent(&path).to_owned());
        }
    }
}

/// Whether the collection `path` has no members; those of unfinished uploads count where `strictly`.
async fn is_empty(place: &Place, path: &str, strictly: bool) -> Result<bool> {
    let mut members = ask(place, Operation::Delete, path, Depth::Members, false).await?;
    let itself = path.trim_end_matches('/');
    while let Some(member) = members.next().await? {
        let told = place.address.path_of(&member.href);
        let name = told.as_deref().and_then(|told| told.rsplit('/').next()).unwrap_or_default();
        if told.as_deref() == Some(itself) && !member.found.collection {
            return Err(Error::new(ErrorKind::NotFound, Operation::Delete));
        }
        if told.as_deref() != Some(itself) && (strictly || !is_unfinished(name)) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn remove(place: &Place, path: &str) -> Result<()> {
    let answer = place.site.send(place.call(Operation::Delete, "DELETE", path), None).await?;
    match moved(Operation::Delete, answer).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// MKCOL, for all that is missing of `path`.
///
/// # Errors
/// As the contract says of `make_directory`.
pub(super) async fn make_directory(place: &Place, path: &str) -> Result<()> {
    ensure(place, Operation::MakeDirectory, &collection(place, Operation::MakeDirectory, path)?).await
}

/// DELETE of a collection without members.
///
/// # Errors
/// `Exists` where it has some.
pub(super) async fn remove_directory(place: &Place, path: &str) -> Result<()> {
    let path = collection(place, Operation::Delete, path)?;
    match is_empty(place, &path, false).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::new(ErrorKind::Exists, Operation::Delete).because("it is not empty")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    place.collections.forget(&path);
    if path.is_empty() {
        place.learned.root_seen.store(false, std::sync::atomic::Ordering::Relaxed);
    }
    remove(place, &path).await
}

/// `path` as that of a collection.
fn collection(place: &Place, operation: Operation, path: &str) -> Result<String> {
    let path = path.trim_end_matches('/');
    match place.capabilities.keys.refuse(path) {
        _ if path.is_empty() => Ok(String::new()),
        Some(why) => Err(Error::unsupported(operation, why)),
        None => Ok(format!("{path}/")),
    }
}
