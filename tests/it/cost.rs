//! `cost`: real places, worked cases, prices of one's own.

use std::fs;

use serde_json::Value;
use sterna_servers::moto;

use crate::sterna::Sterna;

const CASES: &str = include_str!("../../src/price/tests/cases.toml");

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one line of JSON")
}

fn offer<'a>(answer: &'a Value, id: &str) -> &'a Value {
    let offers = answer["offers"].as_array().expect("a list");
    offers.iter().find(|offer| offer["offer"] == id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn a_file_of_workloads_is_priced_to_the_cent() {
    let sterna = Sterna::at(&[]);
    fs::write(sterna.path("cases.toml"), CASES).unwrap();
    let all = ["cost", "--workload", "cases.toml", "--offers", "all", "--date", "2026-11-22", "--json"];
    let answer = json(&sterna.run(&all).exits(0).stdout);
    let cases: toml::Table = CASES.parse().unwrap();
    let cases = cases["case"].as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap();
        let found = offer(&answer["workloads"][text("workload")], text("offer"));
        for key in ["currency", "total", "total_exact"] {
            assert_eq!(found[key], text(key), "{} {}", text("workload"), text("offer"));
        }
    }
    let one = json(&sterna.run(&[&all[..], &["--name", "b"]].concat()).exits(0).stdout);
    assert_eq!(offer(&one, "wasabi/paygo")["flags"][0], "outside egress policy: 4.00x stored, limit 1x");
    let last = one["offers"].as_array().unwrap().last().unwrap();
    assert_eq!(last["offer"], "wasabi/paygo", "what is outside the policy is ranked last");
    let wrong = sterna.run(&[&all[..], &["--name", "c"]].concat()).exits(2);
    assert!(wrong.stderr.contains("there are a, b"), "{}", wrong.stderr);
}

#[test]
fn a_thought_is_priced_as_the_workload_it_means() {
    let sterna = Sterna::at(&[]);
    let what_if =
        ["cost", "--what-if", "1TB, 10000 objects, 5%/day, 3TB egress", "--kept", "0", "--date", "2026-11-22"];
    let answer = json(&sterna.run(&[&what_if[..], &["--json"]].concat()).exits(0).stdout);
    assert_eq!(offer(&answer, "b2/standard")["total_exact"], "6.88050000");
    assert_eq!(offer(&answer, "aws-s3/standard/us-east-1")["total_exact"], "263.96601436");
    let table = sterna.run(&what_if).exits(0).stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let csv = sterna.run(&[&what_if[..], &["--csv", "--offers", "b2"]].concat()).exits(0).stdout;
    assert_eq!(
        csv.lines().nth(1).unwrap(),
        ",b2/standard,USD,6.88,6.88050000,82.57,0.00,10.00,0.00,at the free-egress limit"
    );
    let explained = sterna.run(&[&what_if[..], &["--explain", "b2/standard"]].concat()).exits(0).stdout;
    assert!(explained.contains("1000 live units, 10 free × 0.00695"), "{explained}");
    sterna.run(&["cost", "--what-if", "1TB, many"]).exits(2);
    sterna.run(&["cost", "--what-if", "1TB, 5 objects, 3TB"]).exits(2).says("'3TB egress' is what leaves");
    sterna.run(&["cost", "--what-if", "10000 objects"]).exits(2).says("say how much is stored");
    sterna.run(&["cost", "--what-if", "1TB", "--explain", "b3"]).exits(2).says("--explain b3: no offer");
    let by_name = sterna.run(&[&what_if[..], &["--explain", "b2"]].concat()).exits(0).stdout;
    assert!(by_name.contains("at b2/standard"), "{by_name}");
    let unknown = sterna.run(&["cost", "--what-if", "1TB", "--offers", "wasabbi"]).exits(2);
    assert!(unknown.stderr.contains("did you mean"), "{}", unknown.stderr);
}

#[test]
fn small_objects_of_a_real_place_bill_as_larger_ones() {
    let sterna = Sterna::at(&[]);
    fs::create_dir(sterna.path("small")).unwrap();
    for name in 0..64 {
        fs::write(sterna.path("small").join(name.to_string()), [0; 100]).unwrap();
    }
    let ask = ["cost", "small", "--offers", "aws-s3/standard-ia", "--date", "2026-11-22", "--explain"];
    let explained = sterna.run(&[&ask[..], &["aws-s3/standard-ia/us-east-1"]].concat()).exits(0).stdout;
    let one = sterna.run(&["cost", "small/7", "--offers", "b2"]).exits(0).stdout;
    assert!(one.contains("small/7: 1 object, 100 B"), "{one}");
    // 64 objects of 128 KiB each are 8 MiB: 1/128 of a unit.
    assert!(explained.contains("0.0078125 live units"), "{explained}");
    assert!(explained.contains("minimum object size applied"), "{explained}");
}

