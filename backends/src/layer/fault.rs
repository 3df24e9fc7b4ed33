//! [`Fault`]: breaks things on purpose, the same way for the same seed.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::Layer;
use crate::{
    body::{Body, Chunks},
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, ListRequest, Pages, ReadRequest, Reader, Store},
};

/// What is to break.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Decides, with the call's operation, key and number for that key, what [`When::Rate`] hits: the order in
    /// which concurrent calls arrive does not matter.
    pub seed: u64,
    /// Judged in order; the first that hits counts, delays beside it.
    pub rules: Vec<Rule>,
    /// From then on every call fails with `Cancelled` and reaches nothing, as after a kill.
    pub stop_after: Option<u64>,
}

/// One thing that breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// In which calls; `None`: in all.
    pub operation: Option<Operation>,
    /// In which of them.
    pub when: When,
    /// How.
    pub what: What,
}

/// Which calls of an operation a rule hits. A page of a listing and a batch of deletions are a call each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// This share of them, 0 to 1.
    Rate(f64),
    /// The n-th of that operation, from 1, whatever its key.
    Nth(u64),
    /// The first so many of that operation, whatever their keys.
    First(u64),
}

/// How a call breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It fails and reaches nothing.
    Fail(ErrorKind),
    /// It fails as throttled, with that wait asked for.
    Throttle(Duration),
    /// It is done, and its answer is lost.
    LoseAnswer(ErrorKind),
    /// Its body, read or sent, ends midway with such an error.
    BreakBody(ErrorKind),
    /// One bit of the body that is read is another; nobody is told.
    FlipBit,
    /// It waits before it is made.
    Delay(Duration),
}

/// A store that breaks as [`Faults`] say.
#[derive(Debug)]
pub struct Fault {
    inner: Arc<dyn Store>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    faults: Faults,
    /// Calls by operation (without key) and by operation and key.
    seen: Mutex<HashMap<(Operation, Option<Key>), u64>>,
    calls: AtomicU64,
    injected: AtomicU64,
    stopped: AtomicBool,
}

/// What breaks in one call, and the dice for details.
struct Verdict {
    what: Option<What>,
    dice: fastrand::Rng,
}

impl Fault {
    /// Breaks `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, faults: Faults) -> Self {
        let shared = Shared {
            name: inner.name().to_owned(),
            faults,
            seen: Mutex::default(),
            calls: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        };
        Self { inner, shared: Arc::new(shared) }
    }

    /// Calls so far, those that failed included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(SeqCst)
    }

    /// Faults so far, delays and stopped calls not counted.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.shared.injected.load(SeqCst)
    }

    /// Whether it has stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.stopped.load(SeqCst)
    }

    /// Stops it now.
    pub fn stop(&self) {
        self.shared.stopped.store(true, SeqCst);
    }
}

impl Shared {
    /// # Errors
    /// What a rule says, or `Cancelled` after the stop.
    async fn before(&self, operation: Operation, key: Option<&Key>) -> Result<Verdict> {
        let calls = self.calls.fetch_add(1, SeqCst);
        if self.faults.stop_after.is_some_and(|limit| calls >= limit) {
            self.stopped.store(true, SeqCst);
        }
        if self.stopped.load(SeqCst) {
            return Err(self.error(ErrorKind::Cancelled, operation, key));
        }
        let (delay, verdict) = self.judge(operation, key);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match verdict.what {
            Some(What::Fail(kind)) => Err(self.error(kind, operation, key)),
            Some(What::Throttle(wait)) => Err(self.error(ErrorKind::Throttled, operation, key).after(Some(wait))),
            _ => Ok(verdict),
        }
    }

