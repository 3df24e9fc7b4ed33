//! Directories of stores that are trees on a server: each is made once a run, however many objects lie in it, and goes
//! when a delete leaves it empty.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::OnceCell;

use super::family::{Facts, Tree};
use crate::{
    capability::KeyRules,
    error::{Error, ErrorKind, Operation, Result},
    store::Deleted,
};

/// So many are remembered; what is forgotten costs a call.
const REMEMBERED: usize = 100_000;

/// The directories that are known to be there, by their paths on the server. Who makes one makes the others wait.
#[derive(Debug, Default)]
pub(crate) struct Directories(Mutex<HashMap<String, Arc<OnceCell<()>>>>);

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

/// A server that directories are made on, named by absolute paths without `/` at their end.
pub(super) trait Makes: Send + Sync {
    /// Those that are known to be there.
    fn directories(&self) -> &Directories;

    /// The store's own, which a delete leaves, with all above it.
    fn root(&self) -> &str;

    /// Makes one. `None`: it is there now, or was; else why it is not, which may be that nothing is above it.
    ///
    /// # Errors
    /// `Exists` where an object is in the way; what stopped the call.
    fn attempt(&self, operation: Operation, path: &str) -> impl Future<Output = Result<Option<Error>>> + Send;

    /// Removes one that is empty.
    ///
    /// # Errors
    /// As the server refuses, where something is inside, too.
    fn remove_empty(&self, path: &str) -> impl Future<Output = Result<()>> + Send;
}

impl<T: Tree> Makes for T {
    fn directories(&self) -> &Directories {
        &Tree::root(self).directories
    }

    fn root(&self) -> &str {
        &Tree::root(self).path
    }

    /// Servers refuse to make what is there, and what has nothing above it, in the same words.
    async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
        let refused = match self.make(operation, path).await {
            Ok(()) => return Ok(None),
            Err(error) if !T::is_refusal(&error) => return Err(error),
            Err(error) => error,
        };
        match self.look(operation, path).await? {
            Some(found) if found.what().may_be_directory() => Ok(None),
            Some(_) => Err(in_the_way(operation, path)),
            None => Ok(Some(refused)),
        }
    }

    async fn remove_empty(&self, path: &str) -> Result<()> {
        Tree::remove_empty(self, path).await
    }
}

/// An object has the name of a directory.
pub(crate) fn in_the_way(operation: Operation, path: &str) -> Error {
    Error::new(ErrorKind::Exists, operation).because(format!("'{path}' is no directory"))
}

/// What a path lies in; empty for the top.
pub(crate) fn above(path: &str) -> &str {
    &path[..path.rfind('/').unwrap_or(0)]
}

/// What lies at `key` below `root`, as the server names it; `root` itself for no key.
pub(super) fn below(root: &str, key: &str) -> String {
    let key = key.trim_end_matches('/');
    if key.is_empty() && !root.is_empty() { root.to_owned() } else { format!("{root}/{key}") }
}

/// A directory inside the root as the server names it.
///
/// # Errors
/// `Unsupported` for a name that `keys` refuse.
pub(super) fn checked(place: &impl Makes, keys: &KeyRules, operation: Operation, path: &str) -> Result<String> {
    let path = path.trim_end_matches('/');
    match keys.refuse(path) {
        Some(why) if !path.is_empty() => Err(Error::unsupported(operation, why)),
        _ => Ok(below(place.root(), path)),
    }
}

/// Makes a directory inside the root, or the root.
///
/// # Errors
/// As the contract says of `make_directory`.
pub(super) async fn make(place: &impl Makes, keys: &KeyRules, path: &str) -> Result<()> {
    let path = checked(place, keys, Operation::MakeDirectory, path)?;
    // Who asks for it wants to be sure.
    place.directories().forget(&path);
    ensure(place, Operation::MakeDirectory, &path).await
}

