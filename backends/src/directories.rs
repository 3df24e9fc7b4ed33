//! Directories on servers that are trees of files: each is made once a run, however many objects lie in it, and goes when a
//! delete leaves it empty.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::OnceCell;

use crate::{
    capability::KeyRules,
    error::{Error, ErrorKind, Operation, Result},
};

/// So many are remembered; what is forgotten costs a call.
const REMEMBERED: usize = 100_000;

/// Set once the directory is there. Who makes it makes the others wait.
type Turn = Arc<OnceCell<()>>;

/// The directories that are known to be there, by their paths as the family has them, with or without `/` at their end.
#[derive(Debug, Default)]
pub(crate) struct Directories(Mutex<HashMap<String, Turn>>);

impl Directories {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, path: &str) -> Turn {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        Arc::clone(known.entry(path.to_owned()).or_default())
    }

    /// `path` was seen.
    pub fn saw(&self, path: &str) {
        let (path, mut known) = (path.trim_end_matches('/'), self.known());
        match known.get(path) {
            // Who is making it will find that out.
            Some(_) => {}
            None if known.len() >= REMEMBERED => {}
            None => drop(known.insert(path.to_owned(), Arc::new(OnceCell::new_with(Some(()))))),
        }
    }

    /// `path` and all above it were seen.
    pub fn saw_down_to(&self, path: &str) {
        upwards(path).for_each(|path| self.saw(path));
    }

    /// Whether `path` is known to be there.
    pub fn knows(&self, path: &str) -> bool {
        self.known().get(path.trim_end_matches('/')).is_some_and(|turn| turn.initialized())
    }

    /// Whether `path`, or something above it, is known to be there.
    fn knows_down_to(&self, path: &str) -> bool {
        upwards(path).any(|path| self.knows(path))
    }

    /// `path` and what is below it may be gone.
    pub fn forget(&self, path: &str) {
        let path = path.trim_end_matches('/');
        let is_below =
            |known: &str| known.strip_prefix(path).is_some_and(|rest| path.is_empty() || rest.starts_with('/'));
        self.known().retain(|known, _| known != path && !is_below(known));
    }

    /// `path` was taken to be there and is not; unless somebody has made it since, as then it has another turn.
    fn doubt(&self, path: &str, turn: &Turn) {
        let mut known = self.known();
        if known.get(path).is_some_and(|now| Arc::ptr_eq(now, turn)) {
            known.remove(path);
        }
    }
}

/// A server that directories are made on, named by paths without `/` at their end; what has no name is the top of all.
pub(crate) trait Makes: Send + Sync {
    /// Those that are known to be there.
    fn directories(&self) -> &Directories;

    /// The store's own, which a delete leaves, with all above it.
    fn root(&self) -> &str;

    /// Makes one. `None`: it is there now, or was; else why it is not, which may be that nothing is above it.
    ///
    /// # Errors
    /// `Exists` where an object is in the way; what stopped the call.
    fn attempt(&self, operation: Operation, path: &str) -> impl Future<Output = Result<Option<Error>>> + Send;

    /// Forgets one that is empty, and removes it.
    ///
    /// # Errors
    /// Where something is inside; as the server refuses.
    fn remove_empty(&self, path: &str) -> impl Future<Output = Result<()>> + Send;
}

/// An object has the name of a directory.
pub(crate) fn in_the_way(operation: Operation, path: &str) -> Error {
    Error::new(ErrorKind::Exists, operation).because(format!("'{path}' is no directory"))
}

/// What a path lies in; empty for the top.
pub(crate) fn above(path: &str) -> &str {
    &path[..path.rfind('/').unwrap_or(0)]
}

/// `path` and what it lies in, up to the top.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_end_matches('/');
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| above(path)))
}

