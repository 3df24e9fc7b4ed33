//! Cron expressions in a time zone.
//!
//! `croner` reads them and walks the calendar. Around a change of the clock it does what Debian's cron(8) does: a time that the clock
//! skips comes at the first moment after the gap, a time that comes twice runs the first time only, and what recurs within
//! the hour (`*` or a step in the fields of seconds, minutes or hours) follows the clock on the wall.

use std::fmt;

use croner::{
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Zoned, tz::TimeZone};
use sterna_backends::Timestamp;

use super::ScheduleError;

/// An expression, read.
#[derive(Clone)]
pub(super) struct Cron {
    expression: String,
    cron: croner::Cron,
    zone: TimeZone,
}

/// The fields from the last to the first, since the first, the seconds, may be missing; and what may stand there.
const FIELDS: [(&str, &str); 6] = [
    (
        "weekday",
        "0 to 7 (both ends are Sunday) or SUN to SAT, a list (1,3), a range (MON-FRI), FRI#3 or FRI#L may stand there",
    ),
    ("month", "1 to 12 or JAN to DEC, a list (1,7), a range (3-10) or a step (*/3) may stand there"),
    ("day", "1 to 31, L (the last of the month), a list (1,15), a range (1-7) or a step (*/2) may stand there"),
    ("hour", "0 to 23, a list (6,18), a range (8-17) or a step (*/4) may stand there"),
    ("minute", "0 to 59, a list (0,30), a range (10-20) or a step (*/15) may stand there"),
    ("second", "0 to 59, a list (0,30), a range (10-20) or a step (*/15) may stand there"),
];

impl Cron {
    /// Reads `expression`: five fields, six with the seconds first, or a nickname.
    pub(super) fn parse(expression: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let fields: Vec<&str> = expression.split(' ').filter(|field| !field.is_empty()).collect();
        if expression.starts_with('@') {
            let cron = read(&expression).map_err(|_| ScheduleError::Nickname(expression.clone()))?;
            return Ok(Self { expression, cron, zone });
        }
        if !matches!(fields.len(), 5 | 6) {
            return Err(ScheduleError::Fields { found: fields.len(), expression });
        }
        let Ok(cron) = read(&expression) else { return Err(wrong_field(&expression, &fields)) };
        let cron = Self { expression, cron, zone };
        // croner looks as far as the year 5000.
        if cron.after(Timestamp::from_nanos(0)).is_none() {
            return Err(ScheduleError::Never(cron.expression));
        }
        Ok(cron)
    }

    /// The first tick later than `time`.
    pub(super) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&self.second_of(time), false).ok().map(|tick| tick.timestamp().into())
    }

    /// The last tick that is not later than `time`.
    pub(super) fn at_or_before(&self, time: Timestamp) -> Option<Timestamp> {
        self.cron.find_previous_occurrence(&self.second_of(time), true).ok().map(|tick| tick.timestamp().into())
    }

    /// Ticks are whole seconds; what lies within one is neither before nor after it.
    fn second_of(&self, time: Timestamp) -> Zoned {
        let nanos = time.as_nanos();
        let second = Timestamp::from_nanos(nanos - nanos.rem_euclid(1_000_000_000));
        jiff::Timestamp::from(second).to_zoned(self.zone.clone())
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// croner's own would be five thousand years long.
impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({}, {:?})", self.expression, self.zone.iana_name())
    }
}

fn read(expression: &str) -> Result<croner::Cron, CronError> {
    // croner passes over what is missing in a list.
    if expression.split([' ', ',']).any(str::is_empty) {
        return Err(CronError::EmptyPattern);
    }
    // A year would make a job that ends by itself one day, unseen.
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(expression)
}

/// The first field that is wrong by itself: each is read alone between fields that are right.
fn wrong_field(expression: &str, fields: &[&str]) -> ScheduleError {
    let is_wrong = |at: usize| {
        let alone: Vec<&str> = (0..fields.len()).map(|field| if field == at { fields[at] } else { "*" }).collect();
        read(&alone.join(" ")).is_err()
    };
    // Every field is read by itself, so where all are right the whole is; the last is named rather than none.
    let at = (0..fields.len()).find(|at| is_wrong(*at)).unwrap_or(fields.len() - 1);
    let (field, allowed) = FIELDS[fields.len() - 1 - at];
    ScheduleError::Field { field, text: fields[at].to_owned(), expression: expression.to_owned(), allowed }
}
