//! Directories, each made once a run, however many objects lie in it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::OnceCell;

use super::{facts::What, place::Place, pool::Lease, reply::Refused};
use crate::error::{Error, ErrorKind, Operation, Result};

/// So many are remembered; what is forgotten costs a call.
const REMEMBERED: usize = 100_000;

/// The directories that are known to be there, by their paths on the server. Who makes one makes the others wait.
#[derive(Debug, Default)]
pub(super) struct Directories(Mutex<HashMap<String, Arc<OnceCell<()>>>>);

impl Directories {
    fn turn(&self, path: &str) -> Arc<OnceCell<()>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        Arc::clone(known.entry(path.to_owned()).or_default())
    }

    /// `path` was seen.
    pub fn saw(&self, path: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < REMEMBERED && !known.contains_key(path) {
            known.insert(path.to_owned(), Arc::new(OnceCell::new_with(Some(()))));
        }
    }

    /// Whether `path` is known to be there.
    pub fn knows(&self, path: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(path).is_some_and(|turn| turn.initialized())
    }

    /// `path`, what is below it and what is above it may be gone.
    pub fn forget(&self, path: &str) {
        let inside = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known, _| known != path && !inside(path, known) && !inside(known, path));
    }
}

/// What a path lies in; empty for the top.
pub(super) fn above(path: &str) -> &str {
    &path[..path.rfind('/').unwrap_or(0)]
}

/// Makes sure that the directory at `path` is there, with all above it.
///
/// # Errors
/// `Exists` where an object is in the way; by code.
pub(super) fn ensure<'a>(place: &'a Place, operation: Operation, path: &'a str) -> BoxFuture<'a, Result<()>> {
    async move {
        if path.is_empty() {
            return Ok(());
        }
        let turn = place.directories.turn(path);
        turn.get_or_try_init(|| made(place, operation, path)).await.map(drop)
    }
    .boxed()
}

async fn made(place: &Place, operation: Operation, path: &str) -> Result<()> {
    let mut refused = match attempt(place, operation, path).await? {
        None => return Ok(()),
        Some(refused) => refused,
    };
    if !above(path).is_empty() {
        ensure(place, operation, above(path)).await?;
        refused = match attempt(place, operation, path).await? {
            None => return Ok(()),
            Some(refused) => refused,
        };
    }
    Err(refused)
}

/// `None`: it is there. Servers refuse to make what is there, and what has nothing above it, with the same code.
async fn attempt(place: &Place, operation: Operation, path: &str) -> Result<Option<Error>> {
    let mut lease = place.call(operation).await?;
    let refused = match lease.tell(&format!("MKD {path}")).await {
        Ok(_) => return Ok(None),
        Err(error) if Refused::of(&error).is_none() => return Err(error),
        Err(error) => error,
    };
    match place.look(&mut lease, path).await? {
        Some(found) if found.what == What::Directory || found.what == What::Dot => Ok(None),
        Some(_) => Err(in_the_way(&lease, path)),
        None => Ok(Some(refused)),
    }
}

/// An object has the name of a directory.
pub(super) fn in_the_way(lease: &Lease, path: &str) -> Error {
    Error::new(ErrorKind::Exists, lease.operation).because(format!("'{path}' is no directory"))
}
