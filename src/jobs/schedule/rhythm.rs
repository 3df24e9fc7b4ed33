//! [`Schedule`]: ticks, by cron or at equal distances, each put off by the job's own delay.

use std::{fmt, time::Duration};

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use sterna_backends::Timestamp;

use super::{ScheduleError, cron::Cron};
use crate::{jobs::When, report::words};

/// When a job runs.
#[derive(Clone, Debug)]
pub struct Schedule {
    rhythm: Rhythm,
    delay: Duration,
}

#[derive(Clone, Debug)]
enum Rhythm {
    Cron(Box<Cron>),
    /// Not 0, in whole nanoseconds that fit a [`Timestamp`].
    Every(i64),
}

/// A time zone of the database, by its name.
///
/// # Errors
/// [`ScheduleError::Zone`].
pub fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    TimeZone::get(name).map_err(|_| ScheduleError::Zone(name.to_owned()))
}

impl Schedule {
    /// As the configuration of `job` has it; `None` where it has no time of its own. `local` is the zone of an expression
    /// that names none.
    ///
    /// # Errors
    /// Which part is wrong.
    pub fn of(when: &When, job: &str, local: &TimeZone) -> Result<Option<Self>, ScheduleError> {
        let schedule = match (&when.schedule, when.every) {
            (Some(expression), _) => {
                let zone = when.zone.as_deref().map_or_else(|| Ok(local.clone()), zone)?;
                Self::cron(expression, zone)?
            }
            (None, Some(period)) => Self::every(period)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(schedule.with_jitter(when.jitter, job)))
    }

    /// By a cron expression: `minute hour day month weekday`, with seconds before them where there are six fields, or
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Its times are those of the clock on the wall in `zone`. Where both day and
    /// weekday are given, either is enough, as in every cron.
    ///
    /// # Errors
    /// Which part is wrong.
    pub fn cron(expression: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        Ok(Self { rhythm: Rhythm::Cron(Box::new(Cron::parse(expression, zone)?)), delay: Duration::ZERO })
    }

    /// Every `period`, counted from the beginning of 1970 in UTC: every machine has the same ticks, and a restart
    /// shifts none.
    ///
    /// # Errors
    /// [`ScheduleError::TooOften`] below a second.
    pub fn every(period: Duration) -> Result<Self, ScheduleError> {
        if period < Duration::from_secs(1) {
            return Err(ScheduleError::TooOften);
        }
        Ok(Self { rhythm: Rhythm::Every(nanos(period)), delay: Duration::ZERO })
    }

    /// Puts every tick off by the same time, at least 0 and less than `jitter`, in whole seconds. It hangs on `seed` only (a job's name): the runs of one job
    /// keep their distance, those of several do not begin at once, and a restart changes nothing.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Duration, seed: &str) -> Self {
        let digest = Sha256::digest(seed.as_bytes());
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        self.delay = Duration::from_secs(number.checked_rem(jitter.as_secs()).unwrap_or(0));
        self
    }

    /// The first time to run that is later than `time`. `None` only near the end of the calendar.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = shifted(time, -self.delay())?;
        let tick = match &self.rhythm {
            Rhythm::Cron(cron) => cron.after(time),
            Rhythm::Every(period) => shifted(time, period - time.as_nanos().rem_euclid(*period)),
        };
        shifted(tick?, self.delay())
    }

    /// The last time to run that is not later than `time`.
    #[must_use]
    pub fn at_or_before(&self, time: Timestamp) -> Option<Timestamp> {
        let time = shifted(time, -self.delay())?;
        let tick = match &self.rhythm {
            Rhythm::Cron(cron) => cron.at_or_before(time),
            Rhythm::Every(period) => shifted(time, -time.as_nanos().rem_euclid(*period)),
        };
        shifted(tick?, self.delay())
    }

    /// The times to run later than `time`, in order; without end.
    pub fn upcoming(&self, time: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(time), |time| self.next_after(*time))
    }

    fn delay(&self) -> i64 {
        nanos(self.delay)
    }
}

/// `30 2 * * * (Europe/Berlin), 12 s later`; `every 15 min 00 s`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rhythm {
            Rhythm::Cron(cron) => {
                let zone = cron.zone().iana_name().unwrap_or("local time");
                write!(f, "{} ({zone})", cron.expression())?;
            }
            Rhythm::Every(period) => {
                write!(f, "every {}", words::span(Duration::from_nanos(period.unsigned_abs())))?;
            }
        }
        if !self.delay.is_zero() {
            write!(f, ", {} later", words::span(self.delay))?;
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn shifted(time: Timestamp, by: i64) -> Option<Timestamp> {
    time.as_nanos().checked_add(by).map(Timestamp::from_nanos)
}
