//! What a change of what is kept costs: by the month, and at once for what goes before its time.

use proptest::prelude::*;
use sterna_backends::Timestamp;

use super::cases::DAY;
use crate::price::{Book, Change, Decimal, Gone, Offer, Stock};

const GB: u64 = 1_000_000_000;
const NOW: Timestamp = Timestamp::from_parts(1_800_000_000, 0);

fn offer(id: &str) -> Offer {
    Book::shipped().offer(id, DAY).unwrap()
}

fn stock(bytes: u64, objects: u64) -> Stock {
    let mut stock = Stock::default();
    (0..objects).for_each(|_| stock.add_about(bytes / objects));
    stock
}

/// So much of that age in days; none: the listing did not tell.
fn gone(bytes: u64, objects: u64, age: Option<i64>) -> Gone {
    let mut gone = Gone::default();
    let stored = age.map(|age| Timestamp::from_parts(NOW.seconds() - age * 86_400, 0));
    (0..objects).for_each(|_| gone.add(bytes / objects, stored));
    gone
}

fn early(id: &str, gone: &Gone, kept: &Stock) -> Decimal {
    offer(id).early(gone, kept, NOW).map_or(Decimal::ZERO, |line| line.amount)
}

fn more(id: &str, kept: Option<&Stock>, added: Stock, gone: Gone) -> String {
    offer(id).month_more(kept, &Change { added, gone }).normalize().to_string()
}

#[test]
fn what_is_free_or_paid_for_at_least_counts_once() {
    let (none, ten) = (Gone::default(), stock(10 * GB, 10));
    // Ten GB are free, and seven of them are taken.
    assert_eq!(more("b2/standard", None, ten.clone(), none.clone()), "0");
    assert_eq!(more("b2/standard", Some(&stock(7 * GB, 7)), ten.clone(), none.clone()), "0.04865");
    // The first byte pays for a TiB; the next ones are in it.
    assert_eq!(more("wasabi/paygo", Some(&Stock::default()), ten.clone(), none.clone()), "7.99");
    assert_eq!(more("wasabi/paygo", Some(&stock(7 * GB, 7)), ten.clone(), none), "0");
    // What goes is paid for no more, and what nobody has listed is there at least.
    let kept = stock(30 * GB, 30);
    assert_eq!(more("b2/standard", Some(&kept), Stock::default(), gone(10 * GB, 10, None)), "-0.0695");
    assert_eq!(more("b2/standard", None, ten, gone(10 * GB, 10, None)), "0");
}

#[test]
fn what_goes_before_its_time_pays_for_the_days_that_are_left() {
    let kept = stock(3 << 40, 3);
    // A quarter of a TiB, 30 days old of 90.
    let young = gone(1 << 38, 4, Some(30));
    assert_eq!(early("wasabi/paygo", &young, &kept).normalize().to_string(), "3.995");
    for old in [gone(1 << 38, 4, Some(90)), gone(1 << 38, 4, Some(5000)), gone(1 << 38, 4, None), Gone::default()] {
        assert_eq!(early("wasabi/paygo", &old, &kept), Decimal::ZERO);
    }
    // Nothing has a minimum there.
    assert_eq!(early("b2/standard", &young, &kept), Decimal::ZERO);
    // A small object counts as the least that is billed: 1,000 of 128 KiB for 30 days at 0.0125 a GiB.
    let small = early("aws-s3/standard-ia/us-east-1", &gone(1000, 1000, Some(0)), &kept);
    assert_eq!(small.normalize().to_string(), "0.00152587890625");
    // The user's own discount goes off it.
    let own = "[override.\"wasabi/paygo\"]\ndiscount_percent = { storage = \"50\" }\n";
    let (book, _) = Book::shipped().with_own("own.toml", own).unwrap();
    let line = book.offer("wasabi/paygo", DAY).unwrap().early(&young, &kept, NOW).unwrap();
    assert_eq!((line.amount.normalize().to_string().as_str(), line.overridden), ("1.9975", true));
}

#[test]
fn where_it_is_a_fee_it_is_one_however_early() {
    let book = Book::shipped();
    let flat = |offer: &&Offer| offer.storage.as_ref().is_some_and(|storage| storage.early_delete.is_some());
    let offers = book.offers(DAY);
    let offer = offers.iter().find(flat).unwrap();
    let storage = offer.storage.as_ref().unwrap();
    let unit = offer.meter.storage_unit_bytes;
    let units = |count: u64, age| {
        let line = offer.early(&gone(count * unit, 10, Some(age)), &Stock::default(), NOW);
        line.map_or(Decimal::ZERO, |line| line.amount)
    };
    let free = u64::try_from(storage.early_delete_free_units.unwrap().get()).unwrap();
    assert_eq!(units(free, 0), Decimal::ZERO);
    let fee = *storage.early_delete_price.unwrap() * Decimal::from(10);
    assert_eq!((units(free + 10, 0), units(free + 10, 29)), (fee, fee));
    assert_eq!(units(free + 10, i64::from(storage.min_duration_days)), Decimal::ZERO);
}

proptest! {
    /// At every offer: younger costs no less, more costs no less, and nothing is earned.
    #[test]
    fn early_deletion_is_monotone(size in 1_u64..1 << 30, objects in 1_u64..30, age in 0_i64..200, kept in 0_u64..1 << 44) {
        let kept = Stock::even(kept, 10);
        for offer in Book::shipped().offers(DAY) {
            let due = |objects, age| {
                let gone = gone(size * objects, objects, Some(age));
                offer.early(&gone, &kept, NOW).map_or(Decimal::ZERO, |line| line.amount)
            };
            let here = due(objects, age);
            prop_assert!(here >= Decimal::ZERO, "{}", offer.id);
            prop_assert!(due(objects, age + 1) <= here, "{}", offer.id);
            prop_assert!(due(objects + 1, age) >= here, "{}", offer.id);
        }
    }
}
