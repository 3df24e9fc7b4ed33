//! [`Pace`]: so many requests a second, so many at once, fewer when the store asks for fewer; shared by everyone who
//! holds the same [`Pacer`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{Layer, PATIENCE};
use crate::{
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, ListRequest, Pages, Store},
};

/// Requests that delete, under way at once; how many may be in all, the settings say.
const DELETES: usize = 16;

/// Between two requests there is no more time than this: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaceSettings {
    /// Requests per second, above 0; `None`: as many as may be.
    pub requests_per_second: Option<f64>,
    /// Requests that may start at once after a pause, at least 1; as rclone's `--tpslimit-burst`.
    pub burst: u32,
    /// Requests of one class in flight at once, at most, at least 1.
    pub in_flight: usize,
}

impl Default for PaceSettings {
    fn default() -> Self {
        Self { requests_per_second: None, burst: 1, in_flight: 256 }
    }
}

/// How many requests may be in flight now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct InFlight {
    /// Listings, stats, reads.
    pub reads: usize,
    /// Everything that changes something.
    pub changes: usize,
}

/// So many requests a second. All who hold it share it.
#[derive(Debug)]
pub struct Requests(Start);

impl Requests {
    /// So many, above 0.
    #[must_use]
    pub fn per_second(rate: f64) -> Self {
        Self(Start::new(PaceSettings { requests_per_second: Some(rate), ..PaceSettings::default() }))
    }
}

/// Who says when a request may start. Stores that share one are paced together.
#[derive(Debug)]
pub struct Pacer {
    start: Start,
    /// What others share with us, who are throttled apart from us.
    within: Option<Arc<Requests>>,
    reads: Gate,
    changes: Gate,
}

impl Pacer {
    /// For one server, or one account there: what it throttles is throttled for all.
    #[must_use]
    pub fn new(settings: PaceSettings) -> Self {
        let gate = || Gate::new(settings.in_flight);
        Self { start: Start::new(settings), within: None, reads: gate(), changes: gate() }
    }

    /// The same, its requests counted among those of `requests` too.
    #[must_use]
    pub fn within(self, requests: Option<Arc<Requests>>) -> Self {
        Self { within: requests, ..self }
    }
}

/// Holds requests back.
///
/// A throttled answer halves how many requests of its class may be in flight (not below one; answers to requests
/// that were already on their way then do not halve again), and if the store says how long to wait, nothing
/// starts before, unless it asks for more than five minutes. Each time as many requests have succeeded as may be in flight, one more may.
///
/// Reads and changes have a gate each, and a read stands at its gate only until the answer begins. Else a change
/// whose body is read from the same store could wait for a read that waits for it.
#[derive(Debug)]
pub struct Pace {
    inner: Arc<dyn Store>,
    pacer: Arc<Pacer>,
}

impl Pace {
    /// Paces `inner`, together with whoever else has this `pacer`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, pacer: Arc<Pacer>) -> Self {
        Self { inner, pacer }
    }

    /// How many requests may be in flight at this moment.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        InFlight { reads: self.pacer.reads.window().limit, changes: self.pacer.changes.window().limit }
    }
}

impl Pacer {
    fn gate(&self, operation: Operation) -> &Gate {
        match operation {
            Operation::Open | Operation::List | Operation::Stat | Operation::Read | Operation::ListParts => &self.reads,
            _ => &self.changes,
        }
    }

    async fn enter(&self, operation: Operation) -> Turn<'_> {
        let turn = self.gate(operation).enter().await;
        self.start.wait().await;
        if let Some(requests) = &self.within {
            requests.0.wait().await;
        }
        turn
    }

    fn leave<'a>(&self, turn: &Turn<'_>, mut errors: impl Iterator<Item = &'a Error>) {
        match errors.find(|error| error.kind() == ErrorKind::Throttled) {
            Some(error) => {
                turn.throttled();
                // Its error is handed on at once where it asks for more; what else is to be asked cannot wait that long.
                if let Some(wait) = error.retry_after().filter(|wait| *wait <= PATIENCE) {
                    self.start.hold(wait);
                }
            }
            None => turn.passed(),
        }
    }
}