#[test]
fn prices_of_ones_own_are_taken_and_marked_and_mistakes_are_told() {
    let sterna = Sterna::at(&[]);
    let ask =
        ["cost", "--what-if", "1TB, 10000 objects", "--offers", "b2", "--prices", "own.toml", "--date", "2026-11-22"];
    fs::write(
        sterna.path("own.toml"),
        "[override.\"b2/standard\"]\nnote = \"ours\"\nstorage.tiers = [{ price = \"0.005\" }]\n",
    )
    .unwrap();
    let table = sterna.run(&ask).exits(0).stdout;
    assert!(table.contains("4.95") && table.contains("own price: ours"), "{table}");
    fs::write(sterna.path("own.toml"), "[override.\"b2/standard\"]\nstorage.tiers = [{ price = 0.005 }]\n").unwrap();
    let wrong = sterna.run(&ask).exits(2).stderr;
    assert!(wrong.contains("own.toml:2: override \"b2/standard\": storage.tiers[0].price"), "{wrong}");
    for (own, told) in [
        ("[fx]\ndate = \"2026-11-01\"\nEUR = \"x\"\n", "own.toml:3: fx.EUR: 'x' is no decimal number"),
        ("offer_local.nas = 5\n", "own.toml:1: offer_local.nas: not a table"),
    ] {
        fs::write(sterna.path("own.toml"), own).unwrap();
        sterna.run(&ask).exits(2).says(told);
    }
    fs::write(sterna.path("own.toml"), "[override.\"b2/standard\"]\nvalid_until = \"2026-01-01\"\n").unwrap();
    let table = sterna.run(&ask).exits(0).stdout;
    assert!(table.contains("own price ended 2026-01-01"), "{table}");
}

#[test]
fn prices_of_the_configuration_hold_everywhere_and_a_file_goes_over_them() {
    let sterna = Sterna::new();
    sterna.config("[prices.override.\"b2/standard\"]\nnote = \"ours\"\nstorage.free_units = \"0\"\n");
    let ask = ["cost", "--what-if", "1TB, 10000 objects", "--offers", "b2", "--date", "2026-11-22"];
    let table = sterna.run(&ask).exits(0).stdout;
    assert!(table.contains("6.95") && table.contains("own price: ours"), "{table}");
    fs::write(sterna.path("own.toml"), "[override.\"b2/standard\"]\nstorage.tiers = [{ price = \"0.005\" }]\n")
        .unwrap();
    let table = sterna.run(&[&ask[..], &["--prices", "own.toml"]].concat()).exits(0).stdout;
    assert!(table.contains("5.00") && table.contains("own price: ours"), "{table}");
    sterna.config("storage.free_unit = \"0\"\n");
    let wrong = sterna.run(&ask).exits(2).stderr;
    let line = "sterna.toml:4: override \"b2/standard\": storage.free_unit: there is no such field";
    assert!(wrong.contains(line), "{wrong}");
}

#[test]
fn the_book_tells_ages_and_sources() {
    let sterna = Sterna::at(&[]);
    let book = sterna.run(&["cost", "book", "--date", "2026-11-22"]).exits(0).stdout;
    assert!(book.contains("b2/standard") && book.contains("2026-10-04 (49 days)"), "{book}");
    assert!(book.contains("2026-07-09 (136 days, old)"), "{book}");
    let late = ["cost", "--what-if", "1TB", "--offers", "b2", "--date", "2028-01-01", "--json"];
    let refused = sterna.run(&late).exits(0);
    assert!(refused.stderr.contains("--allow-stale"), "{}", refused.stderr);
    assert_eq!(json(&refused.stdout)["offers"].as_array().unwrap().len(), 0);
    let taken = sterna.run(&[&late[..], &["--allow-stale"]].concat()).exits(0);
    assert_eq!(json(&taken.stdout)["offers"].as_array().unwrap().len(), 1);
}

#[test]
fn keeping_each_content_once_saves_what_stands_twice() {
    let sterna = Sterna::at(&[]);
    for name in ["a", "b"] {
        sterna.dated(format!("twice/{name}"), vec![7; 3_000_000], 1_600_000_000, 0);
    }
    sterna.run(&["index", "build", "twice", "--all"]).exits(0);
    let ask = ["cost", "dedup", "twice", "--offers", "dreamobjects", "--json"];
    let found = json(&sterna.run(&ask).exits(0).stdout);
    assert_eq!(found["found"]["wasted"], 3_000_000);
    assert_eq!(found["offers"][0]["offer"], "dreamobjects/usage");
    // The manifest is as large as the one that a snapshot then has, but for the digests of its contents.
    for number in 0..400 {
        sterna.file(format!("many/folder-{}/{number}.hpkg", number % 7), format!("content {number}"));
    }
    let told = json(&sterna.run(&["cost", "dedup", "many", "--offers", "b2", "--json"]).exits(0).stdout);
    let made = json(&sterna.run(&["snapshot", "create", "many", "archive", "--json"]).exits(0).stdout);
    let (told, made) = (told["manifest"].as_u64().unwrap(), made["created"]["manifest_bytes"].as_u64().unwrap());
    assert!(told.abs_diff(made) * 20 < made, "{told} told, {made} made");
}

