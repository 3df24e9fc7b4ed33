//! Limits in numbers and in parts.

use std::{fmt, str::FromStr};

use super::{InvalidValue, number::split_number};

/// How much of something: a number, or a part of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// `100`
    Count(u64),
    /// `25%`: 0 to 100.
    Percent(f64),
}

impl FromStr for Limit {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new(text, "a number such as 100, or a part such as 25%");
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Count).map_err(|_| invalid());
        };
        if !split_number(percent).1.is_empty() {
            return Err(invalid());
        }
        let percent = percent.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
        percent.map(Self::Percent).ok_or_else(invalid)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
