//! Every single figure of `cases.toml`: migrations, tails, old prices, ramps.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use sterna_backends::Timestamp;

use super::cases::{CASES, DAY, workload};
use crate::price::{Book, Charge, Decimal, Gone, Offer, Quote, Residue, Stock, Usage, Workload, half_up};

const TB: u64 = 1_000_000_000_000;

fn offer(id: &str, on: Date) -> Offer {
    Book::shipped().offer(id, on).unwrap()
}

fn usage(ops: &[(&str, u64)], egress_bytes: u64) -> Usage {
    Usage { ops: ops.iter().map(|(op, k)| ((*op).to_owned(), *k)).collect(), egress_bytes, read_bytes: egress_bytes }
}

fn run(id: &str, on: Date, ops: &[(&str, u64)], egress: u64) -> Quote {
    offer(id, on).once(&usage(ops, egress), &Usage::default(), &Stock::even(TB, 2_000_000))
}

fn requests(quote: &Quote) -> Decimal {
    quote.total_exact() - quote.amount(&Charge::Egress) - quote.amount(&Charge::Retrieval)
}

/// Workload a at `id`, changed.
fn a(id: &str, on: Date, change: impl Fn(&mut Workload)) -> Quote {
    let mut workload = workload("a");
    change(&mut workload);
    offer(id, on).quote(&workload)
}

/// What a month since the beginning adds to what is live: billed bytes beyond it, in GB.
fn deleted(month: u32) -> Decimal {
    let quote = a("wasabi/paygo", DAY, |workload| workload.month = Some(month));
    let units = quote.amount(&Charge::Storage) / Decimal::new(799, 2) - Decimal::ONE;
    units * Decimal::from(1_u64 << 40) / Decimal::from(1_000_000_000)
}

fn migration() -> Vec<(&'static str, Decimal)> {
    let stock = Stock::even(TB, 2_000_000);
    let month = |id: &str| {
        offer(id, DAY).quote(&Workload { stock: stock.clone(), days: 14, ..Workload::default() }).total_exact()
    };
    let wasabi = run("wasabi/paygo", DAY, &[("list_objects", 2000), ("get_object", 2_000_000)], TB);
    assert_eq!(wasabi.flags[0].to_string(), "at the egress policy limit: 1.00x stored, limit 1x");
    let ops = [("put_object", 2_000_000), ("b2_get_upload_url", 2_000_000), ("list_objects", 2000)];
    let b2 = run("b2/standard", DAY, &ops, 0);
    // In the month before nothing older is kept than the minimum of a TiB.
    let tail = |age: i64| {
        let now = Timestamp::from_parts(1_800_000_000, 0);
        let mut gone = Gone::default();
        let stored = Timestamp::from_parts(now.seconds() - age * 86_400, 0);
        (0..1000).for_each(|_| gone.add(TB / 1000, Some(stored)));
        let line = offer("wasabi/paygo", DAY).early(&gone, &stock, now);
        line.map_or(Decimal::ZERO, |line| line.amount)
    };
    vec![
        ("c.source_requests", requests(&wasabi)),
        ("c.source_egress", wasabi.amount(&Charge::Egress)),
        ("c.dest_requests", requests(&b2)),
        ("c.dest_ingress", b2.amount(&Charge::Egress)),
        ("c.transfer_total", wasabi.total_exact() + b2.total_exact()),
        ("c.overlap14.source", month("wasabi/paygo")),
        ("c.overlap14.dest", month("b2/standard")),
        ("c.tail.all_older_than_90d", tail(91)),
        ("c.tail.uniform_age_0_90_at_delete", tail(45)),
        ("c.tail.all_14_days_old_at_delete", tail(14)),
        ("c.tail.all_just_uploaded", tail(0)),
    ]
}

