//! One task: operations of one kind, timed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use sterna_backends::{Error, ErrorKind, Operation, Result};

use super::speed::{Latencies, Step, Task, name};

/// No operation begins after so long: what is slow is measured on fewer.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// An operation that takes longer has failed.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Whether to come to an end: nothing more is begun.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Comes to an end.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody said so.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one operation came to.
pub(super) struct Told {
    /// Objects it carried, or told of.
    pub objects: u64,
    /// Bytes it carried.
    pub bytes: u64,
    /// How long it took, where that is not until its end.
    pub latency: Option<Duration>,
}

/// Makes `operations`, `at_once` at a time; what they are is decided before the clock runs.
pub(super) async fn timed<F>(task: Task, operations: Vec<F>, at_once: usize, stop: &Stop) -> Step
where
    F: Future<Output = Result<Told>>,
{
    let started = Instant::now();
    let ended = || stop.is_set() || started.elapsed() > LONG_ENOUGH;
    let timed = operations.into_iter().map(|operation| async {
        if ended() {
            return None;
        }
        let begun = Instant::now();
        let late = || Err(Error::new(ErrorKind::Timeout, Operation::Open));
        let result = tokio::time::timeout(TOO_LONG, operation).await.unwrap_or_else(|_| late());
        Some((begun.elapsed(), result))
    });
    // Futures that are made before they are streamed: a closure over borrows is not general enough inside one.
    let timed: Vec<_> = timed.collect();
    let results: Vec<_> = stream::iter(timed).buffer_unordered(at_once.max(1)).collect().await;
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut step = Step {
        task,
        done: 0,
        failed: BTreeMap::new(),
        objects: 0,
        bytes: 0,
        micros,
        at_once,
        latency: Latencies::default(),
    };
    let mut times = Vec::new();
    for (time, result) in results.into_iter().flatten() {
        match result {
            Ok(told) => {
                step.done += 1;
                step.objects += told.objects;
                step.bytes += told.bytes;
                times.push(told.latency.unwrap_or(time));
            }
            Err(error) => *step.failed.entry(name(error.kind())).or_default() += 1,
        }
    }
    step.latency = Latencies::of(times);
    step
}
