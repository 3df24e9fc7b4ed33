//! When to try again, and after how long.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    entry::Key,
    error::{Error, ErrorKind, Operation},
};

/// Attempts of a call whose bytes were not what their digest says. A bit that turned on the way is right the second time;
/// what is wrong at home stays wrong.
const INTEGRITY_TRIES: u32 = 2;

/// How often and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts of one call in total, at least 1. Ten, as rclone's `--low-level-retries`.
    pub tries: u32,
    /// The wait after the first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest wait that doubling leads to.
    pub cap: Duration,
    /// The longest wait a store may ask for; if it asks for more, its error is handed on at once.
    pub patience: Duration,
    /// Makes the jitter the same in every run.
    pub seed: Option<u64>,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            tries: 10,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(30),
            patience: Duration::from_secs(300),
            seed: None,
        }
    }
}

/// A failure after which the call is made again.
#[derive(Debug)]
pub struct Retried<'a> {
    /// The call.
    pub operation: Operation,
    /// Its object.
    pub key: Option<&'a Key>,
    /// What went wrong.
    pub kind: ErrorKind,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How long until the next.
    pub wait: Duration,
}

/// Who is told of each retry.
pub(super) type Observer = Arc<dyn Fn(&Retried<'_>) + Send + Sync>;

pub(super) struct Policy {
    settings: RetrySettings,
    jitter: Mutex<fastrand::Rng>,
    observer: Option<Observer>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl Policy {
    pub(super) fn new(settings: RetrySettings, observer: Option<Observer>) -> Self {
        let jitter = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self { settings, jitter: Mutex::new(jitter), observer }
    }

    /// Waits before the attempt that follows attempt number `attempt`, or hands the error back where there is
    /// to be none.
    pub(super) async fn pause(
        &self,
        error: Error,
        operation: Operation,
        key: Option<&Key>,
        attempt: u32,
    ) -> Result<(), Error> {
        let Some(wait) = self.wait(&error, attempt) else { return Err(error) };
        if let Some(observer) = &self.observer {
            observer(&Retried { operation, key, kind: error.kind(), attempt, wait });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn wait(&self, error: &Error, attempt: u32) -> Option<Duration> {
        let Self { settings, .. } = self;
        let tries = match error.kind() {
            ErrorKind::Integrity => settings.tries.min(INTEGRITY_TRIES),
            _ => settings.tries,
        };
        if !error.is_retryable() || attempt >= tries {
            return None;
        }
        match error.retry_after() {
            Some(asked) if asked > settings.patience => None,
            // A little more than was asked for, so that not all come back at the same instant.
            Some(asked) => Some(asked + self.jittered(settings.base)),
            None => {
                let doubled = settings.base.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
                Some(self.jittered(doubled.min(settings.cap)))
            }
        }
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let share = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).f64();
        wait.mul_f64(0.5 + share / 2.0)
    }
}
