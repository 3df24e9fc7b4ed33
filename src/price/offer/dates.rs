//! Days of a price.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};

/// A day, written as `"2026-11-22"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub Date);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| de::Error::custom(format!("'{text}' is no day like \"2026-11-22\"")))
    }
}

/// When a figure was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AsOf {
    /// On that day.
    On(Date),
    /// The page that says it bears no date.
    #[default]
    Undated,
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(date) => date.fmt(f),
            Self::Undated => f.write_str("undated"),
        }
    }
}

impl<'de> Deserialize<'de> for AsOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "undated" => Ok(Self::Undated),
            day => day.parse().map(Self::On).map_err(|_| {
                de::Error::custom(format!("'{day}' is neither a day like \"2026-11-22\" nor \"undated\""))
            }),
        }
    }
}
