//! What every call of one store shares.

use std::sync::Arc;

use super::{
    rpc::{Found, Listed, Refused, Rpc},
    times::Times,
};
use crate::{
    capability::Capabilities,
    directories::{Directories, above, below},
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    unfinished::{Stale, is_unfinished},
};

pub(super) type Shared = Arc<Place>;

/// Paths that begin so are not files of the node but contents of the whole network.
const ELSEWHERE: [&str; 2] = ["/ipfs", "/ipns"];

/// A directory of a node's files.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub rpc: Rpc,
    /// Nodes of one address copy from one another.
    pub domain: String,
    /// A path without `/` at its end; empty for all files.
    pub root: String,
    /// The directory below it that was named when this was opened: empty, or ending in `/`.
    pub folder: String,
    pub times: Times,
    pub capabilities: Capabilities,
    pub directories: Directories,
    /// What killed runs left, as a listing showed it.
    pub stale: Stale,
}

impl Place {
    /// Puts the store's and the key's names into an error.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that no path of the node is, and for names that are our own.
    pub fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        if let Some(why) = self.capabilities.keys.refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        if is_unfinished(key) {
            return Err(Error::unsupported(operation, "files on their way are called so"));
        }
        let path = self.path(key);
        if ELSEWHERE
            .iter()
            .any(|first| path.strip_prefix(first).is_some_and(|rest| matches!(rest.get(..1), None | Some("/"))))
        {
            return Err(Error::unsupported(
                operation,
                "a node takes paths that begin with /ipfs or /ipns for addresses",
            ));
        }
        Ok(())
    }

    /// A key, or a directory with or without `/` at its end, as the node names it.
    pub fn path(&self, key: &str) -> String {
        below(&self.root, key)
    }

    /// The facts of a path.
    ///
    /// # Errors
    /// [`Refused`] as the cause, where nothing lies there and for every other reason.
    pub async fn stat(&self, operation: Operation, path: &str) -> Result<Found> {
        self.rpc.ask(operation, "files/stat", at(path), &[]).await
    }

    /// What lies in the directory at `path`; of a file, itself.
    ///
    /// # Errors
    /// As [`Place::stat`].
    pub async fn members(&self, operation: Operation, path: &str, long: bool) -> Result<Vec<Found>> {
        let long = if long { "true" } else { "false" };
        let listed: Listed = self.rpc.ask(operation, "files/ls", at(path), &[("long", long)]).await?;
        Ok(listed.entries.unwrap_or_default())
    }

    /// What lies at a path, if something does.
    ///
    /// # Errors
    /// What stopped the calls; the node's refusal, where something lies there and cannot be looked at.
    pub async fn look(&self, operation: Operation, path: &str) -> Result<Option<Found>> {
        match self.stat(operation, path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if Refused::is(&error) => {
                if self.is_missing(operation, path).await? {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a directory that can be listed, the nearest above `path`, does not name what leads there.
    async fn is_missing(&self, operation: Operation, path: &str) -> Result<bool> {
        let mut inner = path;
        loop {
            let outer = above(inner);
            match self.members(operation, outer, false).await {
                Ok(members) => {
                    let name = &inner[inner.len().min(outer.len() + 1)..];
                    let named = members.iter().any(|member| member.name == name);
                    // A file tells itself, whose name may be this one.
                    return Ok(!named || self.stat(operation, outer).await?.is_file());
                }
                Err(error) if !Refused::is(&error) || outer.is_empty() => return Err(error),
                Err(_) => inner = outer,
            }
        }
    }

    /// The facts of an object.
    ///
    /// # Errors
    /// `NotFound`, for directories, too.
    pub async fn look_at_object(&self, operation: Operation, key: &Key) -> Result<Found> {
        let missing = || Error::new(ErrorKind::NotFound, operation);
        if self.accepts(operation, key).is_err() {
            return Err(missing());
        }
        self.look(operation, &self.path(key)).await?.filter(Found::is_file).ok_or_else(missing)
    }

    /// An object as the node tells of it.
    pub fn described(&self, key: Key, found: &Found) -> Entry {
        let mut entry = Entry::object(key, found.size);
        entry.etag = Some(found.cid.as_str().into());
        entry.modified = found.modified().filter(|_| self.capabilities.modified.is_some());
        super::cid::sha256(&found.cid).into_iter().for_each(|digest| entry.digests.set(digest));
        entry
    }

    /// Moves a file. Onto a file Kubo replaces it, and js-ipfs refuses; onto a directory both move into it.
    ///
    /// # Errors
    /// As [`Rpc::send`].
    pub async fn rename(&self, operation: Operation, from: &str, to: &str) -> Result<()> {
        self.rpc.tell(operation, "files/mv", &[from, to], &VERSION).await
    }

    /// Removes a file; a directory is refused.
    ///
    /// # Errors
    /// As [`Rpc::send`].
    pub async fn remove(&self, operation: Operation, path: &str) -> Result<()> {
        self.rpc.tell(operation, "files/rm", &[path], &VERSION).await
    }
}

/// js-ipfs writes directories anew with every change, as version 0 if it is not told otherwise.
pub(super) const VERSION: [(&str, &str); 1] = [("cid-version", "1")];

/// The path of the top has a name, which ours have not.
pub(super) fn at(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
