//! Digests of what is sent, computed while it streams by.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use futures::{StreamExt, TryStreamExt};

use crate::{
    body::Chunks,
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests},
    error::{Operation, Result},
};

/// What went out.
#[derive(Debug)]
pub(crate) struct Sent {
    pub len: u64,
    pub digests: Digests,
}

/// Hashes what streams by.
#[derive(Clone)]
pub(crate) struct Hashing {
    state: Arc<Mutex<Option<Hasher>>>,
    done: Arc<Mutex<Digests>>,
    len: Arc<AtomicU64>,
}

impl Hashing {
    /// For what is `known` already, SHA-256, and `more`.
    pub fn new(known: &Digests, more: &[Algorithm]) -> Self {
        let mut algorithms: Vec<_> = known.iter().map(Digest::algorithm).collect();
        algorithms.push(Algorithm::Sha256);
        algorithms.extend(more);
        Self { state: Arc::new(Mutex::new(Some(Hasher::new(&algorithms)))), done: Arc::default(), len: Arc::default() }
    }

    /// The same chunks, the last of them held back until what is `known` is proven.
    pub fn over(&self, chunks: Chunks, len: Option<u64>, known: Digests) -> Chunks {
        let hashing = self.clone();
        chunks
            .and_then(move |chunk| {
                let passed = hashing.update(&chunk);
                let judged = if len == Some(passed) { hashing.check(&known) } else { Ok(()) };
                async move { judged.map(|()| chunk) }
            })
            .boxed()
    }

    fn update(&self, bytes: &[u8]) -> u64 {
        if let Some(hasher) = self.state.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            hasher.update(bytes);
        }
        self.len.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64
    }

    /// All has passed: it is to be what was known of it.
    ///
    /// # Errors
    /// `Integrity`.
    pub fn check(&self, known: &Digests) -> Result<()> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hasher) = self.state.lock().unwrap_or_else(PoisonError::into_inner).take() {
            *done = hasher.finish();
        }
        held(Operation::Put, known, &done)
    }

    /// What has passed, once [`Hashing::check`] was asked.
    pub fn sent(&self) -> Sent {
        let digests = self.done.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Sent { len: self.len.load(Ordering::Relaxed), digests }
    }
}
