//! [`Flag`]: what a sum of money does not say.

use std::fmt;

use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use sterna_backends::words;

/// Something about a quote that a reader must know beside its total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// More leaves than the provider tolerates; what it does then is no line of a bill.
    OutsidePolicy {
        /// Egress of the month over what is stored; absent where nothing is stored.
        ratio: Option<Decimal>,
        /// What is tolerated.
        limit: Decimal,
    },
    /// More than nine tenths of what the provider tolerates leaves.
    AtPolicyLimit {
        /// Egress of the month over what is stored.
        ratio: Decimal,
        /// What is tolerated.
        limit: Decimal,
    },
    /// More than nine tenths of the free egress is used, and not more than all.
    AtFreeEgressLimit,
    /// The data is larger than the machine.
    DoesNotFit {
        /// Bytes to be stored.
        bytes: u64,
        /// Bytes there is room for.
        usable: u64,
    },
    /// A minimum is billed instead of what is used.
    MinimumApplied(Minimum),
    /// Nothing removes old versions: what is overwritten stays and bills.
    VersionsKept {
        /// Bytes they grow by in the month.
        grows_by: u64,
    },
    /// Whether a unit is decimal or binary is not known.
    UnitAssumed,
    /// A price that counts here was read long ago.
    Old {
        /// When it was read.
        as_of: Date,
        /// Days since then.
        days: u32,
    },
    /// A price that counts here stands on a page without a date.
    Undated,
    /// The user's own file changed the offer.
    Overridden {
        /// The user's own words for it.
        note: String,
    },
    /// The user's own file had changed the offer until that day.
    OverrideEnded(Date),
    /// Nothing says what this operation costs; it is counted as nothing.
    Unclassified {
        /// Its canonical name.
        op: String,
    },
    /// Objects must be restored before they can be read; only requests that were named are counted.
    RestoreFirst,
}

/// What is billed at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimum {
    /// Units of storage.
    Storage,
    /// Bytes of an object.
    Object,
    /// The invoice.
    Invoice,
}

/// What a [`Flag`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The price cannot be had for this workload.
    Refusal,
    /// An allowance is as good as used up.
    Limit,
    /// How the total came about, and what it rests on.
    Basis,
}

impl Flag {
    /// What it is about.
    #[must_use]
    pub const fn about(&self) -> About {
        match self {
            Self::OutsidePolicy { .. } | Self::DoesNotFit { .. } => About::Refusal,
            Self::AtPolicyLimit { .. } | Self::AtFreeEgressLimit => About::Limit,
            _ => About::Basis,
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsidePolicy { ratio: Some(ratio), limit } => {
                write!(f, "outside egress policy: {:.2}x stored, limit {}x", half_up(*ratio, 2), limit.normalize())
            }
            Self::OutsidePolicy { ratio: None, limit } => {
                write!(f, "outside egress policy: nothing stored, limit {}x", limit.normalize())
            }
            Self::AtPolicyLimit { ratio, limit } => {
                write!(f, "at the egress policy limit: {:.2}x stored, limit {}x", half_up(*ratio, 2), limit.normalize())
            }
            Self::AtFreeEgressLimit => f.write_str("at the free-egress limit"),
            Self::DoesNotFit { bytes, usable } => {
                write!(f, "does not fit: {}, room for {}", words::bytes(*bytes), words::bytes(*usable))
            }
            Self::MinimumApplied(Minimum::Storage) => f.write_str("minimum storage applied"),
            Self::MinimumApplied(Minimum::Object) => f.write_str("minimum object size applied"),
            Self::MinimumApplied(Minimum::Invoice) => f.write_str("minimum invoice applied"),
            Self::VersionsKept { grows_by } => {
                write!(
                    f,
                    "every old version is kept: {} more each month, until a lifecycle rule removes them",
                    words::bytes(*grows_by)
                )
            }
            Self::UnitAssumed => f.write_str("size of a unit assumed"),
            Self::Old { as_of, days } => write!(f, "price read {days} days ago ({as_of})"),
            Self::Undated => f.write_str("price without a date"),
            Self::Overridden { note } if note.is_empty() => f.write_str("own price"),
            Self::Overridden { note } => write!(f, "own price: {note}"),
            Self::OverrideEnded(day) => write!(f, "own price ended {day}"),
            Self::Unclassified { op } => write!(f, "no price for '{op}'"),
            Self::RestoreFirst => f.write_str("objects must be restored before they are read"),
        }
    }
}

/// `number` rounded half up to `places`.
#[must_use]
pub fn half_up(number: Decimal, places: u32) -> Decimal {
    let mut rounded = number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(places);
    rounded
}
