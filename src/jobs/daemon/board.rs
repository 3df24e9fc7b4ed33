//! What the scheduler and the page both know.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sterna_backends::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Order;
use crate::{
    history::{History, HistoryError},
    jobs::{JobStatus, Known, Saved, Trigger},
    report::Summary,
};

/// The board: the scheduler writes on it, the page reads it and hands in orders.
pub struct Board {
    state: Mutex<Snapshot>,
    history: Mutex<History>,
    orders: UnboundedSender<Order>,
}

/// What it says at one moment. All times are real ones.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The jobs, by name.
    pub jobs: BTreeMap<String, Arc<Saved>>,
    /// The runs under way here.
    pub under: BTreeMap<String, Under>,
    /// When each job that runs by itself is due next.
    pub next: BTreeMap<String, Timestamp>,
    /// Those that would run if fewer others did.
    pub waiting: BTreeSet<String>,
    /// The configuration that was not taken, since the last one that was.
    pub refused: Option<Refusal>,
    /// When the configuration was read that holds.
    pub loaded: Option<Timestamp>,
    /// No run is begun any more.
    pub draining: bool,
    /// Runs whose code broke off, by job: the last one each.
    pub broken: BTreeMap<String, Timestamp>,
    /// Runs that ended since the daemon was started, by job and the word of their verdict.
    pub ended: BTreeMap<(String, &'static str), u64>,
}

/// A configuration that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Why: file, line, column, and what to do.
    pub why: String,
}

/// A run under way.
#[derive(Clone, Debug)]
pub struct Under {
    /// Why it was begun.
    pub trigger: Trigger,
    /// When.
    pub began: Timestamp,
    /// How far it is.
    pub summary: Arc<Summary>,
}

impl Board {
    /// A board of `jobs`, which nobody runs yet, over `history`, and what is ordered at it.
    #[must_use]
    pub fn new<'a>(
        history: History,
        jobs: impl IntoIterator<Item = &'a Saved>,
    ) -> (Arc<Self>, UnboundedReceiver<Order>) {
        let (orders, ordered) = unbounded_channel();
        let jobs = jobs.into_iter().map(|job| (job.name.clone(), Arc::new(job.clone()))).collect();
        let state = Mutex::new(Snapshot { jobs, ..Snapshot::default() });
        let board = Self { state, history: Mutex::new(history), orders };
        (Arc::new(board), ordered)
    }

    /// What it says now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state().clone()
    }

    /// Hands in an order; whether somebody is there to take it.
    pub fn order(&self, order: Order) -> bool {
        self.orders.send(order).is_ok()
    }

    /// Asks the history. May wait for another process's write: not for the threads that poll.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn history<T>(&self, ask: impl FnOnce(&History) -> Result<T, HistoryError>) -> Result<T, HistoryError> {
        // A read that panicked leaves the connection as it was.
        ask(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How every job stands, by name. May wait, as [`Board::history`].
    ///
    /// # Errors
    /// What stopped the read of the history.
    pub fn statuses(&self, now: Timestamp) -> Result<Vec<JobStatus>, HistoryError> {
        let snapshot = self.snapshot();
        self.history(|history| {
            let paused = history.paused_jobs()?;
            let status = |job: &Arc<Saved>| {
                // Of two, one may be under way.
                let runs = history.job_runs(Some(&job.name), 2)?;
                let in_step = history.last_in_step(&job.name)?;
                let tally = snapshot.under.get(&job.name).map(|under| under.summary.tally());
                Ok(JobStatus::of(
                    job,
                    Known {
                        runs: &runs,
                        in_step: &in_step,
                        next: snapshot.next.get(&job.name).copied(),
                        progress: tally.as_ref(),
                        paused: paused.get(&job.name).copied(),
                        now,
                    },
                ))
            };
            snapshot.jobs.values().map(status).collect()
        })
    }

    /// The state, for the scheduler to write on.
    pub(super) fn state(&self) -> MutexGuard<'_, Snapshot> {
        // Every field is whole at any moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