#[test]
fn a_month_stands_beside_what_is_free() {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config("price_offer = \"r2/standard\"\n");
    sterna.file("src/a", "a");
    sterna.file("src/b", "b");
    let place = format!("near:{}", moto().bucket("free"));
    sterna.run(&["sync", "src", &place]).exits(0);
    let month = |more: &[&str]| sterna.run(&[&["cost", "history"][..], more].concat()).exits(0);
    let said = month(&[]);
    assert!(said.stdout.contains("free at r2/standard:"), "{said}");
    assert!(said.stdout.contains("of 1,000,000 a month, 0 %"), "{said}");
    assert!(!said.stderr.contains("free at"), "{said}");
    // Two puts, and the listing, of three that are free.
    sterna.config(
        "[[prices.override.\"r2/standard\".request]]\nclass = \"A\"\nprice = \"4.5\"\nper = 1000000\nfree = 3\n\
         ops = [\"put_object\", \"list_objects\"]\n",
    );
    let told = json(&month(&["--json"]).stdout);
    let free = &told[0]["free"][0];
    assert_eq!((&free["of"], free["used"].as_u64(), free["free"].as_u64()), (&"requests-A".into(), Some(3), Some(3)));
    assert_eq!(told[0]["offer"], "r2/standard");
    let warned = month(&[]);
    assert!(warned.stderr.contains("what is free at 'near' is used to 100 %: requests-A 3 of 3 a month"), "{warned}");
    // Without the remote in the configuration nothing is known of its price, and the month is told all the same.
    fs::write(sterna.config_path(), "").unwrap();
    assert_eq!(json(&month(&["--json"]).stdout)[0]["offer"], Value::Null);
}

#[test]
fn what_runs_saw_is_what_allowances_are_a_multiple_of() {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config("price_offer = \"b2/standard\"\n");
    sterna.file("src/a", vec![7; 600_000]);
    sterna.file("src/b", vec![8; 400_000]);
    let place = format!("near:{}", moto().bucket("seen"));
    let month = || json(&sterna.run(&["cost", "history", "--json"]).exits(0).stdout)[0].clone();
    let egress = || {
        let month = month();
        let free = month["free"].as_array().expect("allowances").clone();
        free.into_iter().find(|free| free["of"] == "egress").expect("a multiple of what is stored")["free"].as_u64()
    };
    // One of two is not the whole place; nobody has seen that yet.
    sterna.run(&["copy", "src", &place, "--include", "/a"]).exits(0);
    assert_eq!((egress(), month()["kept"].clone()), (None, Value::Array(Vec::new())));
    let unseen = sterna.run(&["cost", "history"]).exits(0).stdout;
    assert!(unseen.contains("3 × what is stored, which no run has seen yet"), "{unseen}");
    // Slashes at the end make no other place.
    sterna.run(&["sync", "src", &format!("{place}/")]).exits(0);
    let kept = month()["kept"].clone();
    assert_eq!((&kept[0]["bytes"], &kept[0]["objects"]), (&1_000_000.into(), &2.into()), "{kept}");
    assert_eq!(egress(), Some(3_000_000));
    let said = sterna.run(&["cost", "history"]).exits(0).stdout;
    assert!(said.contains(&format!("kept at {place}: 976.5 KiB in 2 objects, seen 20")), "{said}");
    assert!(said.contains("of 2.8 MiB a month, 0 % (3 × 976.5 KiB stored, seen 20"), "{said}");
    // A quote for another place of the remote knows of it: what is free of storage is used up there.
    let beside = format!("near:{}", moto().bucket("seen-beside"));
    let quote = sterna.run(&["sync", "src", &beside, "--dry-run", "--json"]).exits(0).stdout;
    let quote = json(quote.lines().last().expect("a quote"));
    assert_eq!(quote["quote"][0]["money"]["kept_bytes"], 1_000_000, "{quote}");
    // What goes is gone, and what is said goes over what was seen.
    fs::remove_file(sterna.path("src/b")).unwrap();
    sterna.run(&["sync", "src", &place, "--max-delete", "100%"]).exits(0);
    assert_eq!(egress(), Some(1_800_000));
    sterna.config("\n[budget.near]\nstored = \"100KB\"\n");
    assert_eq!(egress(), Some(300_000));
}

