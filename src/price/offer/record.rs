//! A row of the price book, and what it asks whatever is kept and asked for.

use serde::{Deserialize, Serialize};

use super::{AsOf, Day, Egress, Plans, RequestClass, Retrieval, Storage};
use crate::price::{Figure, Flat, Override};

/// One row of the price book. Money is in [`Offer::currency`]; quantities are in the units of [`Offer::meter`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Offer {
    /// `provider/class/region`, unique at every date.
    pub id: String,
    /// Who sells it.
    pub provider: String,
    /// The storage class, in the provider's word.
    pub class: String,
    /// Where it holds.
    pub region: String,
    /// ISO 4217.
    pub currency: String,
    /// The first day it holds; open where absent.
    pub effective_from: Option<Day>,
    /// The first day it holds no more; open where absent.
    pub effective_to: Option<Day>,
    /// How well the figures are known.
    #[serde(default)]
    pub confidence: Confidence,
    /// Whether there are figures to price with.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Which protocols reach it.
    #[serde(default)]
    pub api: Vec<String>,
    /// What surprises customers.
    #[serde(default)]
    pub traps: Vec<String>,
    /// What else to know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Objects must be restored before they can be read.
    #[serde(default)]
    pub async_restore: bool,
    /// Units and hours.
    pub meter: Meter,
    /// What is paid for having it at all.
    pub base: Option<Base>,
    /// What keeping bytes costs; absent where plans are sold.
    pub storage: Option<Storage>,
    /// Quotas sold whole.
    pub plans: Option<Plans>,
    /// Classes of requests; the first that names an operation bills it.
    #[serde(default, rename = "request")]
    pub requests: Vec<RequestClass>,
    /// What reading bytes out of the class costs, on top of egress.
    pub retrieval: Option<Retrieval>,
    /// What bytes that leave cost.
    #[serde(default)]
    pub egress: Egress,
    /// What watching objects costs.
    pub monitoring: Option<Monitoring>,
    /// What buckets cost.
    pub buckets: Option<Buckets>,
    /// A machine of one's own, priced by another formula; the sections above are empty then.
    #[serde(skip)]
    pub flat: Option<Flat>,
    /// What the user's own file changed.
    #[serde(skip)]
    pub overridden: Option<Override>,
}

fn yes() -> bool {
    true
}

/// How well the figures of an offer are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A copy of the provider's own page, document or interface says so.
    Vendor,
    /// Two or more independent readings agree.
    Multi,
    /// One reading.
    Single,
    /// Only evidence without a date, or older than a year.
    Stale,
    /// The rate was not found.
    Unpriced,
    /// The user's own figures.
    #[default]
    Own,
}

/// Units and hours of an offer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Meter {
    /// Bytes of a unit of storage.
    pub storage_unit_bytes: u64,
    /// Bytes of a unit of traffic.
    pub transfer_unit_bytes: u64,
    /// How it is known whether a GB is 10^9 or 2^30 bytes.
    #[serde(default)]
    pub unit_evidence: UnitEvidence,
    /// When the provider looks.
    #[serde(default)]
    pub sampling: String,
    /// Hours of a month, where prices are hourly.
    pub month_hours: u32,
}

/// How the size of a unit is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitEvidence {
    /// The provider says it.
    Documented,
    /// It follows from other figures.
    Inferred,
    /// Taken, not known.
    #[default]
    Unknown,
}

/// What is paid for having an offer at all.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Base {
    /// A month.
    pub monthly: Option<Figure>,
    /// An hour, up to `monthly_cap`.
    pub hourly: Option<Figure>,
    /// The most the hours of a month cost.
    pub monthly_cap: Option<Figure>,
    /// The least an invoice asks.
    pub min_invoice: Option<Figure>,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// Whether a price is for a month or for an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// A month.
    #[default]
    Month,
    /// An hour.
    Hour,
    /// A day: for allowances.
    Day,
}

/// What watching objects costs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Monitoring {
    /// For [`Monitoring::per`] objects and month.
    pub price: Figure,
    /// How many objects the price is for.
    pub per: u64,
    /// Smaller objects are not watched.
    #[serde(default)]
    pub min_object_bytes: u64,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// What buckets cost.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Buckets {
    /// Buckets that cost nothing.
    pub free: u64,
    /// For each further one and month.
    pub price_each: Figure,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}
