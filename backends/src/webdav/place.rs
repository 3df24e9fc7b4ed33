//! What every call of one store shares.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU8},
    time::{Duration, Instant},
};

use http::Method;
use tokio::sync::{OnceCell, RwLock};

use super::{
    abilities::Abilities,
    around::Around,
    belief::{Belief, Clock},
    delete::Looked,
    list::Nothing,
    requests::Foretold,
    vendor::Vendor,
};
use crate::{
    capability::{Capabilities, KeyRules},
    directories::Directories,
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    unfinished::{Removes, Stale, is_unfinished, new_name},
    web::{
        address::Address,
        client::{Answer, Call},
        patience::persistently,
        site::{Site, succeeded},
    },
};

/// Moving, copying and putting parts together may take the server this long without a word.
pub(super) const LONG_WORK: Duration = Duration::from_secs(30 * 60);

/// So many [vast](Learned::vast) collections are remembered; what is forgotten costs a request.
const VAST: usize = 10_000;

pub(super) type Shared = Arc<Place>;

/// A root on a server, and what is known of both.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub site: Site,
    pub address: Address,
    pub vendor: &'static Vendor,
    pub abilities: Abilities,
    /// What uploads show of `abilities`.
    pub belief: Belief,
    pub capabilities: Capabilities,
    /// The collection that was named when this was opened: empty, or ending in `/`.
    pub folder: String,
    /// Who may copy from whom without us.
    pub domain: String,
    /// The signed-in user, who has a folder of uploads in parts.
    pub user: Option<String>,
    pub collections: Directories,
    pub learned: Learned,
    pub foretold: Foretold,
}

/// What calls have shown since.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// See [`list`](super::list).
    pub infinity: AtomicU8,
    /// The server's time.
    pub clock: Clock,
    /// What opening the place has shown, and when, for the first listing; until something is written.
    pub nothing: Mutex<Option<(Nothing, Instant)>>,
    /// Whether a MOVE leaves an object's time and tag as they are; found by the first.
    pub moves: OnceCell<bool>,
    /// The collection in which the last call that deleted has ended.
    pub looked: Mutex<Option<Looked>>,
    /// What lay beside what was replaced.
    pub around: Around,
    /// Collections with many more members than were deleted or replaced of them.
    vast: Mutex<HashSet<String>>,
    /// What killed runs left, as a listing showed it.
    pub stale: Stale,
    /// Held by whoever names an object; alone by him whose object may land under the name of another (see
    /// [`settle`](super::settle::settle)).
    pub naming: RwLock<()>,
}

impl Place {
    /// Puts the store's and the key's names into an error.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// Refuses keys this store cannot hold, and names that are our own.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn accepts(&self, operation: Operation, key: &Key) -> Result<()> {
        if let Some(why) = self.rules().refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        if is_unfinished(key) {
            return Err(Error::unsupported(operation, "the name is one of unfinished uploads"));
        }
        Ok(())
    }

    /// Whether nothing can lie under that key.
    pub fn cannot_be(&self, key: &Key) -> bool {
        self.accepts(Operation::Stat, key).is_err()
    }

    /// Whether checksums are worth sending along.
    pub fn takes_checksums(&self) -> bool {
        self.abilities.checksums || self.belief.is_hope
    }

    /// Whether the times the server tells are the contents' own.
    pub fn tells_times(&self) -> bool {
        self.capabilities.modified.is_some() && self.belief.tells_times()
    }

    /// Whether a MOVE is taken to leave time and tag as they are, and nobody looks: in the first run to a server, where what is
    /// noted under a tag that it changed is noted in vain, and no more.
    pub fn assumes_moves(&self) -> bool {
        self.belief.is_hope
    }

    /// Whether it is known what a MOVE does to an object.
    pub fn knows_moves(&self) -> bool {
        self.learned.moves.initialized()
    }

    /// Whether the collection `path` has so many members that those of interest are looked at by themselves.
    pub fn is_vast(&self, path: &str) -> bool {
        self.learned.vast.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    pub fn saw_vast(&self, path: &str) {
        let mut vast = self.learned.vast.lock().unwrap_or_else(PoisonError::into_inner);
        if vast.len() >= VAST {
            vast.clear();
        }
        vast.insert(path.to_owned());
    }

    /// Removes what killed runs left: called by what writes here anyway.
    pub async fn sweep(&self) {
        for path in self.learned.stale.take() {
            let _best_effort = self.send(self.call(Operation::Delete, "DELETE", &path)).await;
        }
    }

    fn rules(&self) -> KeyRules {
        self.capabilities.keys
    }

    /// A call to `path`.
    pub fn call(&self, operation: Operation, method: &str, path: &str) -> Call {
        let method = Method::from_bytes(method.as_bytes()).expect("the methods are written below");
        Call::new(operation, method, self.address.of(path))
    }

    /// A call that moves or copies to `path`.
    pub fn call_to(&self, operation: Operation, method: &str, from: &str, path: &str, overwrite: bool) -> Call {
        let mut call = self.call(operation, method, from);
        call.header("destination", self.address.of(path).as_str());
        call.header("overwrite", if overwrite { "T" } else { "F" });
        call.patience = LONG_WORK;
        call
    }

    /// Sends a call without a body and takes an answer of success.
    ///
    /// # Errors
    /// By status, and what stopped the call.
    pub async fn send(&self, call: Call) -> Result<Answer> {
        let operation = call.operation;
        succeeded(operation, self.site.send(call, None).await?).await
    }
}

impl Removes for Place {
    fn name(target: &str) -> String {
        new_name(target)
    }

    async fn discard(&self, path: &str) {
        let _best_effort = persistently(|| self.send(self.call(Operation::Delete, "DELETE", path))).await;
    }
}

/// What is not there.
pub(super) fn not_found(operation: Operation) -> Error {
    Error::new(ErrorKind::NotFound, operation)
}