impl Layer for Pace {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        let turn = self.pacer.enter(operation).await;
        let result = make().await;
        self.pacer.leave(&turn, result.as_ref().err().into_iter());
        result
    }

    /// One turn a page. A family that fetches pages ahead is paced by the pages that are taken.
    fn pages(&self, request: ListRequest) -> Pages {
        let state = (self.inner.list(request), Arc::clone(&self.pacer));
        let next = |(mut pages, pacer): (Pages, Arc<Pacer>)| async move {
            let turn = pacer.enter(Operation::List).await;
            let page = pages.next().await;
            pacer.leave(&turn, page.iter().filter_map(|page| page.as_ref().err()));
            drop(turn);
            Some((page?, (pages, pacer)))
        };
        stream::unfold(state, next).boxed()
    }

    /// One turn a request, which is as many targets as fit into one.
    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let requests: Vec<Vec<Deleted>> =
            targets.chunks(self.facts().delete_batch.max(1)).map(<[Deleted]>::to_vec).collect();
        let request = |batch: Vec<Deleted>| async move {
            let turn = self.pacer.enter(Operation::Delete).await;
            let results = self.inner.delete(&batch).await;
            self.pacer.leave(&turn, results.iter().filter_map(|result| result.as_ref().err()));
            stream::iter(results)
        };
        stream::iter(requests).map(request).buffered(DELETES).flatten().collect().await
    }
}

/// When the next request may start.
#[derive(Debug)]
struct Start {
    /// Time between two requests at the full rate.
    interval: Duration,
    /// How far starts may run ahead of the rate.
    ahead: Duration,
    /// When the next request would start if all came at the full rate; and before when none starts.
    due: Mutex<(Instant, Instant)>,
}

impl Start {
    fn new(settings: PaceSettings) -> Self {
        let rate = settings.requests_per_second.filter(|rate| rate.is_finite() && *rate > 0.0);
        let between = |rate: f64| Duration::try_from_secs_f64(1.0 / rate).unwrap_or(LONGEST).min(LONGEST);
        let interval = rate.map_or(Duration::ZERO, between);
        let ahead = interval * settings.burst.max(1).saturating_sub(1);
        Self { interval, ahead, due: Mutex::new((Instant::now(), Instant::now())) }
    }

    async fn wait(&self) {
        let until = {
            let now = Instant::now();
            let mut due = locked(&self.due);
            let slot = due.0.max(now);
            due.0 = slot + self.interval;
            // `now` may lie less than `ahead` after the clock's origin.
            slot.checked_sub(self.ahead).unwrap_or(now).max(due.1)
        };
        tokio::time::sleep_until(until).await;
    }

    fn hold(&self, wait: Duration) {
        let mut due = locked(&self.due);
        due.1 = due.1.max(Instant::now() + wait);
    }
}

/// How many at once.
#[derive(Debug)]
struct Gate {
    slots: Semaphore,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    limit: usize,
    max: usize,
    /// Slots to be taken away as soon as they are given back.
    debt: usize,
    /// Successes since the limit last changed.
    passed: usize,
    /// How often the limit was halved.
    halved: u64,
}

/// A place in a gate, given back when dropped.
struct Turn<'a> {
    gate: &'a Gate,
    slot: Option<SemaphorePermit<'a>>,
    halved: u64,
}

impl Gate {
    fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let window = Window { limit: max, max, debt: 0, passed: 0, halved: 0 };
        Self { slots: Semaphore::new(max), window: Mutex::new(window) }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        locked(&self.window)
    }

    async fn enter(&self) -> Turn<'_> {
        let slot = self.slots.acquire().await.expect("the semaphore is never closed");
        Turn { gate: self, slot: Some(slot), halved: self.window().halved }
    }
}

impl Turn<'_> {
    fn throttled(&self) {
        let mut window = self.gate.window();
        if window.halved != self.halved {
            return;
        }
        let limit = (window.limit / 2).max(1);
        let surplus = window.limit - limit;
        window.debt += surplus - self.gate.slots.forget_permits(surplus);
        window.limit = limit;
        window.passed = 0;
        window.halved += 1;
    }

    fn passed(&self) {
        let mut window = self.gate.window();
        window.passed += 1;
        if window.passed < window.limit || window.limit == window.max {
            return;
        }
        window.limit += 1;
        window.passed = 0;
        if window.debt > 0 {
            window.debt -= 1;
        } else {
            self.gate.slots.add_permits(1);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut window = self.gate.window();
        if window.debt > 0
            && let Some(slot) = self.slot.take()
        {
            slot.forget();
            window.debt -= 1;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
