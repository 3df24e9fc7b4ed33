//! Digests of what streams from one store to another, computed beside it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::{StreamExt, stream};
use sterna_backends::{Algorithm, Body, Digests, Result};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::index::of_chunks;

/// Chunks that may wait to be hashed; then the stream waits for the hashing.
const AHEAD: usize = 4;

/// Digests that are being computed.
pub(super) struct Passing {
    hashing: JoinHandle<Result<Digests>>,
    seen: Arc<AtomicU64>,
}

impl Passing {
    /// `body`, and what computes `wanted` of it while it is read.
    pub(super) fn of(body: Body, wanted: Vec<Algorithm>) -> (Body, Self) {
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let passed = stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok).boxed();
        let hashing = tokio::spawn(async move { of_chunks(passed, &wanted).await });
        let seen = Arc::new(AtomicU64::new(0));
        let (len, counted) = (body.len(), Arc::clone(&seen));
        let chunks = body.chunks().then(move |chunk| {
            let (sender, counted) = (sender.clone(), Arc::clone(&counted));
            async move {
                if let Ok(chunk) = &chunk {
                    counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    // Hashing that was given up needs no more.
                    let _given_up = sender.send(chunk.clone()).await;
                }
                chunk
            }
        });
        (Body::stream(len, chunks.boxed()), Self { hashing, seen })
    }

    /// The digests, if all `size` bytes were seen once; else none. The body is no longer read.
    pub(super) async fn finish(self, size: u64) -> Digests {
        let digests = self.hashing.await;
        let whole = self.seen.load(Ordering::Relaxed) == size;
        digests.ok().and_then(Result::ok).filter(|_| whole).unwrap_or_default()
    }
}
