//! [`Saving`]: what it comes to that revisions go.

use sterna_backends::Timestamp;

use super::Decision;
use crate::price::{Change, Decimal, Gone, Offer, Stock};

/// What a store bills less. Money in the offer's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    /// ISO 4217.
    pub currency: String,
    /// Each month.
    pub per_month: Decimal,
    /// Once: what is deleted before the offer's minimum duration is billed to its end.
    pub early: Decimal,
}

impl Saving {
    /// At `offer`, where `all` is kept now and `decision` says what goes.
    #[must_use]
    pub fn of(decision: &Decision, all: &Stock, offer: &Offer, now: Timestamp) -> Self {
        let mut gone = Gone::default();
        for item in decision.groups.iter().flat_map(|group| &group.goes) {
            item.objects.iter().for_each(|(_, size)| gone.add(*size, item.newest));
        }
        let early = offer.early(&gone, &all.without(&gone.stock()), now).map_or(Decimal::ZERO, |line| line.amount);
        let change = Change { gone, ..Change::default() };
        Self { currency: offer.currency.clone(), per_month: -offer.month_more(Some(all), &change), early }
    }
}
