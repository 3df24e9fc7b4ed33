//! Quantities that are priced: bytes as invoices count them, bytes a month, shares a day.

use std::str::FromStr;

use sterna::price::{Decimal, MONTH_DAYS, Residue};

use super::{
    InvalidValue,
    number::{scaled, split_number},
};

/// Bytes as invoices count them: `1TB` is 10^12, `1TiB` 2^40, `5B` and `5` are bytes.
///
/// Other than [`Size`](super::Size), where rclone's users expect 1,024.
pub fn bytes_of(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit) = split_number(&lower);
    let unit = unit.trim().trim_end_matches('b');
    let (letter, base) = unit.strip_suffix('i').map_or((unit, 1000_u128), |letter| (letter, 1024));
    let power = match letter {
        "" if base == 1000 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    scaled(number, base.pow(power)).and_then(|bytes| u64::try_from(bytes).ok())
}

/// Bytes a month of [`MONTH_DAYS`] days: `3TB`, `3TB/month`, `100GB/day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic(pub u64);

impl FromStr for Traffic {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (size, days) = match text.split_once('/').map(|(size, period)| (size, period.trim())) {
            None => (text, 1),
            Some((size, "month")) => (size, 1),
            Some((size, "day")) => (size, MONTH_DAYS),
            Some(_) => return Err(InvalidValue::new(text, "bytes a month or a day, such as 3TB/month or 100GB/day")),
        };
        bytes_of(size)
            .and_then(|bytes| bytes.checked_mul(days.into()))
            .map(Self)
            .ok_or_else(|| InvalidValue::new(text, "bytes a month or a day, such as 3TB/month or 100GB/day"))
    }
}

/// A share that is overwritten each day: `5%/day`, `5%`, `0.05`. Above 1 it needs its `%`: who writes 5 means 5 %, or forgot it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Churn(pub Decimal);

impl FromStr for Churn {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new(text, "a share a day, such as 5%/day");
        let (share, days) = match text.split_once('/').map(|(share, period)| (share, period.trim())) {
            None => (text, 1),
            Some((share, "day")) => (share, 1),
            Some((share, "month")) => (share, MONTH_DAYS),
            Some(_) => return Err(invalid()),
        };
        let share = share.trim();
        let (number, whole) =
            share.strip_suffix('%').map_or((share, Decimal::ONE), |number| (number, Decimal::ONE_HUNDRED));
        let share = Decimal::from_str_exact(number.trim()).map_err(|_| invalid())?;
        if share.is_sign_negative() || share > Decimal::from(10_000) || (share > whole && whole == Decimal::ONE) {
            return Err(invalid());
        }
        Ok(Self(share / whole / Decimal::from(days)))
    }
}

/// How many days an object lives, at least one: `20`, `20d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime(u16);

impl Lifetime {
    /// The share that is overwritten each day.
    pub fn churn(self) -> Decimal {
        Decimal::ONE / Decimal::from(self.0)
    }
}

impl FromStr for Lifetime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let days = text.trim_end_matches('d').parse().ok().filter(|days| *days > 0);
        days.map(Self).ok_or_else(|| InvalidValue::new(text, "a number of days, at least 1"))
    }
}

/// How long overwritten bytes are kept: days, or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept(pub Residue);

impl FromStr for Kept {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "forever" {
            return Ok(Self(Residue::Forever));
        }
        let days = text.trim_end_matches('d').parse::<u16>();
        let days = days.map_err(|_| InvalidValue::new(text, "a number of days, or forever"))?;
        Ok(Self(Residue::Days(days.into())))
    }
}
