//! What requests cost, and bytes that are read and that leave.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AsOf, Period};
use crate::price::{Figure, Tier};

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
