//! The layer itself.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    listing,
    policy::{Observer, Policy, Retried, RetrySettings},
    resume,
};
use crate::{
    body::Body,
    entry::Key,
    error::{Operation, Result},
    layer::{Layer, prefix::missing_result},
    store::{Deleted, ListRequest, Pages, ReadRequest, Reader, Store},
};

/// Makes a call again whose error [may pass](crate::Error::is_retryable), after an exponential, jittered wait or
/// the one the store asked for.
///
/// * A call with a body is made again only if the body can be [replayed](Body::replay).
/// * A body that breaks while it is read goes on from where it stopped, if the object is still the same (its
///   `ETag`, else size and times). The digest check of the store inside ends with the break: whoever needs it
///   checks the whole. A body that fails that check is never resumed.
/// * A listing that breaks starts anew while nothing was handed on; later it is listed again and what was seen
///   is skipped, but only where it comes, checked key by key, in byte order. Else the error ends it.
/// * Of a batch of deletions those that failed are tried again.
///
/// A store that has answered nothing for so long that it [is given up](RetrySettings::silence) is asked no more.
///
/// A call whose answer was lost is made again although it was done. That is harmless for all but three: a
/// `begin` may leave an empty upload behind, `complete` is the family's own business, and a conditional put may
/// be told that its own first attempt is in the way.
#[derive(Debug)]
pub struct Retry {
    inner: Arc<dyn Store>,
    settings: RetrySettings,
    policy: Arc<Policy>,
}

impl Retry {
    /// Retries around `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, settings: RetrySettings) -> Self {
        Self { inner, settings, policy: Arc::new(Policy::new(settings, None)) }
    }

    /// The same, `observer` being told before each wait.
    #[must_use]
    pub fn observed(self, observer: impl Fn(&Retried<'_>) + Send + Sync + 'static) -> Self {
        let observer: Observer = Arc::new(observer);
        Self { policy: Arc::new(Policy::new(self.settings, Some(observer))), ..self }
    }
}

impl Layer for Retry {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        self.policy.enter(self.inner.name(), operation, key)?;
        let mut attempt = 1;
        loop {
            match make().await {
                Err(error) => self.policy.pause(error, operation, key, attempt).await?,
                done => {
                    self.policy.answered();
                    return done;
                }
            }
            attempt += 1;
        }
    }

    async fn send<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: &'a Key,
        mut body: Body,
        mut make: impl FnMut(Body) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        self.policy.enter(self.inner.name(), operation, Some(key))?;
        let mut attempt = 1;
        loop {
            let again = body.replay();
            match (make(body).await, again) {
                (Err(error), Some(again)) => {
                    self.policy.pause(error, operation, Some(key), attempt).await?;
                    body = again;
                }
                (Err(error), None) => return Err(self.policy.failed(error)),
                (done, _) => {
                    self.policy.answered();
                    return done;
                }
            }
            attempt += 1;
        }
    }

    fn incoming(&self, key: &Key, request: &ReadRequest, reader: Reader) -> Reader {
        resume::resuming(Arc::clone(&self.inner), Arc::clone(&self.policy), key, request, reader)
    }

    fn pages(&self, request: ListRequest) -> Pages {
        listing::resuming(Arc::clone(&self.inner), Arc::clone(&self.policy), request)
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        if self.policy.enter(self.inner.name(), Operation::Delete, None).is_err() {
            let refused = |target: &Deleted| self.policy.enter(self.inner.name(), Operation::Delete, Some(&target.key));
            return targets.iter().map(refused).collect();
        }
        let mut results: Vec<Option<Result<()>>> = targets.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..targets.len()).collect();
        let mut attempt = 1;
        while !open.is_empty() {
            let batch: Vec<Deleted> = open.iter().map(|at| targets[*at].clone()).collect();
            let mut failed = Vec::new();
            let mut worst = None;
            for (at, result) in open.into_iter().zip(self.inner.delete(&batch).await) {
                if let Err(error) = &result
                    && error.is_retryable()
                {
                    failed.push(at);
                    worst = worst.max(error.retry_after());
                }
                results[at] = Some(result);
            }
            open = failed;
            // One wait for all of them, by the error of the first.
            let Some(first) = open.first().copied() else {
                self.policy.answered();
                break;
            };
            let Some(Err(error)) = results[first].take() else { break };
            let error = error.after(worst);
            let pause = self.policy.pause(error, Operation::Delete, Some(&targets[first].key), attempt);
            if let Err(error) = pause.await {
                results[first] = Some(Err(error));
                break;
            }
            attempt += 1;
        }
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(missing_result()))).collect()
    }
}
