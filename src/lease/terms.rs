//! How long a lease holds, and whether one still does.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use sterna_backends::{Error, ErrorKind, Operation, Result};
use tokio::sync::watch;

/// How those at work wait for one another; the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Seconds after which a lease that nobody renews counts as left behind; it is renewed five times as often.
    #[serde(rename = "lease_seconds", with = "seconds")]
    pub lease: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lease: Duration::from_secs(900) }
    }
}

impl Terms {
    /// The time between two renewals.
    pub(super) fn beat(self) -> Duration {
        self.lease / 5
    }
}

pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A moment by two clocks: one may be set, the other stands still while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(Instant, SystemTime);

impl Moment {
    pub(super) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn ago(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// What a holder knows of his own lease.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    terms: Terms,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// When the last renewal that succeeded was begun.
    renewed: Moment,
    /// Somebody else has it now.
    lost: bool,
}

impl Fate {
    /// A lease taken by a request that was begun then.
    pub(super) fn new(terms: Terms, renewed: Moment) -> Self {
        Self { terms, state: Arc::new(watch::Sender::new(State { renewed, lost: false })) }
    }

    /// It was renewed by a request that was begun then.
    pub(super) fn renewed(&self, begun: Moment) {
        self.state.send_modify(|state| state.renewed = begun);
    }

    /// Somebody else has it.
    pub(super) fn lose(&self) {
        self.state.send_modify(|state| state.lost = true);
    }

    /// Whether nobody can have taken it for left behind, and will not for a good while.
    pub(super) fn is_safe(&self) -> bool {
        let state = *self.state.borrow();
        !state.lost && state.renewed.ago() < self.terms.lease / 2
    }

    /// Comes back once it is no longer safe.
    pub(super) async fn over(&self) {
        let mut changes = self.state.subscribe();
        while self.is_safe() {
            let look_again = tokio::time::sleep(self.terms.beat());
            tokio::select! {
                _ = changes.changed() => {}
                () = look_again => {}
            }
        }
    }

    /// # Errors
    /// `Unavailable` where it is no longer safe.
    pub(super) fn may_write(&self, operation: Operation) -> Result<()> {
        if self.is_safe() {
            return Ok(());
        }
        let why = match self.state.borrow().lost {
            true => {
                "another run has taken the lease of this one for left behind, so nothing more is changed; run it again"
            }
            false => "the lease could not be renewed for too long, so nothing more is changed; run it again",
        };
        Err(Error::new(ErrorKind::Unavailable, operation).retryable(false).because(why))
    }
}
