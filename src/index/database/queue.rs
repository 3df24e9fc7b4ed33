//! Rows on their way to the writer, which is woken for a batch of them and not for each.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::index::row::Told;

/// Rows that make a transaction. As many more may wait while it is written; who has more to tell waits.
const BATCH: usize = 10_000;

/// How long a row may wait for its transaction.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the writer is asked for.
pub(super) enum Job {
    Remember(Box<Told>),
    Forget { place: i64, key: String },
    Flush(oneshot::Sender<()>),
}

/// Between those who tell and the one who writes.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// For the writer.
    filled: Condvar,
    /// For those who tell.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// Somebody waits until they are written.
    urgent: bool,
    /// Nobody tells any more.
    closed: bool,
    /// Nobody writes any more.
    ended: bool,
}

impl Queue {
    /// Adds a job, once there is room for it. Where nobody writes any more it is dropped.
    pub(super) fn tell(&self, job: Job) {
        let full = |state: &mut State| state.jobs.len() >= BATCH && !state.ended;
        let mut state = self.emptied.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return;
        }
        state.urgent |= matches!(job, Job::Flush(_));
        state.jobs.push(job);
        if state.urgent || state.jobs.len() == 1 || state.jobs.len() == BATCH {
            self.filled.notify_one();
        }
    }

    /// The next batch; `None` when nothing is left and nobody tells any more.
    pub(super) fn take(&self) -> Option<Vec<Job>> {
        let empty = |state: &mut State| state.jobs.is_empty() && !state.closed;
        let few = |state: &mut State| state.jobs.len() < BATCH && !state.urgent && !state.closed;
        let state = self.filled.wait_while(self.state(), empty).unwrap_or_else(PoisonError::into_inner);
        let waited = self.filled.wait_timeout_while(state, PATIENCE, few);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.urgent = false;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.emptied.notify_all();
        Some(jobs).filter(|jobs| !jobs.is_empty())
    }

    /// Nobody tells any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    /// Nobody writes any more; nobody waits for it either.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.jobs.clear();
        drop(state);
        self.emptied.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    fn forget(at: usize) -> Job {
        Job::Forget { place: 1, key: at.to_string() }
    }

    #[test]
    fn everything_told_is_taken_in_order_however_much_it_is() {
        let queue = Arc::new(Queue::default());
        let telling = Arc::clone(&queue);
        let teller = thread::spawn(move || {
            (0..3 * BATCH + 7).for_each(|at| telling.tell(forget(at)));
            telling.close();
        });
        let mut taken = Vec::new();
        while let Some(jobs) = queue.take() {
            assert!(jobs.len() <= BATCH);
            taken.extend(jobs.into_iter().map(|job| match job {
                Job::Forget { key, .. } => key.parse::<usize>().unwrap(),
                Job::Remember(_) | Job::Flush(_) => unreachable!(),
            }));
        }
        teller.join().unwrap();
        assert!(taken.into_iter().eq(0..3 * BATCH + 7));
    }

    #[test]
    fn nobody_waits_for_a_writer_that_has_ended() {
        let queue = Queue::default();
        (0..BATCH).for_each(|at| queue.tell(forget(at)));
        thread::scope(|scope| {
            // Waits for room, or comes when it is over.
            scope.spawn(|| queue.tell(forget(BATCH)));
            queue.end();
        });
        let (done, written) = oneshot::channel();
        queue.tell(Job::Flush(done));
        assert!(written.blocking_recv().is_err());
    }
}
