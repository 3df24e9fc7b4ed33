//! Tiers: what a quantity costs.

use rust_decimal::Decimal;
use serde::Deserialize;

use super::Figure;

/// One step of a tariff.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tier {
    /// The step ends here, in billing units from zero, the bound included; the last has no end.
    pub upto: Option<Figure>,
    /// For one unit (and one hour, where the tariff is hourly).
    pub price: Figure,
}

/// How steps make a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TierMode {
    /// Each step prices what lies inside it.
    #[default]
    Marginal,
    /// The step a quantity ends in prices all of it.
    Volume,
}

impl TierMode {
    /// What `quantity` costs by `tiers`; nothing where there are none.
    #[must_use]
    pub fn cost(self, tiers: &[Tier], quantity: Decimal) -> Decimal {
        match self {
            Self::Marginal => steps(tiers, Decimal::ZERO, quantity)
                .map(|(width, price)| width.saturating_mul(price))
                .fold(Decimal::ZERO, Decimal::saturating_add),
            Self::Volume => tiers
                .iter()
                .find(|tier| tier.upto.is_none_or(|upto| quantity <= *upto))
                .map_or(Decimal::ZERO, |tier| quantity.saturating_mul(*tier.price)),
        }
    }

    /// What `quantity` costs beyond the first `free` of it: an allowance eats the first step.
    #[must_use]
    pub fn beyond(self, tiers: &[Tier], quantity: Decimal, free: Decimal) -> Decimal {
        self.cost(tiers, quantity) - self.cost(tiers, quantity.min(free))
    }
}

/// The pieces of `tiers` between `from` and `to`: how much lies in each, and its price.
pub fn steps(tiers: &[Tier], from: Decimal, to: Decimal) -> impl Iterator<Item = (Decimal, Decimal)> + '_ {
    let mut low = Decimal::ZERO;
    tiers.iter().filter_map(move |tier| {
        let high = tier.upto.map_or(to, |upto| to.min(*upto));
        let width = high - low.max(from);
        low = tier.upto.map_or(low, |upto| *upto);
        (width > Decimal::ZERO).then_some((width, *tier.price))
    })
}
