//! The money of a quote: prices of one's own, what is kept already, what goes before its time; several destinations beside one
//! another.

use serde_json::Value;
use sterna_servers::{moto, seaweedfs};

use crate::sterna::{Ran, Sterna};

/// What a run says of its cost in JSON: the last line of standard output.
fn told(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.lines().last().expect("a line")).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).parse().expect("a number")
}

/// A remote that is billed as that offer.
fn billed(offer: &str, bucket: &str) -> (Sterna, String) {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config(&format!("price_offer = \"{offer}\"\n"));
    (sterna, format!("near:{}", moto().bucket(bucket)))
}

#[test]
fn prices_of_ones_own_are_those_of_runs_too() {
    let (sterna, near) = billed("aws-s3/standard/us-east-1", "own-prices");
    sterna.file("src/a", "text");
    let once = |arguments: &[&str]| {
        let dry = sterna.run(&[&["sync", "src", &near, "--dry-run", "--json"], arguments].concat()).exits(0);
        number(&told(&dry)["quote"][0]["money"]["quoted"])
    };
    // A put and a listing at 5 dollars a million, and the look for one object of that name at 0.4.
    let list = once(&[]);
    let own = "[override.\"aws-s3/standard/us-east-1\"]\nnote = \"ours\"\ndiscount_percent = { requests = \"50\" }\n";
    sterna.file("own.toml", own);
    assert!((once(&["--prices", "own.toml"]) * 2.0 - list).abs() < 1e-9, "{list}");
    let said = sterna.run(&["sync", "src", &near, "--dry-run", "--prices", "own.toml"]).exits(0);
    said.says("(own price: ours)");
    sterna.file("own.toml", own.replace("50", "many"));
    sterna.run(&["sync", "src", &near, "--prices", "own.toml"]).exits(2).says("own.toml:3");
    sterna.config(&format!("[prices.{}", own.strip_prefix('[').expect("a table")));
    assert!((once(&[]) * 2.0 - list).abs() < 1e-9, "the configuration's prices");
    let ran = sterna.run(&["sync", "src", &near, "--json"]).exits(0);
    assert!((number(&told(&ran)["cost"][0]["money"]["actual"]) * 2.0 - list).abs() < 1e-9);
}

#[test]
fn an_allowance_that_is_a_multiple_of_what_is_kept_is_one() {
    let (sterna, near) = billed("b2/standard", "allowance");
    sterna.file("src/a", vec![1; 3_000_000]);
    sterna.file("src/b", vec![2; 1_000_000]);
    sterna.run(&["sync", "src", &near]).exits(0);
    // Four MB are kept, and twelve may leave.
    for round in 0..3 {
        let ran = sterna.run(&["copy", &near, &format!("back{round}"), "--json"]).exits(0);
        let row = &told(&ran)["cost"][0];
        assert_eq!((&row["money"]["quoted"], &row["money"]["actual"]), (&"0".into(), &"0".into()), "{row}");
    }
    // What leaves beyond is a cent a GB.
    let ran = sterna.run(&["copy", &near, "more", "--json"]).exits(0);
    let row = &told(&ran)["cost"][0];
    assert!((number(&row["money"]["actual"]) - 0.04 / 1000.0).abs() < 1e-9, "{row}");
    assert_eq!(row["money"]["quoted"], row["money"]["actual"]);
}

