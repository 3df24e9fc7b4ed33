//! Lengths of time and points in time.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{civil, tz::TimeZone};
use sterna_backends::Timestamp;

use super::{
    InvalidValue,
    number::{scaled, split_number},
};

/// A length of time, or `off`; up to some 292 years.
///
/// Numbers with `ns`, `us`, `ms`, `s`, `m` (minutes), `h`, `d`, `w`, `M` (30 days), `y` (365 days), also one after another
/// (`1h30m`, and, other than in rclone, `1w2d`); a bare number counts seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Option<Duration>);

impl FromStr for Span {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "off" {
            return Ok(Self(None));
        }
        let nanos = nanoseconds(text)
            .and_then(|nanos| u64::try_from(nanos).ok())
            // More than a `Timestamp` holds could not be taken from one.
            .filter(|nanos| i64::try_from(*nanos).is_ok())
            .ok_or_else(|| {
                InvalidValue::new(text, "a duration such as 90 (seconds), 1.5h, 2d, 1w, 6M or 1y, or off")
            })?;
        Ok(Self(Some(Duration::from_nanos(nanos))))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(span) => write!(f, "{span:?}"),
            None => f.write_str("off"),
        }
    }
}

fn nanoseconds(text: &str) -> Option<u128> {
    const SECOND: u128 = 1_000_000_000;
    const DAY: u128 = 86_400 * SECOND;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return scaled(text, SECOND);
    }
    let mut rest = text;
    let mut total = 0_u128;
    loop {
        let (number, units) = split_number(rest);
        let end = units.find(|next: char| next.is_ascii_digit() || next == '.').unwrap_or(units.len());
        let unit = match &units[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => SECOND / 1_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3_600 * SECOND,
            "d" => DAY,
            "w" => 7 * DAY,
            "M" => 30 * DAY,
            "y" => 365 * DAY,
            _ => return None,
        };
        total = total.checked_add(scaled(number, unit)?)?;
        rest = &units[end..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

/// A bound on the time of an object: so long ago, or a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// `off`
    Off,
    /// A [`Span`] before now.
    Ago(Duration),
    /// A date, or a date and a time, with an offset from UTC.
    At(Timestamp),
    /// The same without an offset: local time.
    Local(civil::DateTime),
}

impl Age {
    /// The point in time; `None` for [`Age::Off`]. `zone` is for dates without an offset.
    pub fn before(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Off => None,
            Self::Ago(span) => {
                let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
                Some(Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos)))
            }
            Self::At(time) => Some(time),
            Self::Local(time) => {
                let zoned = zone.to_ambiguous_zoned(time).compatible();
                Some(zoned.map_or(Timestamp::from_nanos(i64::MAX), |zoned| zoned.timestamp().into()))
            }
        }
    }
}

impl FromStr for Age {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if let Ok(Span(span)) = text.parse() {
            return Ok(span.map_or(Self::Off, Self::Ago));
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(time.into()));
        }
        text.parse().map(Self::Local).map_err(|_| {
            InvalidValue::new(text, "an age such as 2d or 1.5h, or a time such as 2024-12-31 or 2024-12-31T23:59:59Z")
        })
    }
}
