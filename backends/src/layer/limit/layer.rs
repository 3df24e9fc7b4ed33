//! The layer itself.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::bucket::{Bandwidth, Way};
use crate::{
    body::{Body, Chunks},
    entry::Key,
    error::{Operation, Result},
    layer::Layer,
    store::{ReadRequest, Reader, Store},
};

/// Slows bodies down to a [`Bandwidth`]. Copies inside the store carry no byte through us and are not slowed.
///
/// A body up to one second's worth that lies in memory or in a file is waited for and then sent as it is; a
/// larger one becomes a stream, which can no longer be replayed: [`Retry`](crate::layer::Retry) belongs outside.
#[derive(Debug)]
pub struct Limit {
    inner: Arc<dyn Store>,
    bandwidth: Arc<Bandwidth>,
}

impl Limit {
    /// Limits `inner`, together with whoever else has this `bandwidth`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, bandwidth: Arc<Bandwidth>) -> Self {
        Self { inner, bandwidth }
    }
}

impl Layer for Limit {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn send<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: &'a Key,
        body: Body,
        mut make: impl FnMut(Body) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        if !self.bandwidth.ever_limits(Way::Up) {
            return make(body).await;
        }
        let whole = body.as_bytes().is_some() || body.as_file().is_some();
        let little = body.len().filter(|len| whole && self.bandwidth.now(Way::Up).is_none_or(|rate| *len <= rate));
        match little {
            Some(len) => {
                self.bandwidth.pass(Way::Up, len).await;
                make(body).await
            }
            None => make(slowed(body, &self.bandwidth, Way::Up)).await,
        }
    }

    fn incoming(&self, _key: &Key, _request: &ReadRequest, reader: Reader) -> Reader {
        if !self.bandwidth.ever_limits(Way::Down) {
            return reader;
        }
        Reader { body: slowed(reader.body, &self.bandwidth, Way::Down), ..reader }
    }
}

fn slowed(body: Body, bandwidth: &Arc<Bandwidth>, way: Way) -> Body {
    let len = body.len();
    let state = Slowed { chunks: body.chunks(), rest: Bytes::new(), bandwidth: Arc::clone(bandwidth), way };
    Body::stream(len, stream::try_unfold(state, Slowed::next).boxed())
}

struct Slowed {
    chunks: Chunks,
    /// What of the last chunk has not passed yet.
    rest: Bytes,
    bandwidth: Arc<Bandwidth>,
    way: Way,
}

impl Slowed {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        if self.rest.is_empty() {
            let Some(chunk) = self.chunks.try_next().await? else { return Ok(None) };
            self.rest = chunk;
        }
        // An eighth of a second's worth at a time, so that many transfers share fairly and a new rate soon holds.
        let slice = self
            .bandwidth
            .now(self.way)
            .map_or(usize::MAX, |rate| usize::try_from(rate / 8).unwrap_or(usize::MAX).max(1024));
        let next = self.rest.split_to(self.rest.len().min(slice));
        self.bandwidth.pass(self.way, next.len() as u64).await;
        Ok(Some((next, self)))
    }
}