#[test]
fn runs_say_that_what_is_free_is_used_up_and_end_there_where_that_is_wanted() {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config("price_offer = \"b2/standard\"\n\n[budget.near]\nstored = \"300KB\"\n");
    sterna.file("src/a", vec![7; 800_000]);
    let place = format!("near:{}", moto().bucket("used-up"));
    sterna.run(&["copy", "src", &place]).exits(0);
    let copy = |to: &str, more: &[&str]| sterna.run(&[&["copy", &place, to][..], more].concat());
    let quiet = copy("one", &[]).exits(0);
    assert!(!quiet.stderr.contains("what is free"), "{quiet}");
    let told = "what is free at 'near' is used to 88 %: egress 781.2 KiB of 878.9 KiB a month (3 × 292.9 KiB \
                stored, by its [budget]); what goes beyond is billed";
    for more in [&["--dry-run"][..], &[]] {
        copy("two", more).exits(0).says(told);
    }
    let config = fs::read_to_string(sterna.config_path()).unwrap();
    let beyond = |what: &str| fs::write(sterna.config_path(), format!("{config}beyond_free = \"{what}\"\n")).unwrap();
    beyond("refuse");
    copy("three", &["--dry-run"]).exits(0).says("used to 177 %");
    copy("three", &[]).exits(14).says("--over-budget begins all the same");
    copy("three", &["--over-budget"]).exits(0);
    beyond("allow");
    let quiet = copy("four", &[]).exits(0);
    assert!(!quiet.stderr.contains("what is free"), "{quiet}");
    beyond("never");
    copy("four", &[]).exits(2).says("write beyond_free = \"warn\", \"refuse\" or \"allow\"");
}

#[test]
fn migration_is_leaving_and_moving_in() {
    let sterna = Sterna::new();
    let ask = ["cost", "--what-if", "1TB, 2000000 objects", "--from", "aws-s3", "--date", "2026-11-22"];
    let answer =
        json(&sterna.run(&[&ask[..], &["--offers", "r2,aws-s3/standard,hetzner", "--json"]].concat()).exits(0).stdout);
    // The worked case: LIST 0.01, GET 0.80, egress 74.82 at S3, and 9.00 of class A at R2.
    assert_eq!(
        (&answer["leaving"]["offer"], &answer["leaving"]["total"]),
        (&"aws-s3/standard/us-east-1".into(), &"75.63".into())
    );
    assert_eq!(offer(&answer, "r2/standard")["migration"], "84.63");
    let here = offer(&answer, "aws-s3/standard/us-east-1");
    assert_eq!((&here["migration"], &here["present"]), (&"0.00".into(), &true.into()));
    let table = sterna.run(&[&ask[..], &["--offers", "r2,aws-s3/standard,hetzner"]].concat()).exits(0).stdout;
    assert!(table.contains("the present provider") && table.contains("~67.93"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    sterna.run(&["cost", "--what-if", "1TB", "--from", "wasabbi"]).exits(2).says("did you mean");
}

#[test]
fn the_ages_of_real_objects_decide_what_leaving_costs() {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config("price_offer = \"aws-s3/glacier-ir/us-east-1\"\n");
    sterna.file("src/a", vec![7; 1 << 20]);
    let place = format!("near:{}", moto().bucket("ages"));
    sterna.run(&["copy", "src", &place]).exits(0);
    let lines = |more: &[&str]| {
        let ask = ["cost", &place, "--offers", "b2", "--explain", "b2/standard", "--json"];
        let told = json(&sterna.run(&[&ask[..], more].concat()).exits(0).stdout);
        told["explained"]["leaving_aws-s3/glacier-ir/us-east-1"].as_array().expect("lines").clone()
    };
    let early = |lines: &[Value]| {
        let line = lines.iter().find(|line| line["charge"] == "early-delete");
        line.map(|line| line["formula"].as_str().expect("a formula").to_owned())
    };
    // A MiB that came today, three months too young.
    let formula = early(&lines(&[])).expect("a line");
    assert_eq!(formula, "0.00097656 units deleted early, 0.00292969 unit-months left");
    // The index remembers the same, and needs no listing.
    sterna.run(&["index", "build", &place]).exits(0);
    sterna.run(&["purge", &place]).exits(0);
    let said = sterna.run(&["cost", &place, "--from-index", "--offers", "b2"]).exits(0);
    assert!(said.stdout.contains("1 object, 1.0 MiB, as the index remembers them"), "{said}");
    sterna.file("never-seen/x", "x");
    sterna.run(&["cost", "never-seen", "--from-index", "--offers", "b2"]).exits(2).says("index build");
}
