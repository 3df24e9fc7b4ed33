//! Collections, each made once a run, however many objects lie in it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use tokio::sync::Mutex as Turn;

use super::{list::no_longer_nothing, place::Place, properties::look_if_there};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    web::{address::parent, body::collect, client::refusal, patience::persistently},
};

/// So many are remembered; what is forgotten costs a request.
const REMEMBERED: usize = 100_000;

/// The collections that are known to be there. Whoever makes one holds its turn, so that nobody makes it twice.
#[derive(Debug, Default)]
pub(super) struct Collections(Mutex<HashMap<String, Arc<Turn<bool>>>>);

impl Collections {
    fn turn(&self, path: &str) -> Arc<Turn<bool>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        Arc::clone(known.entry(path.to_owned()).or_default())
    }

    /// `path` (ending in `/`) was seen.
    pub fn saw(&self, path: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < REMEMBERED && !known.contains_key(path) {
            known.insert(path.to_owned(), Arc::new(Turn::new(true)));
        }
    }

    /// Whether `path` (ending in `/`) is known to be there.
    pub fn knows(&self, path: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(path).is_some_and(|turn| turn.try_lock().is_ok_and(|there| *there))
    }

    /// `path` (ending in `/`) and all above it were seen.
    pub fn saw_down_to(&self, path: &str) {
        let mut path = path;
        while !path.is_empty() {
            self.saw(path);
            path = parent(path);
        }
    }

    /// `path` and what is below it may be gone.
    pub fn forget(&self, path: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|known, _| !known.starts_with(path));
    }
}

/// Makes sure that the collection `path` (empty, or ending in `/`) is there, with all above it.
///
/// # Errors
/// `Exists` where an object is in the way; `NoSuchContainer` where the root cannot be made; by status.
pub(super) fn ensure<'a>(place: &'a Place, operation: Operation, path: &'a str) -> BoxFuture<'a, Result<()>> {
    async move {
        no_longer_nothing(place);
        if path.is_empty() && place.learned.root_seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let turn = place.collections.turn(path);
        let mut there = turn.lock().await;
        if *there {
            return Ok(());
        }
        // Below what is known to be there, from the top down: so each is asked for once.
        if !path.is_empty() && place.is_below_known(parent(path)) {
            ensure(place, operation, parent(path)).await?;
        }
        if persistently(|| make(place, operation, path)).await? == StatusCode::CONFLICT {
            if path.is_empty() {
                return Err(Error::new(ErrorKind::NoSuchContainer, operation));
            }
            if parent(path).is_empty() {
                place.learned.root_seen.store(false, Ordering::Relaxed);
            }
            ensure(place, operation, parent(path)).await?;
            if persistently(|| make(place, operation, path)).await? == StatusCode::CONFLICT {
                return Err(Error::new(ErrorKind::Exists, operation).because(format!("'{path}' cannot be made")));
            }
        }
        *there = true;
        Ok(())
    }
    .boxed()
}

/// MKCOL. `CONFLICT`: what is above is missing.
async fn make(place: &Place, operation: Operation, path: &str) -> Result<StatusCode> {
    let answer = place.site.send(place.call(operation, "MKCOL", path), None).await?;
    match answer.status() {
        status if status.is_success() || status == StatusCode::CONFLICT => {
            drop(collect(answer.into_body(), 64 * 1024).await);
            Ok(status)
        }
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
            Err(refusal(operation, answer).await)
        }
        // 405 says that something is there already (RFC 4918, 9.3.1); servers say so in other words, too.
        status => {
            let refused = refusal(operation, answer).await;
            match look_if_there(place, operation, path.trim_end_matches('/')).await {
                Ok(Some(found)) if found.collection => Ok(StatusCode::OK),
                Ok(Some(_)) => Err(Error::new(ErrorKind::Exists, operation)
                    .because(format!("'{}' is an object", path.trim_end_matches('/')))),
                Ok(None) if status == StatusCode::NOT_FOUND => Ok(StatusCode::CONFLICT),
                _ => Err(refused),
            }
        }
    }
}
