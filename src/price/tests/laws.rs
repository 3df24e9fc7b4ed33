//! Laws that hold for every offer and any workload.

use jiff::civil::Date;
use proptest::prelude::*;

use super::cases::DAY;
use crate::price::{Book, Churn, Decimal, Residue, Stock, TierMode, Workload, half_up};

fn workloads() -> impl Strategy<Value = Workload> {
    let sizes = prop::collection::vec((0_u64..10_000_000_000, 0_u64..100_000), 0..4);
    let churn = (0_u32..2000, any::<bool>(), prop::option::of(0_u32..40));
    let traffic = (0_u64..1_000_000_000_000_000, 0_u64..100_000_000, 0_u64..100_000_000);
    (sizes, churn, traffic).prop_map(|(sizes, (churn, random, kept), (egress, puts, gets))| {
        let mut stock = Stock::default();
        for (size, objects) in sizes {
            stock.add_many(size, objects);
        }
        Workload {
            stock,
            churn_per_day: Decimal::new(churn.into(), 3),
            churn: if random { Churn::Random } else { Churn::RoundRobin },
            residue: kept.map(|days| Residue::Days(days.into())),
            egress_bytes: egress,
            ops: [("put_object".to_owned(), puts), ("get_object".to_owned(), gets)].into(),
            ..Workload::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_egress_never_costs_less(workload in workloads(), more in 0_u64..1_000_000_000_000_000) {
        for offer in Book::shipped().offers(DAY) {
            let less = offer.quote(&workload).total_exact();
            let with_more = Workload { egress_bytes: workload.egress_bytes + more, ..workload.clone() };
            prop_assert!(offer.quote(&with_more).total_exact() >= less, "{}", offer.id);
        }
    }

    #[test]
    fn no_line_is_negative_and_the_written_lines_make_the_written_total(workload in workloads()) {
        for offer in Book::shipped().offers(DAY) {
            let quote = offer.quote(&workload);
            for line in &quote.lines {
                prop_assert!(line.amount >= Decimal::ZERO, "{} {}", offer.id, line.charge);
            }
            let sum: Decimal = quote.lines.iter().map(|line| line.amount).sum();
            prop_assert_eq!(quote.total(), half_up(sum, 2));
        }
    }

    #[test]
    fn tiers_are_continuous_at_their_bounds(grain in 1_u32..1000) {
        let little = Decimal::ONE / Decimal::from(grain) / Decimal::from(1_000_000);
        for offer in Book::shipped().records() {
            for tiers in offer.storage.iter().map(|storage| &storage.tiers).chain([&offer.egress.tiers]) {
                let dearest = tiers.iter().map(|tier| *tier.price).max().unwrap_or_default();
                for bound in tiers.iter().filter_map(|tier| tier.upto) {
                    let below = TierMode::Marginal.cost(tiers, *bound - little);
                    let above = TierMode::Marginal.cost(tiers, *bound + little);
                    prop_assert!(above >= below && above - below <= dearest * little * Decimal::TWO, "{}", offer.id);
                }
            }
        }
    }

    #[test]
    fn a_day_has_one_price(days in -2000_i32..2000) {
        let day: Date = DAY.checked_add(jiff::Span::new().days(days)).unwrap();
        let offers = Book::shipped().offers(day);
        let mut ids: Vec<_> = offers.iter().map(|offer| &offer.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), offers.len());
    }
}

#[test]
fn figures_beyond_all_reason_do_not_fail() {
    let mut stock = Stock::default();
    stock.add_many(1, u64::MAX);
    stock.add_many(u64::MAX, u64::MAX);
    for month in [None, Some(3)] {
        let workload = Workload {
            stock: stock.clone(),
            churn_per_day: Decimal::ONE_HUNDRED,
            egress_bytes: u64::MAX,
            ops: [("put_object".to_owned(), u64::MAX)].into(),
            residue: Some(Residue::Days(Decimal::from(36_500))),
            month,
            ..Workload::default()
        };
        for offer in Book::shipped().offers(DAY) {
            assert!(offer.quote(&workload).total_exact() >= Decimal::ZERO);
        }
    }
}
