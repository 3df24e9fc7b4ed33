//! When to try again, and after how long.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::silence::Silence;
use crate::{
    entry::Key,
    error::{Error, ErrorKind, Operation},
};

/// Attempts of a call whose bytes were not what their digest says. A bit that turned on the way is right the second time;
/// what is wrong at home stays wrong.
const INTEGRITY_TRIES: u32 = 2;

/// What a store may ask us to wait: five minutes. Who asks for more does not want to be asked now.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

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
    /// How long nothing the store was asked may have been answered, before it is given up: its calls then fail as
    /// `Unreachable`, at once but for one every ten seconds. Zero: never.
    pub silence: Duration,
    /// Makes the jitter the same in every run.
    pub seed: Option<u64>,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            tries: 10,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(30),
            patience: PATIENCE,
            silence: Duration::from_secs(120),
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
    /// The whole of it.
    pub error: &'a Error,
    /// For how long nothing the store was asked was answered.
    pub silent: Duration,
}

/// Who is told of each retry.
pub(super) type Observer = Arc<dyn Fn(&Retried<'_>) + Send + Sync>;

pub(super) struct Policy {
    settings: RetrySettings,
    jitter: Mutex<fastrand::Rng>,
    silence: Silence,
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
        Self { settings, jitter: Mutex::new(jitter), silence: Silence::new(settings.silence), observer }
    }

    /// Whether a call is to be made at all.
    ///
    /// # Errors
    /// `Unreachable` while the store is given up.
    pub(super) fn enter(&self, store: &str, operation: Operation, key: Option<&Key>) -> Result<(), Error> {
        match self.silence.is_given_up() {
            None => Ok(()),
            Some(silent) => Err(unreachable(silent, operation).named(store, key)),
        }
    }

    /// The store has answered.
    pub(super) fn answered(&self) {
        self.silence.ended();
    }

    /// What a failure is that nothing is tried after.
    pub(super) fn failed(&self, error: Error) -> Error {
        match self.silence.failed(error.kind()) {
            None => error,
            Some(silent) => {
                let given_up = unreachable(silent, error.operation());
                let (store, key) = (error.store().unwrap_or_default().to_owned(), error.key().cloned());
                given_up.because(GivenUp { silent, last: Some(error) }).named(&store, key.as_ref())
            }
        }
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
        let error = self.failed(error);
        if error.kind() == ErrorKind::Unreachable {
            return Err(error);
        }
        let Some(wait) = self.wait(&error, attempt) else { return Err(error) };
        let wait = wait.min(self.silence.left());
        if let Some(observer) = &self.observer {
            let silent = self.silence.lasts();
            observer(&Retried { operation, key, kind: error.kind(), attempt, wait, error: &error, silent });
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

/// Nothing the store was asked was answered.
#[derive(Debug)]
struct GivenUp {
    silent: Duration,
    /// The last failure.
    last: Option<Error>,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer for {} seconds, so it is given up", self.silent.as_secs())?;
        self.last.iter().try_for_each(|last| write!(f, "; the last failure was: {last}"))
    }
}

impl std::error::Error for GivenUp {}

fn unreachable(silent: Duration, operation: Operation) -> Error {
    Error::new(ErrorKind::Unreachable, operation).retryable(true).because(GivenUp { silent, last: None })
}
