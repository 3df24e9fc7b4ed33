//! Prices of the user's own, and mistakes in them.

use jiff::civil::date;

use super::cases::{DAY, workload};
use crate::price::{Book, BookProblem, Charge, SelectError};

const OWN: &str = r#"
[override."b2/standard"]
note = "contract 2026-04, per order form"
valid_until = "2027-04-01"
storage.tiers = [{ price = "0.0060" }]

[override."wasabi/paygo"]
storage.min_duration_days = 30

[override."aws-s3/standard/us-east-1"]
discount_percent = { egress = "20" }
egress.free_units = "0"

[offer_local.nas]
kind = "flat"
monthly = "12.50"
usable_bytes = 16000000000000
"#;

fn book(text: &str) -> Book {
    let (book, warnings) = Book::shipped().with_own("own.toml", text).unwrap();
    assert_eq!(warnings, []);
    book
}

fn mistake(text: &str) -> BookProblem {
    Book::shipped().with_own("own.toml", text).unwrap_err()
}

fn total(book: &Book, id: &str, name: &str) -> String {
    book.offer(id, DAY).unwrap().quote(&workload(name)).total().to_string()
}

#[test]
fn what_the_user_wrote_counts_and_is_marked() {
    let book = book(OWN);
    // 990 GB at 0.006; the allowance of the book stays.
    assert_eq!(total(&book, "b2/standard", "a"), "5.94");
    let quote = book.offer("b2/standard", DAY).unwrap().quote(&workload("a"));
    let marked: Vec<_> = quote.lines.iter().map(|line| (line.charge.clone(), line.overridden)).collect();
    assert_eq!(marked, [(Charge::Storage, true), (Charge::Egress, false)]);
    assert!(quote.flags.iter().any(|flag| flag.to_string() == "own price: contract 2026-04, per order form"));
    // One unit and 0.0454747 × (30 − 20) deleted early, at 7.99.
    assert_eq!(total(&book, "wasabi/paygo", "a"), "11.62");
    // 2793.967724 × 0.09 × 0.8, and the rest as before.
    let aws = book.offer("aws-s3/standard/us-east-1", DAY).unwrap().quote(&workload("a"));
    assert_eq!(aws.amount(&Charge::Egress).round_dp(6).to_string(), "201.165676");
    assert_eq!(total(&book, "nas", "a"), "12.50");
    let nas = book.offer("nas", DAY).unwrap();
    assert!(nas.quote(&workload("a")).is_to_be_had());
    assert!(!nas.quote(&workload("b")).is_to_be_had());
}

#[test]
fn a_contract_that_has_ended_counts_no_more_and_is_told() {
    let quote = book(OWN).offer("b2/standard", date(2027, 4, 2)).unwrap().quote(&workload("a"));
    assert_eq!(quote.total().to_string(), "6.88");
    assert!(quote.flags.iter().any(|flag| flag.to_string() == "own price ended 2027-04-01"));
}

#[test]
fn a_machine_of_ones_own_costs_rent_hardware_power_and_what_leaves() {
    let text = r#"
[offer_local.box]
monthly = "43"
included_tb = "2"
overage_per_tb = "1"
hardware_price = "600"
lifetime_months = 60
watts = "20"
kwh_price = "0.30"
currency = "EUR"
"#;
    // 43 + 600/60 + 20/1000 × 730 × 0.30 + (3 − 2) × 1
    assert_eq!(total(&book(text), "box", "a"), "58.38");
}

#[test]
fn mistakes_name_file_line_and_field() {
    let told = |text| mistake(text).to_string();
    assert_eq!(
        told("[override.\"b2/standard\"]\nnote = \"x\"\nstorage.tiers = [{ price = \"cheap\" }]\n"),
        "own.toml:3: override \"b2/standard\": storage.tiers[0].price: 'cheap' is no decimal number like \"0.00695\""
    );
    assert!(told("[override.\"b2/standard\"]\nstorage.tiers = [{ price = 0.006 }]\n").contains("own.toml:2:"));
    assert!(told("[override.\"b2/standrad\"]\n").contains("did you mean 'b2/standard'?"));
    assert!(told("[override.\"b2/standard\"]\nvalid_until = \"soon\"\n").starts_with("own.toml:2: "));
    assert!(told("\n[override\n").starts_with("own.toml:2: not TOML"));
    assert!(told("[[offer]]\nid = \"x\"\n").contains("missing field"));
}

