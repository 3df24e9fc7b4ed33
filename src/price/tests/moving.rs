//! Moving in, moving out, and what goes before its time when one leaves.

use super::cases::DAY;
use crate::price::{Book, Charge, Churn, Cut, Decimal, Offer, Outlook, Stock, Workload, half_up};

const CUT: Cut = Cut { above: 16 << 20, part: 8 << 20 };

fn offer(id: &str) -> Offer {
    Book::shipped().offer(id, DAY).unwrap()
}

#[test]
fn objects_that_go_in_parts_are_that_many_requests() {
    // 100 of 10 GB: 1,193 parts of 8 MiB each, a beginning and an end; and one listing. At 5 USD for a million.
    let workload = Workload { stock: Stock::even(1_000_000_000_000, 100), ..Workload::default() };
    let outlook = Outlook::of(&offer("aws-s3/standard/us-east-1"), &workload, &CUT);
    assert_eq!(outlook.moving_in.total_exact(), Decimal::new(597_505, 6));
    // Read part by part, at 0.40 USD for a million.
    let reads = outlook.moving_out.amount(&Charge::Requests("tier2".to_owned()));
    assert_eq!(reads, Decimal::new(4772, 5));
}

#[test]
fn leaving_bills_what_is_younger_than_the_minimum() {
    let two_tib = |churn: &str, mode| Workload {
        stock: Stock::even(2 << 40, 1000),
        churn_per_day: churn.parse().unwrap(),
        churn: mode,
        ..Workload::default()
    };
    let early = |workload: &Workload| {
        let out = Outlook::of(&offer("wasabi/paygo"), workload, &CUT).moving_out;
        half_up(out.amount(&Charge::EarlyDelete), 4).to_string()
    };
    assert_eq!(early(&two_tib("0", Churn::RoundRobin)), "0.0000", "all are old");
    // Ages 0 to 19 days, a twentieth each: 90 less 9.5 are left. 2 TiB x 80.5/30 x 7.99.
    assert_eq!(early(&two_tib("0.05", Churn::RoundRobin)), "42.8797");
    // A share of 0.05 x 0.95^d is d days old.
    let left: f64 = (0..90).map(|day| 0.05 * 0.95_f64.powi(day) * f64::from(90 - day)).sum();
    let random: f64 = early(&two_tib("0.05", Churn::Random)).parse().unwrap();
    assert!((random - 2.0 * left / 30.0 * 7.99).abs() < 0.001, "{random}");
    // All overwritten each day: none is older than a day.
    assert_eq!(early(&two_tib("1", Churn::RoundRobin)), "47.9400");
}

#[test]
fn currencies_are_converted_by_the_rates_of_the_book() {
    let fx = Book::shipped().fx;
    let one = Decimal::ONE;
    assert_eq!(fx.convert(one, "EUR", "USD"), fx.in_base(one, "EUR"));
    assert_eq!(fx.convert(one, "EUR", "EUR"), Some(one));
    assert_eq!(fx.convert(fx.in_base(one, "EUR").unwrap(), "USD", "EUR"), Some(one));
    assert_eq!(fx.convert(one, "USD", "XYZ"), None);
}
