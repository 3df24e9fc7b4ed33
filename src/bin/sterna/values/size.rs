//! Sizes in bytes.

use std::{fmt, str::FromStr};

use super::{
    InvalidValue,
    number::{scaled, split_number},
};

/// Bytes, or `off` (no limit).
///
/// A bare number counts KiB, as in rclone; `B`, `K`, `M`, `G`, `T`, `P`, `E` in either case are powers of 1,024, and `Ki`
/// and `KiB` are the same as `K`. Fractions are taken (`1.5G`) and rounded down to bytes. `KB` is refused, as in rclone:
/// nobody knows whether 1,000 or 1,024 is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub Option<u64>);

impl FromStr for Size {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self(None));
        }
        let invalid = || InvalidValue::new(text, "a size such as 100 (KiB), 50B, 10M or 1.5GiB, or off");
        let lower = text.to_ascii_lowercase();
        let (number, unit) = split_number(&lower);
        let shift = match unit {
            "b" => 0,
            "" | "k" | "ki" | "kib" => 10,
            "m" | "mi" | "mib" => 20,
            "g" | "gi" | "gib" => 30,
            "t" | "ti" | "tib" => 40,
            "p" | "pi" | "pib" => 50,
            "e" | "ei" | "eib" => 60,
            _ => return Err(invalid()),
        };
        let bytes = scaled(number, 1 << shift).and_then(|bytes| u64::try_from(bytes).ok());
        bytes.map(|bytes| Self(Some(bytes))).ok_or_else(invalid)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{bytes}B"),
            None => f.write_str("off"),
        }
    }
}
