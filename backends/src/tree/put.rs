//! Writing: under a temporary name, looked at, and renamed.

use std::sync::Arc;

use super::{
    family::{Facts, Tree, What},
    root::below,
};
use crate::{
    body::Body,
    directories::{above, ensure, in_the_way},
    entry::{Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, PutRequest},
    unfinished::{Draft, Removes, content_name, is_stale, ledger_name},
    web::patience::persistently,
};

/// # Errors
/// As the contract says of `put`.
pub(super) async fn put<T: Tree>(tree: &Arc<T>, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    let body = body.sized(request.size)?;
    let path = prepared(&**tree, Operation::Put, key, &request).await?;
    let draft = Draft::beside(tree, &working_path::<T>(&path));
    let written = async {
        let (digests, stored) = tree.write(&draft.path, &request, body).await?;
        // Nobody outside can repeat what follows without sending all of it again.
        persistently(|| tree.settle(Operation::Put, &draft.path, &path, &stored)).await?;
        let mut entry = tree.described(key.clone(), &stored);
        digests.iter().for_each(|digest| entry.digests.set(*digest));
        Ok(entry)
    };
    let written = written.await;
    ended(tree, Operation::Put, draft, &path, written).await
}

/// Copies to a temporary name and renames, as a put does.
///
/// # Errors
/// As the contract says of `copy`.
pub(super) async fn copy<T: Tree>(tree: &Arc<T>, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
    let operation = Operation::Copy;
    source.near(operation, &tree.root().capabilities)?;
    if source.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    let from = below(&source.container, &source.key);
    let there = tree.look(operation, &from).await?.filter(|found| found.what().may_be_file());
    let there = there.ok_or_else(|| Error::new(ErrorKind::NotFound, operation))?;
    let found = tree.described(source.key.clone(), &there);
    if source.if_match.is_some() && source.if_match != found.etag || source.size.is_some() && source.size != found.size
    {
        return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
    }
    let path = prepared(&**tree, operation, key, &request).await?;
    let draft = Draft::beside(tree, &working_path::<T>(&path));
    let copied = async {
        let stored = tree.duplicate(&from, &there, &draft.path, request.modified).await?;
        persistently(|| tree.settle(operation, &draft.path, &path, &stored)).await?;
        Ok(tree.described(key.clone(), &stored))
    };
    let copied = copied.await;
    ended(tree, operation, draft, &path, copied).await
}

/// The work on `draft`, which was to lie at `path`, is over. A refusal is explained by what lies there.
async fn ended<T: Tree>(
    tree: &Arc<T>,
    operation: Operation,
    draft: Draft<T>,
    path: &str,
    outcome: Result<Entry>,
) -> Result<Entry> {
    draft.done(&outcome).await;
    match outcome {
        Err(error) if T::is_refusal(&error) => Err(explained(&**tree, operation, path, error).await),
        outcome => outcome,
    }
}

/// What a file on its way to `path` is called after, with its directory.
pub(super) fn working_path<T: Tree>(path: &str) -> String {
    let (directory, name) = path.split_at(above(path).len() + 1);
    format!("{directory}{}", T::working_name(name))
}

/// Where an object is to lie, its directory made.
///
/// # Errors
/// `Exists` and `Precondition` where a condition does not hold; `Exists` where a directory has that name, or an object or
/// a link that of one above; `Unsupported` for a key that no file can have.
pub(super) async fn prepared<T: Tree>(
    tree: &T,
    operation: Operation,
    key: &Key,
    request: &PutRequest,
) -> Result<String> {
    tree.accepts(operation, key)?;
    let path = tree.root().path(key);
    if tree.root().directories.knows(&path) {
        return Err(is_directory(operation));
    }
    if request.if_absent || request.if_match.is_some() {
        let there = tree.look(operation, &path).await?;
        if request.if_absent && there.is_some() {
            return Err(Error::new(ErrorKind::Exists, operation));
        }
        let etag = there.and_then(|found| tree.described(key.clone(), &found).etag);
        if request.if_match.is_some() && etag != request.if_match {
            return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
        }
    }
    sweep(tree).await;
    ensure(tree, operation, above(&path)).await?;
    Ok(path)
}

