//! What keeping bytes costs: by the unit, or in quotas.

use serde::Deserialize;

use super::{AsOf, Period};
use crate::price::{Figure, Tier, TierMode};

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