fn contrast() -> Vec<(&'static str, Decimal)> {
    let s3 = |ops: &[(&str, u64)], egress| run("aws-s3/standard/us-east-1", DAY, ops, egress).total_exact();
    let list = s3(&[("list_objects", 2000)], 0);
    let get = s3(&[("get_object", 2_000_000)], 0);
    let egress = s3(&[], TB);
    let r2 = requests(&run("r2/standard", DAY, &[("put_object", 2_000_000), ("list_objects", 2000)], 0));
    vec![
        ("c2.s3.list", list),
        ("c2.s3.get", get),
        ("c2.s3.egress", egress),
        ("c2.r2.class_a", r2),
        ("c2.total", list + get + egress + r2),
    ]
}

fn listing() -> Vec<(&'static str, Decimal)> {
    let old = date(2026, 3, 1);
    let hourly = [("list_objects", 48_000)];
    let mut r2 = offer("r2/standard", DAY).class_of("list_objects").unwrap().clone();
    (r2.free, r2.round_up_to) = (0, None);
    vec![
        ("e.hourly_listing_1day.b2_2026-03-01", requests(&run("b2/standard", old, &hourly, 0))),
        ("e.hourly_listing_1day.b2_2026-11-22", requests(&run("b2/standard", DAY, &hourly, 0))),
        ("e.hourly_listing_1day.r2_no_free_left", r2.cost(48_000, 1)),
        ("e.hourly_listing_1day.s3", requests(&run("aws-s3/standard/us-east-1", DAY, &hourly, 0))),
        ("e.get_2M_objects_1day.b2_2026-03-01", requests(&run("b2/standard", old, &[("get_object", 2_000_000)], 0))),
    ]
}

fn months() -> Vec<(&'static str, Decimal)> {
    let ramp = |month| a("wasabi/paygo", DAY, |workload| workload.month = Some(month)).total_exact();
    let kept = |days: u32| move |workload: &mut Workload| workload.residue = Some(Residue::Days(days.into()));
    let doc = |bytes, ops: &[(&str, u64)]| {
        let ops = ops.iter().map(|(op, k)| ((*op).to_owned(), *k)).collect();
        let workload = Workload { stock: Stock::even(bytes, 1), ops, ..Workload::default() };
        offer("r2/standard", DAY).quote(&workload).total_exact()
    };
    vec![
        ("a.b2.versions_kept_30d", a("b2/standard", DAY, kept(30)).total_exact()),
        ("a.gcs.soft_delete_7d", a("gcs/standard/us-central1", DAY, kept(7)).total_exact()),
        ("a.wasabi.2026-06-01", a("wasabi/paygo", date(2026, 6, 1), |_| ()).total_exact()),
        ("a.b2.2026-03-01", a("b2/standard", date(2026, 3, 1), |_| ()).total_exact()),
        ("x.r2doc.standard_example", doc(TB, &[("put_object", 1000), ("get_object", 1000)])),
        ("x.r2doc.asset_hosting_example", doc(10_000_000, &[("get_object", 300_000_000)])),
        ("a.wasabi.ramp.month1.deleted_GB_avg", deleted(1)),
        ("a.wasabi.ramp.month1.bill", ramp(1)),
        ("a.wasabi.ramp.month4.deleted_GB_avg", deleted(4)),
        ("a.wasabi.ramp.month4.bill", ramp(4)),
    ]
}

#[test]
fn every_scalar_to_eight_decimals() {
    let file: toml::Table = CASES.parse().unwrap();
    let wanted: BTreeMap<_, _> = file["scalar"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()))
        .collect();
    let found: BTreeMap<_, _> = [migration(), contrast(), listing(), months()]
        .concat()
        .into_iter()
        .map(|(name, amount)| (name, half_up(amount, 8).to_string()))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn what_a_run_adds_depends_on_what_the_month_used() {
    let aws = offer("aws-s3/standard/us-east-1", DAY);
    let none = Usage::default();
    let run = usage(&[], 100 << 30);
    let stock = Stock::even(TB, 1);
    assert_eq!(aws.once(&run, &none, &stock).total_exact(), Decimal::ZERO);
    assert_eq!(aws.once(&run, &run, &stock).total_exact(), Decimal::from(9));
}

#[test]
fn what_is_implied_is_what_the_worked_case_names() {
    let named = workload("a");
    let implied = Workload { ops: BTreeMap::new(), ..named.clone() }.with_implied_requests();
    assert_eq!(implied, named);
}
