//! [`Due`]: whether a job is to run now.

use sterna_backends::Timestamp;

use super::Schedule;

/// What a schedule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now, once, whatever was missed.
    Now {
        /// The time that this run is for.
        at: Timestamp,
        /// Whether earlier times passed without a run: nothing ran then, or the last run took too long.
        missed: bool,
    },
    /// Later.
    At(Timestamp),
    /// Not in this calendar.
    Never,
}

impl Schedule {
    /// Whether a job whose last run began at `last` is to run at `now`. A job that never ran has as `last` the time at which it
    /// became known. However many times were missed, one run makes up for them.
    #[must_use]
    pub fn due(&self, last: Timestamp, now: Timestamp) -> Due {
        // A last run in the future comes from a clock that went wrong; waiting for it could take years.
        let last = last.min(now);
        match self.next_after(last) {
            None => Due::Never,
            Some(first) if first > now => Due::At(first),
            Some(first) => {
                let at = self.at_or_before(now).unwrap_or(first).max(first);
                Due::Now { at, missed: at > first }
            }
        }
    }
}
