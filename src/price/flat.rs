//! [`Flat`]: a machine of one's own, or a rented one, whose price hardly depends on what it holds.

use serde::Deserialize;

use super::Figure;

/// Figures of the user's own; the book ships none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Flat {
    /// `"flat"`; there is no other.
    #[serde(default)]
    pub kind: FlatKind,
    /// Rent a month.
    #[serde(default, alias = "rent")]
    pub monthly: Figure,
    /// What the machine cost.
    #[serde(default)]
    pub hardware_price: Figure,
    /// Months it is meant to live.
    pub lifetime_months: Option<u32>,
    /// What it draws.
    #[serde(default)]
    pub watts: Figure,
    /// For a kWh.
    #[serde(default)]
    pub kwh_price: Figure,
    /// TB (10^12 bytes) a month that leave for nothing; all where there is no [`Flat::overage_per_tb`].
    #[serde(default)]
    pub included_tb: Figure,
    /// For each further TB.
    #[serde(default)]
    pub overage_per_tb: Figure,
    /// Bytes there is room for.
    pub usable_bytes: Option<u64>,
    /// ISO 4217; the book's base currency where absent.
    pub currency: Option<String>,
    /// Which protocols reach it.
    #[serde(default)]
    pub api: Vec<String>,
    /// The user's own words.
    #[serde(default)]
    pub note: String,
}

/// What kind of own offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlatKind {
    /// A sum a month.
    #[default]
    Flat,
}
