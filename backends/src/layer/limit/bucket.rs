//! Bytes per second, shared by everyone who holds the same [`Bandwidth`].

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{Zoned, civil::DateTime};
use tokio::time::Instant;

use super::timetable::{Rate, Timetable};

/// Tells the local time.
pub type Clock = Arc<dyn Fn() -> DateTime + Send + Sync>;

/// How much may be caught up after a moment in which nobody sent, as time at the full rate.
const CATCH_UP: Duration = Duration::from_millis(125);

/// A bandwidth by the time of the week. Stores that share one share it.
pub struct Bandwidth {
    timetable: Timetable,
    clock: Clock,
    up: Bucket,
    down: Bucket,
}

impl fmt::Debug for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bandwidth").field("timetable", &self.timetable).finish_non_exhaustive()
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

impl Bandwidth {
    /// By the clock and zone of this machine.
    #[must_use]
    pub fn new(timetable: Timetable) -> Self {
        Self::with_clock(timetable, Arc::new(|| Zoned::now().datetime()))
    }

    /// By another clock.
    #[must_use]
    pub fn with_clock(timetable: Timetable, clock: Clock) -> Self {
        Self { timetable, clock, up: Bucket::default(), down: Bucket::default() }
    }

    /// What holds now.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.timetable.at((self.clock)())
    }

    /// Whether there is a limit that way at any time.
    pub(super) fn ever_limits(&self, way: Way) -> bool {
        let (up, down) = self.timetable.limits();
        match way {
            Way::Up => up,
            Way::Down => down,
        }
    }

    pub(super) fn now(&self, way: Way) -> Option<u64> {
        match way {
            Way::Up => self.rate().up,
            Way::Down => self.rate().down,
        }
    }

    /// Waits until `bytes` may have passed.
    pub(super) async fn pass(&self, way: Way, bytes: u64) {
        if let Some(rate) = self.now(way) {
            let bucket = match way {
                Way::Up => &self.up,
                Way::Down => &self.down,
            };
            bucket.pass(bytes, rate).await;
        }
    }
}

#[derive(Debug, Default)]
struct Bucket {
    /// When all bytes let in so far will have passed.
    free: Mutex<Option<Instant>>,
}

impl Bucket {
    async fn pass(&self, bytes: u64, rate: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a wait need not be exact to the nanosecond")]
        let takes = Duration::try_from_secs_f64(bytes as f64 / rate.max(1) as f64).unwrap_or(Duration::MAX);
        let now = Instant::now();
        let until = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
            let start = free.map_or(now, |free| free.max(earliest));
            let until = start.checked_add(takes).unwrap_or_else(|| now + Duration::from_secs(1 << 30));
            *free = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }
}
