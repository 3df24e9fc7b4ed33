//! What every call of one store shares.

use std::sync::Arc;

use super::{
    control::{Control, Handle},
    facts::{Facts, What},
    pool::{Lease, Pool, Share},
    reply::Refused,
    wire::{Request, how, kind},
};
use crate::{
    capability::Capabilities,
    directories::{Directories, Makes, below},
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    registry::Skips,
    skipped::{Skipped, WhySkipped},
    unfinished::{Stale, is_unfinished},
};

pub(super) type Shared = Arc<Place>;

/// A directory on a server.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub pool: Arc<Pool>,
    /// An absolute path without `/` at its end. It may be a link; what lies below is not followed.
    pub root: String,
    pub fsync: bool,
    pub capabilities: Capabilities,
    pub directories: Directories,
    /// What killed runs left, as a listing showed it.
    pub stale: Stale,
    /// Told of what listings leave out.
    pub skips: Option<Skips>,
}

impl Place {
    /// Puts the store's and the key's names into an error.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that no path is, and for names that are our own.
    pub fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        if let Some(why) = self.capabilities.keys.refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        if key.contains('\0') {
            return Err(Error::unsupported(operation, "a path ends where a zero is"));
        }
        if is_unfinished(key) {
            return Err(Error::unsupported(operation, "files on their way are called so"));
        }
        Ok(())
    }

    /// A key, or a directory with or without `/` at its end, as the server names it.
    pub fn path(&self, key: &str) -> String {
        below(&self.root, key)
    }

    /// # Errors
    /// What stopped making a connection.
    pub async fn call(&self, operation: Operation) -> Result<Lease> {
        self.pool.take(operation, Share::Call).await
    }

    /// # Errors
    /// As [`Place::call`].
    pub async fn body(&self, operation: Operation) -> Result<Lease> {
        self.pool.take(operation, Share::Body).await
    }

    /// An object as the server tells of it.
    pub fn described(&self, key: Key, facts: &Facts) -> Entry {
        let mut entry = Entry::object(key, 0);
        entry.size = facts.size;
        entry.modified = facts.time();
        entry
    }

    /// Tells of something that a listing leaves out.
    pub fn skip(&self, path: String, why: WhySkipped) {
        if let Some(Skips(observer)) = &self.skips {
            observer(Skipped { path: path.into(), why });
        }
    }

    /// Removes what listings saw and nobody works on. Only who writes may, so a listing does not.
    pub async fn sweep(&self) {
        for path in self.stale.take() {
            let removed = async {
                let lease = self.call(Operation::Delete).await?;
                remove(&lease.control, Operation::Delete, &path).await
            };
            let _best_effort = removed.await;
        }
    }
}

/// What lies at a path of the server, if something does; a link itself, not what it points at.
///
/// # Errors
/// What stopped the call.
pub(super) async fn look(control: &Control, operation: Operation, path: &str) -> Result<Option<Facts>> {
    let asked = control.call(operation, Request::new(kind::LSTAT).bytes(path.as_bytes())).await?;
    asked.facts_if_there(operation)
}

/// As [`look`], of what a link points at.
///
/// # Errors
/// As there.
pub(super) async fn look_through(control: &Control, operation: Operation, path: &str) -> Result<Option<Facts>> {
    let asked = control.call(operation, Request::new(kind::STAT).bytes(path.as_bytes())).await?;
    asked.facts_if_there(operation)
}

/// Opens a file for reading.
pub(super) fn open_to_read(path: &str) -> Request {
    Request::new(kind::OPEN).bytes(path.as_bytes()).number(how::READ).facts(&Facts::default())
}

/// Makes a file that is not there, and opens it for writing.
///
/// # Errors
/// By code.
pub(super) async fn create(control: &Arc<Control>, operation: Operation, path: &str) -> Result<Handle> {
    let request = Request::new(kind::OPEN).bytes(path.as_bytes());
    let request = request.number(how::WRITE | how::CREATE | how::EXCLUSIVE).facts(&Facts::default());
    let opened = control.call(operation, request).await?.handle(operation)?;
    Ok(Handle::new(control, opened))
}

/// Renames, over what is there where the server can do that in one step.
///
/// # Errors
/// By code.
pub(super) async fn rename(control: &Control, operation: Operation, from: &str, to: &str) -> Result<()> {
    let request = match control.abilities.posix_rename {
        true => Request::extended("posix-rename@openssh.com"),
        false => Request::new(kind::RENAME),
    };
    control.call(operation, request.bytes(from.as_bytes()).bytes(to.as_bytes())).await?.done(operation)
}

/// # Errors
/// By code.
pub(super) async fn remove(control: &Control, operation: Operation, path: &str) -> Result<()> {
    control.call(operation, Request::new(kind::REMOVE).bytes(path.as_bytes())).await?.done(operation)
}

impl Makes for Place {
    fn directories(&self) -> &Directories {
        &self.directories
    }

    fn root(&self) -> &str {
        &self.root
    }

    async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
        let lease = self.call(operation).await?;
        let control = &lease.control;
        // The root may be a link, and what is above it is none of our business.
        let there = match path.len() <= self.root.len() {
            true => look_through(control, operation, path).await,
            false => look(control, operation, path).await,
        };
        match there? {
            Some(found) if matches!(found.what(), What::Directory | What::Unknown) => return Ok(None),
            Some(_) => {
                let why = format!("'{path}' is no directory");
                return Err(Error::new(ErrorKind::Exists, operation).because(why));
            }
            None => {}
        }
        let request = Request::new(kind::MKDIR).bytes(path.as_bytes()).facts(&Facts::default());
        match control.call(operation, request).await?.done(operation) {
            Ok(()) => Ok(None),
            Err(refused) if Refused::of(&refused).is_none() => Err(refused),
            // Somebody else may have made it meanwhile.
            Err(refused) => match look(control, operation, path).await? {
                Some(found) if found.what() == What::Directory => Ok(None),
                _ => Ok(Some(refused)),
            },
        }
    }
    async fn remove_empty(&self, path: &str) -> Result<()> {
        let operation = Operation::Delete;
        let lease = self.call(operation).await?;
        let request = Request::new(kind::RMDIR).bytes(path.as_bytes());
        lease.control.call(operation, request).await?.done(operation)
    }
}