#[test]
fn fields_nobody_knows_are_warnings_with_their_line() {
    let text = "[override.\"b2/standard\"]\nstorage.free_unit = \"9\"\n[ovveride.x]\n";
    let (_, warnings) = Book::shipped().with_own("own.toml", text).unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "own.toml:2: override \"b2/standard\": storage.free_unit: there is no such field");
    assert!(told[1].starts_with("own.toml:3: ovveride"), "{told:?}");
}

#[test]
fn names_of_offers() {
    let book = Book::shipped();
    let ids =
        |name: &str| book.select(name, DAY).map(|offers| offers.into_iter().map(|offer| offer.id).collect::<Vec<_>>());
    assert_eq!(ids("wasabi").unwrap(), ["wasabi/paygo"]);
    assert_eq!(ids("aws-s3/standard").unwrap(), ["aws-s3/standard/us-east-1"]);
    assert_eq!(ids("backblaze").unwrap(), ["b2/standard"]);
    assert!(matches!(ids("exoscale"), Err(SelectError::Unpriced { .. })));
    assert!(matches!(ids("wasabbi"), Err(SelectError::Unknown { near: Some(_), .. })));
    assert!(matches!(book.offer("storj/standard", date(2026, 1, 1)), Err(SelectError::NotThen { .. })));
    let class = |class| book.offer_of("aws", class, DAY).map(|offer| offer.id).unwrap();
    assert_eq!(class(None), "aws-s3/standard/us-east-1");
    assert_eq!(class(Some("GLACIER_IR")), "aws-s3/glacier-ir/us-east-1");
}

#[test]
fn prices_over_prices_are_merged_and_each_ends_by_itself() {
    let first =
        "[override.\"b2/standard\"]\nnote = \"first\"\nvalid_until = \"2027-01-01\"\nstorage.free_units = \"0\"\n";
    let second = "[override.\"b2/standard\"]\nstorage.tiers = [{ price = \"0.005\" }]\n";
    let (book, _) = book(first).with_own("second.toml", second).unwrap();
    assert_eq!(total(&book, "b2/standard", "a"), "5.00");
    let later = book.offer("b2/standard", date(2027, 2, 1)).unwrap().quote(&workload("a"));
    assert_eq!(later.total().to_string(), "4.95");
    let machine = "[offer_local.nas]\nmonthly = \"1\"\n";
    let (book, _) = self::book(OWN).with_own("second.toml", machine).unwrap();
    assert_eq!(total(&book, "nas", "a"), "1.00");
    assert!(mistake("[offer_local.\"b2/standard\"]\n").what.contains("already"));
}

#[test]
fn prices_in_a_file_of_other_things_are_those_of_a_file_of_their_own() {
    let text = format!("[remote.x]\ntype = \"b2\"\n{}", OWN.replace("[o", "[prices.o"));
    let (book, unknown) = Book::shipped().with_own_below("sterna.toml", &text, "prices").unwrap();
    assert_eq!((unknown, total(&book, "b2/standard", "a")), (Vec::new(), "5.94".to_owned()));
    let wrong = |text: &str| Book::shipped().with_own_below("sterna.toml", text, "prices").unwrap_err().to_string();
    let told = wrong("[remote.x]\n[prices.override.\"b2/standard\"]\nstorage.tiers = [{ price = \"cheap\" }]\n");
    assert!(told.starts_with("sterna.toml:3: override \"b2/standard\": storage.tiers[0].price: "), "{told}");
    assert_eq!(wrong("prices = 5\n"), "sterna.toml:1: prices: not a table");
    let (_, unknown) = Book::shipped().with_own_below("sterna.toml", "[prices.ovveride.x]\n", "prices").unwrap();
    assert!(unknown[0].what.contains("[prices.override.\"ID\"]"), "{}", unknown[0]);
}

#[test]
fn an_offer_of_ones_own_is_marked() {
    let text = "[[offer]]\nid = \"x\"\nprovider = \"x\"\nclass = \"STANDARD\"\nregion = \"own\"\ncurrency = \"USD\"\n\
                [offer.meter]\nstorage_unit_bytes = 1000000000\ntransfer_unit_bytes = 1000000000\nmonth_hours = 720\n\
                [offer.storage]\ntiers = [{ price = \"0.001\" }]\n";
    let quote = book(text).offer("x", DAY).unwrap().quote(&workload("a"));
    assert!(quote.flags.iter().any(|flag| flag.to_string() == "own price"), "{:?}", quote.flags);
    assert!(quote.lines.iter().all(|line| line.overridden));
}
