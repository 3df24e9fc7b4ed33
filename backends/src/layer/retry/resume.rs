//! A body that goes on where it broke.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::policy::Policy;
use crate::{
    body::{Body, Chunks},
    entry::{Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader, Store},
};

/// `reader` with a body that resumes. Bodies that lie in memory or in a file cannot break.
pub(super) fn resuming(
    inner: Arc<dyn Store>,
    policy: Arc<Policy>,
    key: &Key,
    request: &ReadRequest,
    reader: Reader,
) -> Reader {
    let Reader { entry, body } = reader;
    let Some(len) = body.len().filter(|_| body.as_bytes().is_none() && body.as_file().is_none()) else {
        return Reader { entry, body };
    };
    let at = request.range.as_ref().map_or(0, |range| range.start);
    let version = request.version.clone().or_else(|| entry.version.clone());
    let key = key.clone();
    let chunks = body.chunks();
    let state = Resuming { inner, policy, key, version, entry: entry.clone(), chunks, at, end: at + len, failures: 0 };
    Reader { entry, body: Body::stream(Some(len), stream::try_unfold(state, Resuming::next).boxed()) }
}

struct Resuming {
    inner: Arc<dyn Store>,
    policy: Arc<Policy>,
    key: Key,
    version: Option<Version>,
    /// What the first answer said of the object.
    entry: Entry,
    chunks: Chunks,
    /// The offset in the object of the next byte, and the end of the range.
    at: u64,
    end: u64,
    /// Failures since the last byte.
    failures: u32,
}

impl Resuming {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        loop {
            match self.chunks.try_next().await {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => {
                    self.at += chunk.len() as u64;
                    self.failures = 0;
                    return Ok(Some((chunk, self)));
                }
                // With all bytes here, an error judges them; and bytes that were judged are not read on from.
                Err(error) if self.at >= self.end || error.kind() == ErrorKind::Integrity => return Err(error),
                Err(error) => self.reopen(error).await?,
            }
        }
    }

    async fn reopen(&mut self, mut error: Error) -> Result<()> {
        loop {
            self.failures += 1;
            self.policy.pause(error, Operation::Read, Some(&self.key), self.failures).await?;
            let request = ReadRequest {
                range: Some(self.at..self.end),
                if_match: self.entry.etag.clone(),
                version: self.version.clone(),
            };
            match self.inner.read(&self.key, request).await {
                Ok(reader) if same(&self.entry, &reader.entry) && reader.body.len() == Some(self.end - self.at) => {
                    self.policy.answered();
                    self.chunks = reader.body.chunks();
                    return Ok(());
                }
                Ok(_) => {
                    let error = Error::new(ErrorKind::Changed, Operation::Read).of(self.inner.name());
                    return Err(error.at(&self.key).because("another object lies there than the one being read"));
                }
                Err(failed) => error = failed,
            }
        }
    }
}

/// Whether both tell of the same content; where nothing says so, it is not.
fn same(a: &Entry, b: &Entry) -> bool {
    let times = |entry: &Entry| (entry.modified, entry.stored);
    match (&a.etag, &b.etag) {
        (Some(a), Some(b)) => a == b,
        _ => a.size == b.size && times(a) == times(b) && times(a) != (None, None),
    }
}
