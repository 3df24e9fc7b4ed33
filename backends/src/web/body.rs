//! Bodies in both directions.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

use super::patience::IDLE_TIMEOUT;
use crate::{
    body::{Body, Chunks},
    error::{Error, ErrorKind, Operation, Result},
};

/// Chunks of a large answer are handed on in pieces of at least this many bytes.
const CHUNK: usize = 128 * 1024;

/// What a body of the HTTP stack may fail with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What we send.
pub(crate) enum Outgoing {
    /// All of it, at once. Empty: none.
    Bytes(Bytes),
    /// Chunk by chunk.
    Stream {
        chunks: Chunks,
        /// Exactly so many bytes are to come, which its maker guarantees; `None`: nobody knows.
        left: Option<u64>,
        /// Where our own error is kept: hyper would wrap it beyond recognition.
        failure: Failure,
    },
    /// What another library made.
    Foreign(UnsyncBoxBody<Bytes, BoxError>),
}

/// The error that stopped a body, if one did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    /// Takes the error out.
    pub fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Outgoing {
    /// No body.
    pub fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// A body, and where its failure will stand.
    pub fn new(body: Body) -> (Self, Failure) {
        if let Some(bytes) = body.as_bytes() {
            body.taps().iter().for_each(|tap| tap.pass(bytes.len() as u64));
            return (Self::Bytes(bytes.clone()), Failure::default());
        }
        Self::stream(body.len(), body.chunks())
    }

    /// The same with its first chunk at hand. A body that fails at once then fails before a request is made: SeaweedFS
    /// (4.48) stores an empty object where a connection ends after the header.
    ///
    /// # Errors
    /// What the body reports.
    pub async fn primed(self) -> Result<Self> {
        let Self::Stream { mut chunks, left, failure } = self else { return Ok(self) };
        if left == Some(0) {
            return Ok(Self::Stream { chunks, left, failure });
        }
        let first = chunks.try_next().await?;
        let chunks = stream::iter(first.map(Ok)).chain(chunks).boxed();
        Ok(Self::Stream { chunks, left, failure })
    }

    /// A stream of exactly `len` bytes, where that is known.
    pub fn stream(len: Option<u64>, chunks: Chunks) -> (Self, Failure) {
        let failure = Failure::default();
        (Self::Stream { chunks, left: len, failure: failure.clone() }, failure)
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream { chunks, left, failure } => match chunks.as_mut().poll_next(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Ready(Some(Ok(chunk))) => {
                    *left = left.map(|left| left.saturating_sub(chunk.len() as u64));
                    Poll::Ready(Some(Ok(Frame::data(chunk))))
                }
                Poll::Ready(Some(Err(error))) => {
                    failure.set(error);
                    Poll::Ready(Some(Err("the body failed".into())))
                }
            },
            Self::Foreign(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            // A stream is read to its end, so that one that is too long is noticed.
            Self::Stream { .. } => false,
            Self::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { left, .. } => left.map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Foreign(body) => body.size_hint(),
        }
    }
}

/// The body of an answer, as hyper or reqwest hand it on.
pub(crate) trait Answer: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin {}
impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin> Answer for B {}

/// The next frame of data, waited for no longer than [`IDLE_TIMEOUT`].
async fn next_frame<B: Answer>(body: &mut B) -> Result<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(IDLE_TIMEOUT, body.frame()).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, Operation::Read)
                .because(format!("nothing arrived for {} seconds", IDLE_TIMEOUT.as_secs()))
        })?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => {
                return Err(Error::new(ErrorKind::Unavailable, Operation::Read).because(error.into()));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A small answer as a whole.
///
/// # Errors
/// `Unavailable`, `Timeout`; `Integrity` beyond `limit` bytes.
pub(crate) async fn collect(mut body: impl Answer, limit: usize) -> Result<Bytes> {
    let Some(first) = next_frame(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return Ok(first);
    }
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(limit).min(limit);
    let mut all = BytesMut::with_capacity(first.len() + expected);
    all.extend_from_slice(&first);
    while let Some(frame) = next_frame(&mut body).await? {
        if all.len() + frame.len() > limit {
            return Err(Error::new(ErrorKind::Integrity, Operation::Read)
                .because(format!("the answer is larger than {limit} bytes")));
        }
        all.extend_from_slice(&frame);
    }
    Ok(all.freeze())
}

/// A large answer: frames as they come where they are large, else gathered to pieces of 256 KiB or more.
pub(crate) fn coalesced(body: impl Answer) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(Some(body), |body| async move {
        let Some(mut body) = body else { return Ok(None) };
        let Some(first) = next_frame(&mut body).await? else { return Ok(None) };
        if first.len() >= CHUNK || body.is_end_stream() {
            return Ok(Some((first, Some(body))));
        }
        let rest = usize::try_from(body.size_hint().lower()).unwrap_or(CHUNK).min(2 * CHUNK);
        let mut piece = BytesMut::with_capacity(first.len() + rest);
        piece.extend_from_slice(&first);
        while piece.len() < CHUNK {
            match next_frame(&mut body).await? {
                Some(frame) => piece.extend_from_slice(&frame),
                None => return Ok(Some((piece.freeze(), None))),
            }
        }
        Ok(Some((piece.freeze(), Some(body))))
    })
}
