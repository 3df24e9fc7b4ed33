//! How long we wait: for a connection, and while nothing moves. A request as a whole may take as long as it takes.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::body::{BoxError, Outgoing};
use crate::error::ErrorKind;
#[cfg(feature = "web")]
use crate::{error::Error, layer::PATIENCE};

/// How long a connection may take to come about.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may move in either direction.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Unused connections are closed before the usual server does it: a request sent into a closing one is lost.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Nothing moved for so long.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nothing moved for {} seconds", .0.as_secs())]
pub(crate) struct Idle(Duration);

/// How often such a call is made again.
#[cfg(feature = "web")]
const TRIES: u32 = 5;

/// Makes a call again where that may help. For the calls that nobody outside can repeat by themselves: one of the many
/// that a walk makes (a listing in no order cannot be taken up where it broke), and what follows an upload. All others
/// are repeated by the layer outside only.
///
/// # Errors
/// Its last one.
#[cfg(feature = "web")]
pub(crate) async fn persistently<T, F: Future<Output = Result<T, Error>>>(
    mut call: impl FnMut() -> F,
) -> Result<T, Error> {
    let mut failures = 0;
    loop {
        match call().await {
            Err(error)
                if error.is_retryable()
                    && failures < TRIES
                    && error.retry_after().is_none_or(|wait| wait <= PATIENCE) =>
            {
                failures += 1;
                let wait = error.retry_after().unwrap_or(Duration::from_millis(100) * 2_u32.pow(failures));
                tokio::time::sleep(wait.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            }
            answer => return answer,
        }
    }
}

/// A connection that took too long is an `io::Error` somewhere among the causes.
pub(crate) fn timeout_or_unavailable(error: &(dyn std::error::Error + 'static)) -> ErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return ErrorKind::Timeout;
        }
        cause = error.source();
    }
    ErrorKind::Unavailable
}

/// What stands between us and a server whatever is tried again, in words that go behind its name: a certificate that is not
/// trusted, or an answer that is no TLS.
pub(crate) fn objection(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // What an `io::Error` wraps is none of its sources.
        let mut inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        while let Some(error) = inner {
            match error.downcast_ref() {
                Some(rustls::Error::InvalidCertificate(_)) => {
                    return Some(" is not trusted ('ca_file' names a certificate to trust)");
                }
                Some(rustls::Error::InvalidMessage(_)) => return Some(" does not speak TLS (is it http:// there?)"),
                _ => inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref),
            }
        }
        cause = error.source();
    }
    None
}

/// When something last moved.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    start: Instant,
    /// Milliseconds after `start`.
    last: Arc<AtomicU64>,
}

impl Activity {
    pub fn new() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn mark(&self) {
        self.last.store(self.millis(), Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        Duration::from_millis(self.millis().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    /// Waits for `answer` while something moves.
    ///
    /// # Errors
    /// [`Idle`], once nothing has moved for `limit`.
    pub async fn unless_idle<T>(&self, limit: Duration, answer: impl Future<Output = T>) -> Result<T, Idle> {
        let mut answer = pin!(answer);
        let mut patience = pin!(tokio::time::sleep(limit));
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                () = &mut patience => match limit.checked_sub(self.age()) {
                    None | Some(Duration::ZERO) => return Err(Idle(limit)),
                    Some(left) => patience.as_mut().reset(tokio::time::Instant::now() + left),
                },
            }
        }
    }
}

/// A body that marks every chunk it hands on.
pub(crate) struct Timed {
    pub body: Outgoing,
    pub activity: Activity,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.activity.mark();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
