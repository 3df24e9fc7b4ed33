//! Deleting objects, and directories that are empty.

use super::{
    family::{Facts, Tree, What},
    list::is_empty,
};
use crate::{
    directories::{above, prune},
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, delete_each},
};

/// Deletes each target, and the directories that became empty by it.
pub(super) async fn delete<T: Tree>(tree: &T, targets: &[Deleted]) -> Vec<Result<()>> {
    let removed = delete_each(targets, T::DELETED_AT_ONCE, |target| async move {
        one(tree, target).await.map_err(|error| tree.root().named(error, Some(&target.key)))
    });
    let removed = removed.await;
    let gone = targets.iter().zip(&removed).filter(|(_, removed)| matches!(removed, Ok(true)));
    prune(tree, gone.map(|(target, _)| above(&tree.root().path(&target.key)).to_owned()).collect()).await;
    removed.into_iter().map(|removed| removed.map(drop)).collect()
}

/// Whether something was there. A refusal is believed only where nothing is there, or a directory, which is not the
/// object.
async fn one<T: Tree>(tree: &T, target: &Deleted) -> Result<bool> {
    let operation = Operation::Delete;
    if target.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    if tree.accepts(operation, &target.key).is_err() {
        return Ok(false);
    }
    let path = tree.root().path(&target.key);
    match tree.remove(operation, &path).await {
        Ok(()) => Ok(true),
        Err(error) if !T::is_refusal(&error) => Err(error),
        Err(error) => match tree.look(operation, &path).await? {
            Some(found) if found.what() != What::Directory => Err(error),
            _ => Ok(false),
        },
    }
}

/// # Errors
/// `Exists` where it is not empty.
pub(super) async fn remove_directory<T: Tree>(tree: &T, path: &str) -> Result<()> {
    let operation = Operation::Delete;
    let exists = |why: &str| Err(Error::new(ErrorKind::Exists, operation).because(why));
    let path = tree.root().directory(operation, path)?;
    match tree.look(operation, &path).await? {
        None => return Ok(()),
        Some(found) if !found.what().may_be_directory() => return exists("an object"),
        Some(_) => {}
    }
    if !is_empty(tree, &path).await? {
        return exists("it is not empty");
    }
    tree.root().directories.forget(&path);
    tree.remove_empty(&path).await
}
