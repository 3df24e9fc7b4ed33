//! [`Saving`]: what it comes to that revisions go.

use sterna_backends::Timestamp;

use super::Decision;
use crate::price::{Charge, Decimal, Offer, Stock, Workload};

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
        let mut left = all.clone();
        let mut early = Decimal::ZERO;
        for gone in decision.groups.iter().flat_map(|group| &group.goes) {
            let mut item = Stock::default();
            for (_, size) in &gone.objects {
                item.add(*size);
                left.take_many(*size, 1);
            }
            let seconds = gone.newest.map_or(0, |newest| now.seconds().saturating_sub(newest.seconds()).max(0));
            early += offer.tail(&item, Decimal::from(seconds) / Decimal::from(86_400));
        }
        let kept = |stock: &Stock| {
            let quote = offer.quote(&Workload { stock: stock.clone(), ..Workload::default() });
            quote.amount(&Charge::Storage)
        };
        Self { currency: offer.currency.clone(), per_month: kept(all) - kept(&left), early }
    }
}
