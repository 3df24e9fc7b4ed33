//! Every worked case of `cases.toml`, to the cent and to eight decimals.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use serde::Deserialize;

use crate::price::{Book, Workload, read};

pub(super) const CASES: &str = include_str!("cases.toml");
pub(super) const DAY: Date = date(2026, 11, 22);

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    workload: String,
    offer: String,
    currency: String,
    total: String,
    total_exact: String,
    lines: BTreeMap<String, String>,
    #[serde(default)]
    flags: Vec<String>,
}

/// The workload of `cases.toml` of that name.
pub(super) fn workload(name: &str) -> Workload {
    let (named, warnings) = read("cases.toml", CASES).unwrap();
    assert_eq!(warnings, []);
    named.into_iter().find(|named| named.name == name).unwrap().workload
}

#[test]
fn every_case_to_the_cent_and_to_eight_decimals() {
    let book = Book::shipped();
    let cases: Cases = toml::from_str(CASES).unwrap();
    assert_eq!(cases.case.len(), 42);
    for case in cases.case {
        let offer = book.offer(&case.offer, DAY).unwrap();
        let quote = serde_json::to_value(offer.quote(&workload(&case.workload))).unwrap();
        let name = format!("{} at {}", case.workload, case.offer);
        assert_eq!(quote["currency"], case.currency, "{name}");
        assert_eq!(quote["lines"], serde_json::to_value(&case.lines).unwrap(), "{name}");
        assert_eq!(quote["total_exact"], case.total_exact, "{name}");
        assert_eq!(quote["total"], case.total, "{name}");
        assert_eq!(quote["flags"], serde_json::to_value(&case.flags).unwrap(), "{name}");
    }
}
