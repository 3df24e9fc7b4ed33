//! Where files are touched: on threads that may wait for the disk.
//!
//! Short work goes through a few lanes of our own. Tokio's pool wakes a thread for each piece, up to as many as
//! there are objects in flight; for 20,000 small copies that was more system time than the copies themselves,
//! and threads in one directory spin on its lock. A lane takes the next piece without sleeping in between.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Operation, Result};

/// Lanes that are opened without a question; more do not help while nothing waits for a disk.
const LANES: usize = 2;

/// Lanes at most, where the disk (or the network behind it) is slow to answer.
const MOST_LANES: usize = 32;

/// The next lane opens when work has waited so long: far more than a cached file takes.
const PATIENCE: Duration = Duration::from_millis(5);

/// A lane without work closes after this time.
const IDLE: Duration = Duration::from_secs(2);

type Work = Box<dyn FnOnce() + Send>;

static QUEUE: Queue =
    Queue { state: Mutex::new(State { waiting: VecDeque::new(), lanes: 0, idle: 0 }), arrived: Condvar::new() };

struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    waiting: VecDeque<(Instant, Work)>,
    lanes: usize,
    idle: usize,
}

impl State {
    fn wants_lane(&self) -> bool {
        let late = || self.waiting.front().is_some_and(|(since, _)| since.elapsed() > PATIENCE);
        let allowed = self.lanes < LANES || (self.lanes < MOST_LANES && late());
        self.idle == 0 && !self.waiting.is_empty() && allowed
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&'static self, work: Work) {
        let mut state = self.lock();
        state.waiting.push_back((Instant::now(), work));
        if state.wants_lane() {
            self.open_lane(&mut state);
        } else if state.idle > 0 {
            drop(state);
            self.arrived.notify_one();
        }
    }

    fn open_lane(&'static self, state: &mut State) {
        state.lanes += 1;
        let opened = thread::Builder::new().name("sterna-files".to_owned()).spawn(|| self.run_lane());
        if opened.is_err() {
            state.lanes -= 1;
        }
        if state.lanes == 0 {
            // No thread can be had: dropping the work tells whoever waits for it.
            state.waiting.clear();
        }
    }

    fn run_lane(&'static self) {
        let mut state = self.lock();
        loop {
            if state.wants_lane() {
                self.open_lane(&mut state);
            }
            if let Some((_, work)) = state.waiting.pop_front() {
                drop(state);
                work();
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (woken, timeout) = self.arrived.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.waiting.is_empty() {
                state.lanes -= 1;
                return;
            }
        }
    }
}

/// Runs `work` that is short unless the disk is slow: a look, a small file.
///
/// # Errors
/// What `work` says; `Other` where it fell over.
pub(super) async fn briefly<T: Send + 'static>(
    operation: Operation,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    QUEUE.push(Box::new(move || {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // Whoever asked may have gone; the work is done all the same.
        let _ = sender.send(done);
    }));
    match receiver.await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(Error::new(ErrorKind::Other, operation).because("a thread fell over")),
        Err(_) => Err(Error::new(ErrorKind::Other, operation).because("no thread could be started")),
    }
}

/// Runs `work` that may take long on a thread of its own.
///
/// # Errors
/// What `work` says; `Other` where it fell over.
pub(super) async fn blocking<T: Send + 'static>(
    operation: Operation,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::new(ErrorKind::Other, operation).because(panic))?
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    #[tokio::test]
    async fn work_that_falls_over_is_an_error_and_the_lane_goes_on() {
        for _ in 0..10 {
            let fell = briefly::<()>(Operation::Read, || panic!("on purpose")).await;
            assert_eq!(fell.unwrap_err().kind(), ErrorKind::Other);
        }
        assert_eq!(briefly(Operation::Read, || Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn lanes_open_where_work_waits() {
        const AT_ONCE: usize = 6;
        // Each piece waits for all others: with fewer lanes than pieces none would ever end.
        let all = Arc::new(Barrier::new(AT_ONCE));
        let pieces = (0..AT_ONCE).map(|_| {
            let all = Arc::clone(&all);
            tokio::spawn(briefly(Operation::Read, move || {
                all.wait();
                Ok(())
            }))
        });
        let pieces: Vec<_> = pieces.collect();
        while !pieces.iter().all(tokio::task::JoinHandle::is_finished) {
            // Lanes are opened when more work arrives behind what waits.
            tokio::spawn(briefly(Operation::Read, || Ok(())));
            tokio::task::yield_now().await;
        }
    }
}
