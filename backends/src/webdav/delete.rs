//! Deleting objects, and collections that are empty.

use futures::{StreamExt, stream};

use super::{
    collections::ensure,
    place::Place,
    properties::{Depth, ask, look_if_there},
    put::moved,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    local::temporary::leftover,
    store::Deleted,
};

/// Objects deleted at once.
const AT_ONCE: usize = 8;

/// Deletes each target. To delete a collection is to delete all that is in it, so each is looked at first.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    let each = |target: &Deleted| {
        let target = target.clone();
        async move { one(place, &target).await.map_err(|error| place.name_error(error, Some(&target.key))) }
    };
    stream::iter(targets.iter().map(each).collect::<Vec<_>>()).buffered(AT_ONCE).collect().await
}

async fn one(place: &Place, target: &Deleted) -> Result<()> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    if place.cannot_be(&target.key) {
        return Ok(());
    }
    match look_if_there(place, Operation::Delete, &target.key).await? {
        None => Ok(()),
        // A collection is not the object.
        Some(found) if found.collection => Ok(()),
        Some(_) => remove(place, &target.key).await,
    }
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
    let mut members = match ask(place, Operation::Delete, &path, Depth::Members, false).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        members => members?,
    };
    let itself = path.trim_end_matches('/');
    while let Some(member) = members.next().await? {
        let told = place.address.path_of(&member.href);
        let name = told.as_deref().and_then(|told| told.rsplit('/').next()).unwrap_or_default();
        if told.as_deref() != Some(itself) && leftover(name).is_none() {
            return Err(Error::new(ErrorKind::Exists, Operation::Delete).because("it is not empty"));
        }
        if told.as_deref() == Some(itself) && !member.found.collection {
            return Ok(());
        }
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
