//! How long several destinations wait for one of them.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use sterna_backends::{Error, ErrorKind, Operation, Result};
use tokio::time::{Instant, timeout};

/// What the places of one look were waited for, place 0 being the source. A destination for which the others have waited for
/// longer than a given time, and twice what was waited for the source and the fastest of the others, is left behind: nothing
/// is waited for there any more. The source never is, nor the last destination.
///
/// Clones are the same; the default waits as long as it takes.
#[derive(Clone, Debug, Default)]
pub struct Patience(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    most: Duration,
    waits: Mutex<Vec<Wait>>,
}

/// What one place was waited for.
#[derive(Clone, Debug, Default)]
struct Wait {
    past: Duration,
    /// Since when it is waited for now, and by how many.
    since: Option<Instant>,
    waiting: usize,
    out: Option<Out>,
}

/// Why a place is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Gone,
    Behind,
}

impl Wait {
    fn so_far(&self, now: Instant) -> Duration {
        self.past + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

impl Patience {
    /// That waits so long for one of so many `places`, the source among them.
    #[must_use]
    pub fn new(most: Duration, places: usize) -> Self {
        Self(Some(Arc::new(Shared { most, waits: Mutex::new(vec![Wait::default(); places]) })))
    }

    /// Waits for what place `at` is to tell.
    ///
    /// # Errors
    /// What it tells; `Timeout` where it is left behind, as [`Patience::left_behind`] knows from then on.
    pub async fn wait<T>(&self, at: usize, told: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(shared) = &self.0 else { return told.await };
        let mut told = std::pin::pin!(told);
        // What is there already is no wait.
        if let Poll::Ready(told) = futures::poll!(&mut told) {
            return told;
        }
        let _waiting = Waiting::begin(shared, at);
        loop {
            let told = match shared.left(at) {
                None => return told.await,
                Some(left) => timeout(left, &mut told).await,
            };
            if let Ok(told) = told {
                return told;
            }
            if shared.is_over(at) {
                return Err(Error::new(ErrorKind::Timeout, Operation::List).because(
                    "it tells what it holds more slowly than the other destinations, which go on without it",
                ));
            }
        }
    }

    /// Place `at` is lost for another reason; nobody is measured by it.
    pub fn gone(&self, at: usize) {
        if let Some(shared) = &self.0 {
            shared.waits()[at].out.get_or_insert(Out::Gone);
        }
    }

    /// Whether place `at` is left behind.
    #[must_use]
    pub fn left_behind(&self, at: usize) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.waits()[at].out == Some(Out::Behind))
    }
}

impl Shared {
    fn waits(&self) -> MutexGuard<'_, Vec<Wait>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long place `at` is waited for yet; `None`: as long as it takes, as things stand.
    fn left(&self, at: usize) -> Option<Duration> {
        let (waits, now) = (self.waits(), Instant::now());
        let (source, destinations) = waits.split_first()?;
        let others = destinations.iter().enumerate().filter(|(to, wait)| to + 1 != at && wait.out.is_none());
        let fastest = others.map(|(_, wait)| wait.so_far(now)).min().filter(|_| at > 0)?;
        let most = self.most + 2 * fastest.max(source.so_far(now));
        Some(most.saturating_sub(waits[at].so_far(now)))
    }

    /// Whether place `at` is left behind from now on.
    fn is_over(&self, at: usize) -> bool {
        let over = self.left(at).is_some_and(|left| left.is_zero());
        if over {
            self.waits()[at].out.get_or_insert(Out::Behind);
        }
        over
    }
}

/// Somebody waits for a place.
struct Waiting<'a>(&'a Shared, usize);

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared, at: usize) -> Self {
        let wait = &mut shared.waits()[at];
        wait.since.get_or_insert_with(Instant::now);
        wait.waiting += 1;
        Self(shared, at)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let wait = &mut self.0.waits()[self.1];
        wait.waiting -= 1;
        if wait.waiting == 0 {
            (wait.past, wait.since) = (wait.so_far(Instant::now()), None);
        }
    }
}
