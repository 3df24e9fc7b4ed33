//! [`Offer`]: what one provider asks for one class of storage in one region, with where each figure comes from.

use std::{collections::BTreeMap, fmt};

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};

use super::{Figure, Flat, Override, Tier, TierMode};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

/// What keeping bytes costs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Storage {
    /// What [`Storage::tiers`] are for.
    #[serde(default)]
    pub period: Period,
    /// Units that cost nothing.
    pub free_units: Option<Figure>,
    /// By units kept.
    pub tiers: Vec<Tier>,
    /// How the tiers are read.
    #[serde(default)]
    pub tier_mode: TierMode,
    /// The least that is billed; compared with what is kept, not with what was deleted early.
    pub min_units: Option<Figure>,
    /// Quantities are rounded up to a multiple of this.
    pub round_up_units: Option<Figure>,
    /// A smaller object bills as this many bytes.
    #[serde(default)]
    pub min_object_bytes: u64,
    /// Bytes billed on top of each object.
    #[serde(default)]
    pub overhead_bytes: u64,
    /// Bytes billed on top of each object at the provider's STANDARD class.
    #[serde(default)]
    pub overhead_standard_bytes: u64,
    /// Filled by the book: the tiers those bytes cost.
    #[serde(skip)]
    pub standard_tiers: Vec<Tier>,
    /// An object deleted earlier bills until it has this age.
    #[serde(default)]
    pub min_duration_days: u32,
    /// How early deletion bills; as storage where absent.
    pub early_delete: Option<EarlyDelete>,
    /// For a unit deleted early, where that is a flat fee.
    pub early_delete_price: Option<Figure>,
    /// Units a month that may be deleted early for nothing.
    pub early_delete_free_units: Option<Figure>,
    /// Whether bytes deleted early fill up `min_units`.
    #[serde(default)]
    pub early_delete_counts_toward_minimum: bool,
    /// The minimum counts metadata, too.
    #[serde(default)]
    pub counts_metadata: bool,
    /// Old versions bill.
    #[serde(default)]
    pub counts_versions: bool,
    /// Uploads that were begun and not ended bill.
    #[serde(default)]
    pub counts_unfinished_multipart: bool,
    /// What becomes of overwritten bytes, where nobody configured it.
    pub default_residue: Option<DefaultResidue>,
    /// Days overwritten and deleted bytes are kept, where nobody configured it.
    pub default_residue_days: Option<Figure>,
    /// For a unit in each further region.
    pub per_replica_region: Option<Figure>,
    /// Where unread objects move by themselves; not modelled.
    #[serde(default)]
    pub auto_tiers: Vec<AutoTier>,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// How early deletion bills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EarlyDelete {
    /// A fee for each unit that goes before its time, however early.
    FlatPerUnit,
}

/// What becomes of overwritten bytes by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultResidue {
    /// They stay until somebody deletes them.
    AllVersionsKept,
}

/// Where unread objects move by themselves.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AutoTier {
    /// Unread for so long.
    pub after_days: u32,
    /// For a unit and month from then on.
    pub price: Figure,
}

/// Quotas sold whole.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Plans {
    /// From small to large.
    pub sizes: Vec<PlanSize>,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// One quota.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PlanSize {
    /// Units it holds.
    pub units: Figure,
    /// A month.
    pub price: Figure,
    /// Its name.
    pub name: String,
}

/// A class of requests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RequestClass {
    /// Its name; unique in an offer.
    pub class: String,
    /// For [`RequestClass::per`] requests.
    pub price: Figure,
    /// How many requests the price is for.
    pub per: u64,
    /// Requests that cost nothing.
    #[serde(default)]
    pub free: u64,
    /// What [`RequestClass::free`] is for.
    #[serde(default)]
    pub free_period: Period,
    /// Counts are rounded up to a multiple of this before the allowance goes off.
    pub round_up_to: Option<u64>,
    /// Canonical operations (`put_object`, `b2_get_upload_url`); `other` and `*` take what nobody names.
    pub ops: Vec<String>,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// What reading bytes out of the class costs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Retrieval {
    /// For a unit.
    pub price: Figure,
    /// For a unit, where the reader can wait longest.
    pub bulk: Option<Figure>,
    /// For a unit, where the reader cannot wait.
    pub expedited: Option<Figure>,
    /// As many times what is stored may be read for nothing.
    pub free_multiple_of_stored: Option<Figure>,
    /// Quantities are rounded up to a multiple of this.
    pub round_up_units: Option<Figure>,
    /// A smaller read bills as this many bytes.
    #[serde(default)]
    pub min_read_bytes: u64,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// What bytes that leave cost.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Egress {
    /// By units that leave.
    pub tiers: Vec<Tier>,
    /// Units that cost nothing.
    pub free_units: Option<Figure>,
    /// Who shares the allowance.
    pub free_scope: Option<String>,
    /// Units an hour that cost nothing.
    pub free_units_per_hour: Option<Figure>,
    /// As many times what is stored on average leaves for nothing.
    pub free_multiple_of_stored: Option<Figure>,
    /// Partners to whom bytes leave for nothing, outside the allowance.
    #[serde(default)]
    pub free_via: Vec<String>,
    /// Quantities are rounded up to a multiple of this.
    pub round_up_units: Option<Figure>,
    /// What the provider tolerates, where it does not bill.
    pub policy: Option<EgressPolicy>,
    /// For a unit to another region of the provider.
    pub other_region: Option<Figure>,
    /// For a unit to one certain other region.
    pub same_family_region: Option<RegionPrice>,
    /// For a unit to the provider's own CDN, which bills by itself.
    pub to_cdn: Option<Figure>,
    /// For a unit, by where the readers are.
    #[serde(default)]
    pub by_destination: BTreeMap<String, Figure>,
    /// For a unit by another routing, by tiers of its own.
    #[serde(default)]
    pub transit_isp: Vec<Figure>,
    /// What held before.
    pub superseded: Option<Superseded>,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// The newest reading.
    #[serde(default)]
    pub as_of: AsOf,
}

/// What a provider tolerates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EgressPolicy {
    /// What the provider calls it.
    pub kind: String,
    /// Egress of a month over what is stored.
    pub max_multiple_of_stored: Figure,
    /// What happens beyond.
    pub consequence: String,
}

/// The price to one certain region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RegionPrice {
    /// Which.
    pub region: String,
    /// For a unit.
    pub price: Figure,
}

/// A tariff that held before.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Superseded {
    /// In words.
    pub note: String,
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
