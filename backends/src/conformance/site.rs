//! Where a check works: a store below a prefix of its own, and the comforts the checks share.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    checks::{Verdict, ensure},
    suite::Options,
};
use crate::{
    body::Body,
    capability::Capabilities,
    digest,
    entry::{Algorithm, Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, ListRequest, PutRequest, ReadRequest, Store, StoreExt},
};

/// A clean place for one check.
pub(super) struct Site {
    pub(super) store: Arc<dyn Store>,
    pub(super) options: Options,
}

impl Site {
    pub(super) fn can(&self) -> &Capabilities {
        self.store.capabilities()
    }

    /// Puts small content.
    pub(super) async fn put(&self, key: &str, content: impl Into<Bytes>) -> Result<Entry> {
        let content = content.into();
        let request = PutRequest { size: Some(content.len() as u64), ..PutRequest::default() };
        self.store.put(&name(key), request, content.into()).await
    }

    /// A put that says that it replaces something, be it true or not.
    pub(super) async fn put_over(&self, key: &str, content: impl Into<Bytes>) -> Result<Entry> {
        let content = content.into();
        let request = PutRequest { size: Some(content.len() as u64), replaces: true, ..PutRequest::default() };
        self.store.put(&name(key), request, content.into()).await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes> {
        self.store.get(&name(key)).await
    }

    pub(super) async fn stat(&self, key: &str) -> Result<Entry> {
        self.store.stat(&name(key), None).await
    }

    pub(super) async fn read(&self, key: &str, request: ReadRequest) -> Result<Bytes> {
        self.store.read(&name(key), request).await?.body.collect().await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let results = self.store.delete(&[Deleted::from(name(key))]).await;
        results.into_iter().next().unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Integrity, Operation::Delete).because("no result came for one target"))
        })
    }

    /// The keys of everything below `prefix`, as the listing gives them.
    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let entries = self.store.list_to_vec(ListRequest::all(prefix)).await?;
        Ok(entries.into_iter().map(|entry| entry.key.as_str().to_owned()).collect())
    }

    /// # Errors
    /// `Broken` unless `key` is missing for stat, read and list alike.
    pub(super) async fn is_missing(&self, key: &str, when: &str) -> Verdict {
        match self.stat(key).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(entry) => return ensure(false, || format!("{when}, {key:?} is there, {:?} bytes", entry.size)),
        }
        let listed = self.keys(key).await?;
        ensure(!listed.iter().any(|listed| listed == key), || format!("{when}, {key:?} is still listed"))
    }

    /// # Errors
    /// `Broken` unless `key` holds exactly `content`.
    pub(super) async fn holds(&self, key: &str, content: &[u8], when: &str) -> Verdict {
        let found = self.get(key).await?;
        ensure(found == content, || {
            format!("{when}, {key:?} holds {} bytes that are not the {} expected", found.len(), content.len())
        })
    }
}

/// One second of the clock, in which a tag that is made of times in seconds stays the same, whatever is written.
#[derive(Default)]
pub(super) struct Second {
    which: i64,
    tries: u32,
}

impl Second {
    /// Of a machine that takes longer for what is to happen within one, across two.
    const TRIES: u32 = 5;

    /// Waits until one begins.
    pub(super) async fn begins(&mut self) {
        let now = Timestamp::now();
        let mut left = Duration::from_nanos(1_000_000_000 - u64::from(now.subsec_nanos()));
        while Timestamp::now().seconds() == now.seconds() {
            tokio::time::sleep(left).await;
            left = Duration::from_millis(1);
        }
        self.which = Timestamp::now().seconds();
        self.tries += 1;
    }

    /// Whether it is not over yet, or this was tried often enough.
    pub(super) fn lasts(&self) -> bool {
        Timestamp::now().seconds() == self.which || self.tries >= Self::TRIES
    }
}

/// A key that is known to be legal.
pub(super) fn name(key: &str) -> Key {
    Key::new(key).expect("the suite's keys are neither empty nor too long")
}

/// Bytes that look like nothing else: other for each `seed`.
pub(super) fn noise(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}

/// The digests of `content` in those algorithms.
pub(super) fn digests(algorithms: &[Algorithm], content: &[u8]) -> Digests {
    algorithms.iter().filter_map(|algorithm| digest::of(*algorithm, content)).collect()
}

/// `content` as a stream that announces `len` bytes and comes in pieces.
pub(super) fn streamed(len: Option<u64>, content: &Bytes) -> Body {
    let pieces: Vec<_> =
        content.chunks(1024.max(content.len() / 4)).map(|piece| Ok(content.slice_ref(piece))).collect();
    Body::stream(len, stream::iter(pieces).boxed())
}

/// `content`, of which `len` bytes were announced, and then an error.
pub(super) fn breaking(len: u64, content: &Bytes) -> Body {
    let error = Error::new(ErrorKind::Changed, Operation::Read).because("the suite breaks this body on purpose");
    let chunks = streamed(None, content).chunks().chain(stream::once(async { Err(error) }));
    Body::stream(Some(len), chunks.boxed())
}

/// `content`, and then nothing ever.
pub(super) fn stuck(len: u64, content: &Bytes) -> Body {
    Body::stream(Some(len), streamed(None, content).chunks().chain(stream::pending()).into_stream().boxed())
}