/// The name of a directory below the root, without `/` at its end; empty for the root.
///
/// # Errors
/// `Unsupported` for a name that `keys` refuse.
pub(crate) fn named<'a>(keys: &KeyRules, operation: Operation, path: &'a str) -> Result<&'a str> {
    let path = path.trim_end_matches('/');
    match keys.refuse(path) {
        Some(why) if !path.is_empty() => Err(Error::unsupported(operation, why)),
        _ => Ok(path),
    }
}

/// Makes a directory inside the root, or the root.
///
/// # Errors
/// As [`ensure`].
pub(crate) async fn make(place: &impl Makes, path: &str) -> Result<()> {
    // Who asks for it wants to be sure.
    place.directories().forget(path);
    ensure(place, Operation::MakeDirectory, path).await
}

/// Makes sure that the directory at `path` is there, with all above it.
///
/// # Errors
/// `Exists` where an object is in the way; as the server refuses.
pub(crate) fn ensure<'a>(place: &'a impl Makes, operation: Operation, path: &'a str) -> BoxFuture<'a, Result<()>> {
    async move {
        let path = path.trim_end_matches('/');
        let turn = place.directories().turn(path);
        turn.get_or_try_init(|| made(place, operation, path)).await.map(drop)
    }
    .boxed()
}

async fn made(place: &impl Makes, operation: Operation, path: &str) -> Result<()> {
    if path.is_empty() {
        return place.attempt(operation, path).await?.map_or(Ok(()), Err);
    }
    let (known, above) = (place.directories(), above(path));
    // Below what is known to be there, from the top down: so each is asked for once.
    if known.knows_down_to(above) {
        ensure(place, operation, above).await?;
    }
    let turn = known.turn(above);
    let was_known = turn.initialized();
    if place.attempt(operation, path).await?.is_none() {
        return Ok(());
    }
    if was_known {
        known.doubt(above, &turn);
    }
    ensure(place, operation, above).await?;
    place.attempt(operation, path).await?.map_or(Ok(()), Err)
}

/// Removes what is empty of `paths` and, then, of what is above; never the root. What cannot be removed stays.
pub(crate) async fn prune(place: &impl Makes, mut paths: BTreeSet<String>) {
    // A path sorts before everything below it, so the last is a deepest one.
    while let Some(path) = paths.pop_last() {
        if path.len() > place.root().len() && place.remove_empty(&path).await.is_ok() {
            paths.insert(above(&path).to_owned());
        }
    }
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
            self.known.forget(path);
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

    /// Somebody removes them all: what was taken for there is found out not to be, however far up.
    #[tokio::test]
    async fn what_is_gone_above_is_made_again() {
        let server = Server::default();
        ensure(&server, Operation::Put, "/r/a/b/").await.unwrap();
        server.there.lock().unwrap().clear();
        server.known.forget("/r/a/b");
        ensure(&server, Operation::Put, "/r/a/b").await.unwrap();
        assert_eq!(server.there.lock().unwrap().iter().collect::<Vec<_>>(), ["/r", "/r/a", "/r/a/b"]);
    }

    #[tokio::test]
    async fn below_what_is_known_each_is_asked_for_once() {
        let server = Server::default();
        server.there.lock().unwrap().insert("/r".to_owned());
        server.known.saw_down_to("/r/");
        ensure(&server, Operation::Put, "/r/a/b/c").await.unwrap();
        assert_eq!(*server.asked.lock().unwrap(), ["/r/a", "/r/a/b", "/r/a/b/c"]);
    }

    #[test]
    fn what_is_forgotten_is_a_directory_and_what_is_in_it() {
        let known = Directories::default();
        for path in ["a/b/c/", "a/bc/"] {
            known.saw_down_to(path);
        }
        known.forget("a/b/");
        assert_eq!(["", "a", "a/b", "a/b/c", "a/bc"].map(|path| known.knows(path)), [true, true, false, false, true]);
        known.forget("");
        assert!(!known.knows("a/bc") && !known.knows(""));
    }
}
