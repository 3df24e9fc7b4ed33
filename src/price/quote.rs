//! [`Quote`]: money, by line.

use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    flag::{About, Flag, half_up},
    offer::AsOf,
};

/// What a workload costs at an offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// The id of the offer.
    pub offer: String,
    /// ISO 4217; the offer's own.
    pub currency: String,
    /// In the order of a bill; never two of one charge.
    pub lines: Vec<Line>,
    /// What the total does not say.
    pub flags: Vec<Flag>,
}

/// One line of a bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What for.
    pub charge: Charge,
    /// Exactly.
    pub amount: Decimal,
    /// How the amount comes about: the formula with its numbers.
    pub formula: String,
    /// The newest reading of the figures it rests on.
    pub as_of: AsOf,
    /// The user's own file changed the figures it rests on.
    pub overridden: bool,
}

/// What a line of a bill is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Charge {
    /// Having the service at all; the rent of a machine.
    Base,
    /// The price of a machine over its life.
    Hardware,
    /// What a machine draws.
    Power,
    /// A flat fee for what was deleted before its time.
    EarlyDelete,
    /// Keeping bytes: what is live, kept of old, and deleted before its time.
    Storage,
    /// A quota bought whole.
    Plan,
    /// Requests of the class of that name.
    Requests(String),
    /// Watching objects.
    Monitoring,
    /// Reading bytes out of the class.
    Retrieval,
    /// Bytes that leave.
    Egress,
    /// Buckets.
    Buckets,
    /// What an invoice asks at least.
    MinInvoice,
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Hardware => f.write_str("hardware"),
            Self::Power => f.write_str("power"),
            Self::EarlyDelete => f.write_str("early-delete"),
            Self::Storage => f.write_str("storage"),
            Self::Plan => f.write_str("plan"),
            Self::Requests(class) => write!(f, "requests-{class}"),
            Self::Monitoring => f.write_str("monitoring"),
            Self::Retrieval => f.write_str("retrieval"),
            Self::Egress => f.write_str("egress"),
            Self::Buckets => f.write_str("buckets"),
            Self::MinInvoice => f.write_str("min-invoice"),
        }
    }
}

impl Quote {
    /// The sum of the exact lines.
    #[must_use]
    pub fn total_exact(&self) -> Decimal {
        self.lines.iter().map(|line| line.amount).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    /// The sum as a bill shows it: half up to a hundredth.
    #[must_use]
    pub fn total(&self) -> Decimal {
        half_up(self.total_exact(), 2)
    }

    /// The amount of one line; zero where there is none.
    #[must_use]
    pub fn amount(&self, charge: &Charge) -> Decimal {
        self.lines.iter().find(|line| line.charge == *charge).map_or(Decimal::ZERO, |line| line.amount)
    }

    /// Whether the provider sells this at all: no flag refuses it.
    #[must_use]
    pub fn is_to_be_had(&self) -> bool {
        self.flags.iter().all(|flag| flag.about() != About::Refusal)
    }

    /// The oldest reading among the lines that cost something.
    #[must_use]
    pub fn oldest(&self) -> Option<Date> {
        let dated = |line: &Line| match line.as_of {
            AsOf::On(date) if !line.amount.is_zero() => Some(date),
            _ => None,
        };
        self.lines.iter().filter_map(dated).min()
    }
}

/// `{"offer", "currency", "total", "total_exact", "lines": {..}, "flags": [..], "notes": [..]}`: money as texts, lines and
/// [`Quote::total_exact`] with eight decimals. `flags` are what may keep somebody from this price
/// ([`About::Refusal`], [`About::Limit`]), `notes` what it rests on.
impl Serialize for Quote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = |basis: bool| -> Vec<String> {
            self.flags.iter().filter(|flag| (flag.about() == About::Basis) == basis).map(ToString::to_string).collect()
        };
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("offer", &self.offer)?;
        map.serialize_entry("currency", &self.currency)?;
        map.serialize_entry("total", &self.total().to_string())?;
        map.serialize_entry("total_exact", &half_up(self.total_exact(), 8).to_string())?;
        map.serialize_entry("lines", &Lines(&self.lines))?;
        map.serialize_entry("flags", &texts(false))?;
        map.serialize_entry("notes", &texts(true))?;
        map.end()
    }
}

struct Lines<'a>(&'a [Line]);

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|line| (line.charge.to_string(), half_up(line.amount, 8).to_string())))
    }
}
