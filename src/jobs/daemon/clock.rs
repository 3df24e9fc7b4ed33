//! The clock that schedules are read by.

use sterna_backends::Timestamp;

/// Tells the schedule's time by the real one. They are the same, except where a test has days go by in minutes: runs, records
/// and leases always have the real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    origin: i64,
    speed: i64,
}

impl Clock {
    /// The real time.
    pub const REAL: Self = Self { origin: 0, speed: 1 };

    /// From `origin` on the schedule's time passes `speed` times as fast. Another process with the same two goes on where this
    /// one was.
    #[must_use]
    pub fn hurried(origin: Timestamp, speed: u32) -> Self {
        Self { origin: origin.as_nanos(), speed: i64::from(speed.max(1)) }
    }

    /// The schedule's time at that instant.
    #[must_use]
    pub fn tell(self, real: Timestamp) -> Timestamp {
        let passed = real.as_nanos().saturating_sub(self.origin).saturating_mul(self.speed);
        Timestamp::from_nanos(self.origin.saturating_add(passed))
    }

    /// The instant at which it is that time by the schedule.
    #[must_use]
    pub fn real(self, told: Timestamp) -> Timestamp {
        let passed = told.as_nanos().saturating_sub(self.origin) / self.speed;
        Timestamp::from_nanos(self.origin.saturating_add(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hurried_clock_goes_there_and_back() {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let clock = Clock::hurried(at(1_000), 7_200);
        assert_eq!(clock.tell(at(1_012)), at(1_000 + 86_400));
        assert_eq!(clock.real(at(1_000 + 86_400)), at(1_012));
        assert_eq!(Clock::REAL.tell(at(5)), at(5));
        assert_eq!(Clock::REAL.real(at(5)), at(5));
    }
}