    fn judge(&self, operation: Operation, key: Option<&Key>) -> (Duration, Verdict) {
        let (nth, of_key) = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut count = |key: Option<Key>| {
                let count = seen.entry((operation, key)).or_insert(0);
                *count += 1;
                *count
            };
            let nth = count(None);
            (nth, key.map_or(nth, |key| count(Some(key.clone()))))
        };
        let dice = |rule: usize| {
            let mut hasher = DefaultHasher::new();
            (self.faults.seed, rule, operation, key, of_key).hash(&mut hasher);
            fastrand::Rng::with_seed(hasher.finish())
        };
        let mut delay = Duration::ZERO;
        for (at, rule) in self.faults.rules.iter().enumerate() {
            let mut dice = dice(at);
            let hit = rule.operation.is_none_or(|wanted| wanted == operation)
                && match rule.when {
                    When::Rate(rate) => dice.f64() < rate,
                    When::Nth(wanted) => nth == wanted,
                    When::First(count) => nth <= count,
                };
            match rule.what {
                _ if !hit => {}
                What::Delay(more) => delay += more,
                what => {
                    self.injected.fetch_add(1, SeqCst);
                    return (delay, Verdict { what: Some(what), dice });
                }
            }
        }
        (delay, Verdict { what: None, dice: dice(usize::MAX) })
    }

    fn error(&self, kind: ErrorKind, operation: Operation, key: Option<&Key>) -> Error {
        let error = Error::new(kind, operation).of(&*self.name).because("a fault was injected");
        if let Some(key) = key { error.at(key) } else { error }
    }

    /// # Errors
    /// Where the answer is to be lost.
    fn after<T>(&self, what: Option<What>, operation: Operation, key: Option<&Key>, result: Result<T>) -> Result<T> {
        match what {
            Some(What::LoseAnswer(kind)) => Err(self.error(kind, operation, key)),
            _ => result,
        }
    }

    fn body(&self, verdict: Verdict, operation: Operation, key: &Key, body: Body) -> Body {
        let Verdict { what, mut dice } = verdict;
        let len = body.len().unwrap_or(1);
        let at = dice.u64(..len.max(1));
        match what {
            // Nothing is not to be broken midway.
            _ if len == 0 => body,
            Some(What::BreakBody(kind)) => {
                let error = self.error(kind, operation, Some(key));
                Body::stream(body.len(), broken(body.chunks(), at, error))
            }
            Some(What::FlipBit) if operation == Operation::Read => {
                Body::stream(body.len(), flipped(body.chunks(), at, 1 << dice.u8(0..8)))
            }
            _ => body,
        }
    }
}

impl Layer for Fault {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        let verdict = self.shared.before(operation, key).await?;
        self.shared.after(verdict.what, operation, key, make().await)
    }

    async fn send<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: &'a Key,
        body: Body,
        mut make: impl FnMut(Body) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        let verdict = self.shared.before(operation, Some(key)).await?;
        let what = verdict.what;
        let body = self.shared.body(verdict, operation, key, body);
        self.shared.after(what, operation, Some(key), make(body).await)
    }

    async fn fetch<'a>(&'a self, key: &'a Key, request: ReadRequest) -> Result<Reader> {
        let verdict = self.shared.before(Operation::Read, Some(key)).await?;
        let reader = self.inner.read(key, request).await;
        let reader = self.shared.after(verdict.what, Operation::Read, Some(key), reader)?;
        Ok(Reader { body: self.shared.body(verdict, Operation::Read, key, reader.body), ..reader })
    }

    fn pages(&self, request: ListRequest) -> Pages {
        let state = Some((self.inner.list(request), Arc::clone(&self.shared)));
        let next = |state: Option<(Pages, Arc<Shared>)>| async move {
            let (mut pages, shared) = state?;
            let page = match shared.before(Operation::List, None).await {
                Ok(verdict) => {
                    let page = pages.next().await?;
                    shared.after(verdict.what, Operation::List, None, page)
                }
                Err(error) => Err(error),
            };
            let rest = page.is_ok().then_some((pages, shared));
            Some((page, rest))
        };
        stream::unfold(state, next).boxed()
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let all = |kind: ErrorKind, wait: Option<Duration>| {
            let error = |target: &Deleted| self.shared.error(kind, Operation::Delete, Some(&target.key)).after(wait);
            targets.iter().map(|target| Err(error(target))).collect::<Vec<_>>()
        };
        match self.shared.before(Operation::Delete, None).await {
            Err(error) => all(error.kind(), error.retry_after()),
            Ok(Verdict { what: Some(What::LoseAnswer(kind)), .. }) => {
                drop(self.inner.delete(targets).await);
                all(kind, None)
            }
            Ok(_) => self.inner.delete(targets).await,
        }
    }
}

/// `chunks` up to byte `at`, then `error`.
fn broken(chunks: Chunks, at: u64, error: Error) -> Chunks {
    stream::try_unfold((chunks, at, Some(error)), |(mut chunks, left, mut error)| async move {
        let chunk = if left == 0 { None } else { chunks.try_next().await? };
        let Some(mut chunk) = chunk else { return error.take().map_or(Ok(None), Err) };
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        let left = left - take as u64;
        Ok(Some((chunk.split_to(take), (chunks, left, error))))
    })
    .boxed()
}

/// `chunks` with the bits of `mask` other in byte `at`.
fn flipped(chunks: Chunks, at: u64, mask: u8) -> Chunks {
    let mut passed = 0_u64;
    chunks
        .map_ok(move |chunk| {
            let start = passed;
            passed += chunk.len() as u64;
            if !(start..passed).contains(&at) {
                return chunk;
            }
            let mut chunk = BytesMut::from(chunk);
            let inside = usize::try_from(at - start).expect("it lies inside the chunk");
            chunk[inside] ^= mask;
            Bytes::from(chunk)
        })
        .boxed()
}
