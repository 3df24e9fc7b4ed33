//! What a workload costs at each of several places, and how that changes with what is read.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::Serialize;

use crate::price::{Book, Offer, Quote, Workload};

/// Steps of a curve.
const STEPS: u64 = 60;

/// What a workload costs at several places.
#[derive(Clone, Debug, Serialize)]
pub struct Prices {
    /// Objects that are kept.
    pub objects: u64,
    /// Bytes that are kept.
    pub bytes: u64,
    /// Bytes that leave in a month.
    pub egress_bytes: u64,
    /// Requests in a month, by canonical operation.
    pub requests: BTreeMap<String, u64>,
    /// The currency in which places are compared; ISO 4217.
    pub currency: String,
    /// Each place; `None` where nothing is known of its price.
    pub places: Vec<Option<Priced>>,
}

/// What it costs at one place.
#[derive(Clone, Debug, Serialize)]
pub struct Priced {
    /// In the offer's own currency, by line.
    pub quote: Quote,
    /// The total in [`Prices::currency`], to compare; `None` for a currency without a rate.
    pub total: Option<f64>,
    /// Each line of the quote in [`Prices::currency`], by its charge, in the order of a bill.
    pub lines: Vec<(String, f64)>,
    /// The total in [`Prices::currency`] for so many bytes that leave in a month, from none on.
    pub curve: Vec<(u64, f64)>,
}

impl Prices {
    /// What `workload` costs at each place whose offer is known, in a month.
    #[must_use]
    pub fn of(book: &Book, offers: &[Option<Offer>], workload: &Workload) -> Self {
        let most = workload.egress_bytes.max(workload.stock.bytes()).saturating_mul(2).max(STEPS);
        let priced = |offer: &Option<Offer>| offer.as_ref().map(|offer| priced(book, offer, workload, most));
        Self {
            objects: workload.stock.objects(),
            bytes: workload.stock.bytes(),
            egress_bytes: workload.egress_bytes,
            requests: workload.ops.clone(),
            currency: book.fx.base.clone(),
            places: offers.iter().map(priced).collect(),
        }
    }

    /// Where two places cost the same: their numbers, and the bytes that leave in a month. To the nearest step of the curves,
    /// straight between two.
    #[must_use]
    pub fn crossings(&self) -> Vec<(usize, usize, u64)> {
        let mut found = Vec::new();
        for (a, first) in self.places.iter().enumerate() {
            for (b, second) in self.places.iter().enumerate().skip(a + 1) {
                let (Some(first), Some(second)) = (first, second) else { continue };
                found.extend(crossings(&first.curve, &second.curve).into_iter().map(|egress| (a, b, egress)));
            }
        }
        found
    }
}

fn priced(book: &Book, offer: &Offer, workload: &Workload, most: u64) -> Priced {
    let base = |amount: Decimal| book.fx.in_base(amount, &offer.currency).and_then(|amount| amount.to_f64());
    let quote = offer.quote(workload);
    let point = |step: u64| {
        let egress_bytes = u64::try_from(u128::from(most) * u128::from(step) / u128::from(STEPS)).unwrap_or(u64::MAX);
        let read = Workload { egress_bytes, ..workload.clone() };
        Some((egress_bytes, base(offer.quote(&read).total_exact())?))
    };
    Priced {
        total: base(quote.total_exact()),
        lines: quote.lines.iter().filter_map(|line| Some((line.charge.to_string(), base(line.amount)?))).collect(),
        curve: (0..=STEPS).filter_map(point).collect(),
        quote,
    }
}

fn crossings(first: &[(u64, f64)], second: &[(u64, f64)]) -> Vec<u64> {
    let gaps: Vec<(u64, f64)> = first.iter().zip(second).map(|((egress, a), (_, b))| (*egress, a - b)).collect();
    let cross = |pair: &[(u64, f64)]| {
        let [(from, before), (to, after)] = *pair else { return None };
        (before * after < 0.0).then(|| from + ((to - from) as f64 * before / (before - after)) as u64)
    };
    gaps.windows(2).filter_map(cross).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cross_between_their_steps() {
        let (flat, steep) = ([(0, 5.0), (10, 5.0), (20, 5.0)], [(0, 0.0), (10, 4.0), (20, 8.0)]);
        assert_eq!(crossings(&flat, &steep), [12]);
        assert_eq!(crossings(&flat, &flat), [0; 0]);
    }
}