#[test]
fn what_goes_before_its_time_is_in_the_quote() {
    let (sterna, near) = billed("wasabi/paygo", "early");
    sterna.file("src/big", vec![1; 6_000_000]);
    sterna.file("src/small", "text");
    sterna.file("src/stays", "text");
    let first = sterna.run(&["sync", "src", &near, "--json"]).exits(0);
    assert_eq!(told(&first)["cost"][0]["money"]["quoted_early_deletion"], Value::Null);
    sterna.file("src/big", vec![2; 7_000_000]);
    std::fs::remove_file(sterna.path("src/small")).expect("it was written");
    let sync = ["sync", "src", &near, "--max-delete", "100%", "--json"];
    let dry = told(&sterna.run(&[&sync[..], &["--dry-run"]].concat()).exits(0));
    let ran = told(&sterna.run(&sync).exits(0));
    // Three months of what was overwritten and of a small one, which counts as 4 KiB, at 7.99 dollars a TiB.
    let due = f64::from(6_000_000 + 4096) / 2_f64.powi(40) * 3.0 * 7.99;
    let (dry, ran) = (&dry["quote"][0]["money"], &ran["cost"][0]["money"]);
    for amount in [&dry["quoted_early_deletion"], &ran["quoted_early_deletion"], &ran["actual_early_deletion"]] {
        // A day less where midnight passed meanwhile.
        let near = |due: f64| (number(amount) - due).abs() < 1e-9;
        assert!(near(due) || near(due / 90.0 * 89.0), "{amount} is not {due}");
    }
    // A TiB is paid for in any case, so nothing changes a month.
    assert_eq!((&dry["per_month"], &ran["actual"]), (&"0".into(), &ran["quoted"]));
    // A limit counts it, too.
    sterna.file("src/big", vec![3; 7_000_000]);
    let refused = sterna.run(&["sync", "src", &near, "--max-cost", "0.0001USD"]).exits(14);
    refused.says("of it for early deletion").says("nothing was done");
}

#[test]
fn several_destinations_stand_beside_one_another() {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config("price_offer = \"aws-s3/standard/us-east-1\"\n\n");
    sterna.s3("far", seaweedfs());
    sterna.config("price_offer = \"b2/standard\"\n\n");
    sterna.s3("bare", seaweedfs());
    // Short names: all columns are to fit into 80 letters.
    let near = format!("near:{}", moto().bucket("n"));
    let (far, bare) = (format!("far:{}", seaweedfs().bucket("f")), format!("bare:{}", seaweedfs().bucket("b")));
    sterna.file("src/a", vec![7; 100_000]);
    let dry = sterna.run(&["sync", "src", &near, &far, &bare, "--dry-run"]).exits(0);
    let line = |label: &str| dry.stderr.lines().find(|line| line.trim_start().starts_with(label)).map(str::to_owned);
    let titles =
        dry.stderr.lines().find(|line| line.contains(&near) && line.contains(&far) && !line.contains("transfer"));
    assert!(titles.is_some_and(|line| line.contains(&bare)), "{dry}");
    let puts = line("put_object").unwrap_or_else(|| panic!("{dry}"));
    assert_eq!(puts.split_whitespace().collect::<Vec<_>>(), ["put_object", "1", "1", "1"], "{dry}");
    let once = line("once").unwrap_or_else(|| panic!("{dry}"));
    assert!(once.ends_with("no price known") && once.matches("USD").count() == 2, "{dry}");
    assert_eq!(dry.stderr.matches("set price_offer").count(), 1, "{dry}");
    let json = told(&sterna.run(&["sync", "src", &near, &far, &bare, "--dry-run", "--json"]).exits(0));
    let rows = json["quote"].as_array().expect("rows");
    let month = |row: &Value| if row["money"].is_null() { 0.0 } else { number(&row["money"]["per_month"]) };
    assert_eq!((rows.len(), &json["together"]["currency"]), (3, &"USD".into()), "{json}");
    let sum: f64 = rows.iter().map(month).sum();
    assert!((number(&json["together"]["per_month"]) - sum).abs() < 1e-12 && sum > 0.0, "{json}");
    // Who did not ask for a quote is not told that there is no price.
    let ran = sterna.run(&["sync", "src", &near, &far, &bare]).exits(0).never_says("price");
    assert!(
        ran.stderr.lines().any(|line| line.starts_with("sent") && line.matches("destination").count() == 3),
        "{ran}"
    );
}