/// Makes sure that the directory at `path` is there, with all above it.
///
/// # Errors
/// `Exists` where an object is in the way; as the server refuses.
pub(super) fn ensure<'a>(place: &'a impl Makes, operation: Operation, path: &'a str) -> BoxFuture<'a, Result<()>> {
    async move {
        if path.is_empty() {
            return Ok(());
        }
        let turn = place.directories().turn(path);
        turn.get_or_try_init(|| made(place, operation, path)).await.map(drop)
    }
    .boxed()
}

async fn made(place: &impl Makes, operation: Operation, path: &str) -> Result<()> {
    let mut refused = match place.attempt(operation, path).await? {
        None => return Ok(()),
        Some(refused) => refused,
    };
    if !above(path).is_empty() {
        ensure(place, operation, above(path)).await?;
        refused = match place.attempt(operation, path).await? {
            None => return Ok(()),
            Some(refused) => refused,
        };
    }
    Err(refused)
}

/// Removes what is empty of `paths` and, then, of what is above; never the root. The server refuses where something is
/// inside, a file on its way included.
async fn prune(place: &impl Makes, mut paths: BTreeSet<String>) {
    // A path sorts before everything below it, so the last is a deepest one.
    while let Some(path) = paths.pop_last() {
        if path.len() <= place.root().len() {
            continue;
        }
        place.directories().forget(&path);
        if place.remove_empty(&path).await.is_ok() {
            paths.insert(above(&path).to_owned());
        }
    }
}

/// Prunes what the objects lay in of which `removed` says that they were there and are gone.
pub(super) async fn prune_after(
    place: &impl Makes,
    targets: &[Deleted],
    removed: Vec<Result<bool>>,
) -> Vec<Result<()>> {
    let gone = targets.iter().zip(&removed).filter(|(_, removed)| matches!(removed, Ok(true)));
    prune(place, gone.map(|(target, _)| above(&below(place.root(), &target.key)).to_owned()).collect()).await;
    removed.into_iter().map(|removed| removed.map(drop)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories below `/r`, and how often each was asked for.
    #[derive(Default)]
    struct Server {
        known: Directories,
        there: Mutex<BTreeSet<String>>,
        asked: Mutex<Vec<String>>,
    }

    impl Makes for Server {
        fn directories(&self) -> &Directories {
            &self.known
        }

        fn root(&self) -> &str {
            "/r"
        }

        async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
            self.asked.lock().unwrap().push(path.to_owned());
            let mut there = self.there.lock().unwrap();
            let missing = !above(path).is_empty() && !there.contains(above(path));
            if missing {
                return Ok(Some(Error::new(ErrorKind::NotFound, operation)));
            }
            there.insert(path.to_owned());
            Ok(None)
        }

        async fn remove_empty(&self, path: &str) -> Result<()> {
            let mut there = self.there.lock().unwrap();
            if there.iter().any(|other| other.starts_with(&format!("{path}/"))) {
                return Err(Error::new(ErrorKind::Exists, Operation::Delete));
            }
            there.remove(path);
            Ok(())
        }
    }

    #[tokio::test]
    async fn each_is_made_once_and_pruned_up_to_the_root() {
        let server = Server::default();
        for path in ["/r/a/b", "/r/a/b", "/r/a/c"] {
            ensure(&server, Operation::Put, path).await.unwrap();
        }
        assert_eq!(*server.asked.lock().unwrap(), ["/r/a/b", "/r/a", "/r", "/r/a", "/r/a/b", "/r/a/c"]);
        assert!(server.known.knows("/r/a/b"));
        prune(&server, BTreeSet::from(["/r/a/b".to_owned()])).await;
        assert_eq!(server.there.lock().unwrap().len(), 3, "/r/a holds /r/a/c still");
        // All that might have gone is forgotten before it is tried, /r/a/c too: that costs a call at most.
        assert!(["/r/a/b", "/r/a", "/r/a/c"].iter().all(|path| !server.known.knows(path)));
        prune(&server, BTreeSet::from(["/r/a/c".to_owned()])).await;
        assert_eq!(server.there.lock().unwrap().iter().collect::<Vec<_>>(), ["/r"]);
    }
}