/// Removes what listings saw and nobody works on. Only who writes may, so a listing does not. When it was worked on is
/// looked at once more: a listing may tell it roughly. An upload in parts stays: that may be gone on with, and is given up by
/// who asks for it.
async fn sweep<T: Tree>(tree: &T) {
    for path in tree.root().stale.take() {
        let removed = async {
            let name = &path[above(&path).len() + 1..];
            let is_old =
                |found: &T::Facts| T::worked_on(name, found).is_some_and(|written| is_stale(written, Timestamp::now()));
            match tree.look(Operation::Delete, &path).await? {
                Some(found) if found.what() == What::File && is_old(&found) => {}
                _ => return Ok(()),
            }
            match tree.look(Operation::Delete, &ledger_name(&path)).await? {
                None => tree.remove(Operation::Delete, &path).await,
                Some(_) => Ok(()),
            }
        };
        let _best_effort = removed.await;
    }
}

/// Gives a draft its name, over what is there. A rename whose answer was lost is seen by its result.
///
/// # Errors
/// As the server refuses.
pub(super) async fn settle<T: Tree>(
    tree: &T,
    operation: Operation,
    draft: &str,
    path: &str,
    stored: &T::Facts,
) -> Result<()> {
    let refused = match tree.rename(operation, draft, path).await {
        Ok(()) => return Ok(()),
        Err(error) if !T::is_refusal(&error) => return Err(error),
        Err(error) => error,
    };
    let there = tree.look(operation, path).await?;
    if tree.look(operation, draft).await?.is_none() {
        return if there.as_ref() == Some(stored) { Ok(()) } else { Err(refused) };
    }
    match there {
        Some(found) if found.what() == What::File && !tree.replaces() => {
            replace(tree, operation, draft, path, refused).await
        }
        _ => Err(refused),
    }
}

/// Of servers that rename over nothing: what is there steps aside, and back if that was not the reason. For a moment
/// nothing lies there; never half of something.
///
/// # Errors
/// `refused`, where what is there cannot step aside either; as the server refuses.
pub(crate) async fn replace<T: Tree>(
    tree: &T,
    operation: Operation,
    draft: &str,
    path: &str,
    refused: Error,
) -> Result<()> {
    let (directory, name) = path.split_at(above(path).len() + 1);
    let aside = format!("{directory}{}", content_name(&T::working_name(name)));
    match tree.rename(operation, path, &aside).await {
        Ok(()) => {}
        Err(error) if T::is_refusal(&error) => return Err(refused),
        // Whether it stepped aside nobody knows; tried again, the draft finds its name free or taken.
        Err(error) => return Err(error),
    }
    match tree.rename(operation, draft, path).await {
        Ok(()) => {}
        Err(error) if T::is_refusal(&error) => {
            tree.rename(operation, &aside, path).await?;
            return Err(error);
        }
        // It may have been done, and then nothing is to be moved over it.
        Err(error) => return Err(error),
    }
    let _hidden_and_swept = tree.remove(operation, &aside).await;
    Ok(())
}

/// Why a write was refused, where what lies there explains it.
async fn explained<T: Tree>(tree: &T, operation: Operation, path: &str, error: Error) -> Error {
    let looked = async {
        if tree.look(operation, path).await?.is_some_and(|found| found.what() == What::Directory) {
            return Ok(Some(is_directory(operation)));
        }
        let mut directory = above(path);
        let mut missing = false;
        while directory.len() > tree.root().path.len() {
            match tree.look(operation, directory).await? {
                Some(found) if found.what().may_be_directory() => break,
                Some(_) => return Ok(Some(in_the_way(operation, directory))),
                None => missing = true,
            }
            directory = above(directory);
        }
        if missing {
            // Somebody removed it; it is made again when this is tried again.
            tree.root().directories.forget(above(path));
            return Ok(Some(Error::new(ErrorKind::Unavailable, operation).because("its directory is gone")));
        }
        let full = || Error::new(ErrorKind::Full, operation).because("the server's disk is full");
        Ok::<_, Error>(tree.is_full(operation, directory).await?.then(full))
    };
    looked.await.ok().flatten().unwrap_or(error)
}

pub(crate) fn is_directory(operation: Operation) -> Error {
    Error::new(ErrorKind::Exists, operation).because("a directory has that name")
}

impl<T: Tree> Removes for T {
    /// Servers may still be at work on it, and name it or take it for busy.
    async fn discard(&self, path: &str) {
        let removed = || async {
            match self.remove(Operation::Put, path).await {
                Err(error) if T::is_refusal(&error) && self.look(Operation::Put, path).await?.is_none() => Ok(()),
                removed => removed,
            }
        };
        let _best_effort = persistently(removed).await;
    }
}
