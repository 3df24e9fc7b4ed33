//! Providers side by side: all that `compare` found, as one value. Its JSON is what `--json` prints; the page and the
//! table are folds of it.

use serde::Serialize;
use sterna_backends::{Capabilities, Timestamp, conformance};

use super::Prices;
use crate::{
    measure::{Estimate, Speed},
    verify::Coverage,
};

/// What `compare` found.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// When it was made.
    pub made: Timestamp,
    /// The version of sterna that made it.
    pub version: String,
    /// The places, in the order in which they were named.
    pub places: Vec<Provider>,
    /// Bytes that measuring one place was to take at most; `None` where nothing was measured.
    pub budget: Option<u64>,
    /// What they hold.
    pub content: Coverage,
    /// What keeping and reading it costs; `None` where nothing is known of any place's price.
    pub price: Option<Prices>,
}

/// One place of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Provider {
    /// The place as people write it, without any secret.
    pub name: String,
    /// What it says it can do.
    pub capabilities: Capabilities,
    /// What measuring it was to take at most; `None` where nothing was measured.
    pub estimate: Option<Estimate>,
    /// What was measured.
    pub speed: Option<Speed>,
    /// What the conformance suite found of it; `None` where it was not asked for.
    pub doctor: Option<conformance::Report>,
}

impl Comparison {
    /// The letter that stands for a place where there is no room for its name.
    #[must_use]
    pub fn letter(place: usize) -> char {
        u8::try_from(place).map_or('?', |place| char::from(b'A'.saturating_add(place)))
    }
}
