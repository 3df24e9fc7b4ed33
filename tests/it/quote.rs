//! What a run costs, told before and after it: requests by class and bytes, of the dry run, of the run's own quote and as they
//! were sent. On a run without faults they are the same.

use serde_json::{Map, Value};
use sterna_servers::{B2Server, apache, moto, seaweedfs};

use crate::sterna::Sterna;

/// Upload URLs are one for each transfer that is under way, and so a quote says only how many they are at most.
const AT_MOST: &[&str] = &["b2_get_upload_url", "b2_get_upload_part_url"];

/// Objects go in parts from 5 MiB on, so that few bytes make several.
const PARTS: &[&str] = &["--multipart-threshold", "5MiB", "--part-size", "5MiB"];

/// Runs it dry, then runs it, and compares the three accounts; what was sent, place by place.
#[track_caller]
fn priced(sterna: &Sterna, arguments: &[&str]) -> Vec<Value> {
    let dry = sterna.run(&[arguments, PARTS, &["--dry-run", "--json"]].concat()).exits(0);
    let last: Value = serde_json::from_str(dry.stdout.lines().last().expect("a quote")).expect("JSON");
    let ran = sterna.run(&[arguments, PARTS, &["--json"]].concat()).exits(0);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let (forecast, rows) = (last["quote"].as_array().expect("rows"), told["cost"].as_array().expect("rows"));
    assert_eq!(forecast.len(), rows.len());
    for (forecast, row) in forecast.iter().zip(rows) {
        same(&row["quoted"], &row["actual"], &format!("{arguments:?}: the run's quote of {}", row["place"]));
        same(&forecast["quoted"], &row["actual"], &format!("{arguments:?}: the dry run's quote of {}", row["place"]));
    }
    rows.iter().map(|row| row["actual"].clone()).collect()
}

/// Every class is the same, or at least not more than was quoted; the bytes are the same.
#[track_caller]
fn same(quoted: &Value, actual: &Value, what: &str) {
    let exact = |spend: &Value| -> Map<String, Value> {
        let requests = spend["requests"].as_object().expect("requests by class").clone();
        requests.into_iter().filter(|(name, _)| !AT_MOST.contains(&name.as_str())).collect()
    };
    assert_eq!(exact(quoted), exact(actual), "{what}\nquoted {quoted}\nactual {actual}");
    for name in AT_MOST {
        assert!(of(actual, name) <= of(quoted, name), "{what}: {name}\nquoted {quoted}\nactual {actual}");
        assert_eq!(of(actual, name) > 0, of(quoted, name) > 0, "{what}: {name}");
    }
    for bytes in ["bytes_in", "bytes_out"] {
        assert_eq!(quoted[bytes], actual[bytes], "{what}");
    }
}

fn of(spend: &Value, class: &str) -> u64 {
    spend["requests"][class].as_u64().unwrap_or(0)
}

/// Small ones, one without bytes, folders in folders, and one that goes in three parts.
fn tree(sterna: &Sterna, folder: &str) {
    for at in 0..12 {
        sterna.file(format!("{folder}/deep/er/{at}.txt"), format!("{folder}, number {at}"));
    }
    sterna.file(format!("{folder}/empty"), "");
    sterna.file(format!("{folder}/other/side/x"), "x");
    sterna.file(format!("{folder}/big"), vec![7; 11 * 1024 * 1024]);
}

/// Changes a small and a big one, removes three, and makes another.
fn change(sterna: &Sterna, folder: &str) {
    sterna.file(format!("{folder}/deep/er/3.txt"), "another content");
    sterna.file(format!("{folder}/big"), vec![8; 12 * 1024 * 1024]);
    for gone in ["deep/er/5.txt", "deep/er/6.txt", "deep/er/7.txt"] {
        std::fs::remove_file(sterna.path(format!("{folder}/{gone}"))).expect("it was written");
    }
    sterna.file(format!("{folder}/new/y"), "y");
}

#[test]
fn promise_8_every_run_says_what_it_cost() {
    let sterna = Sterna::with_s3("near", moto());
    let place = format!("near:{}/below", moto().bucket("quote"));
    tree(&sterna, "src");
    let [first] = &priced(&sterna, &["sync", "src", &place])[..] else { panic!("one remote") };
    assert_eq!((of(first, "put_object"), of(first, "create_multipart"), of(first, "upload_part")), (14, 1, 3));
    assert_eq!(first["bytes_in"], 0);
    change(&sterna, "src");
    let [second] = &priced(&sterna, &["sync", "src", &place])[..] else { panic!("one remote") };
    assert_eq!((of(second, "put_object"), of(second, "delete_objects")), (2, 1));
    // A last one is deleted by itself.
    std::fs::remove_file(sterna.path("src/deep/er/1.txt")).expect("it was written");
    let [third] = &priced(&sterna, &["sync", "src", &place])[..] else { panic!("one remote") };
    assert_eq!((of(third, "delete_object"), of(third, "delete_objects"), of(third, "put_object")), (1, 0, 0));
    let said = sterna.run(&["sync", "src", &place]).exits(0).stderr;
    assert!(said.contains(&format!("sent: {place} (destination): ")), "{said}");
}

#[test]
fn between_two_endpoints_and_inside_one() {
    let sterna = Sterna::with_s3("near", moto());
    sterna.s3("far", seaweedfs());
    let from = format!("near:{}/a", moto().bucket("quote-from"));
    tree(&sterna, "src");
    sterna.run(&["sync", "src", &from]).exits(0);
    let far = format!("far:{}/b", seaweedfs().bucket("quote-to"));
    let beside = format!("near:{}", moto().bucket("quote-beside"));
    let [source, target] = &priced(&sterna, &["sync", &from, &far])[..] else { panic!("two remotes") };
    assert_eq!((of(source, "get_object"), of(target, "put_object"), of(target, "upload_part")), (14 + 3, 14, 3));
    assert_eq!(source["bytes_in"], target["bytes_out"]);
    let [_, target] = &priced(&sterna, &["sync", &from, &beside])[..] else { panic!("two remotes") };
    assert_eq!((of(target, "copy_object"), target["bytes_out"].as_u64()), (15, Some(0)));
    change(&sterna, "src");
    sterna.run(&["sync", "src", &from]).exits(0);
    priced(&sterna, &["sync", &from, &far, "--suffix", ".old"]);
    let kept = format!("near:{}/kept", moto().bucket("quote-kept"));
    let rows = priced(&sterna, &["sync", &from, &beside, "--backup-dir", &kept]);
    assert_eq!((rows.len(), of(&rows[1], "copy_object")), (3, 5), "{rows:?}");
    // Two destinations are fed from one read, and a move deletes at the source.
    let (one, two) = (format!("far:{}", seaweedfs().bucket("one")), format!("far:{}", seaweedfs().bucket("two")));
    let rows = priced(&sterna, &["move", &from, &one, &two]);
    assert_eq!(of(&rows[0], "get_object"), 12 - 3 + 1 + 2 + 3, "{rows:?}");
}

#[test]
fn to_b2_and_to_webdav() {
    let sterna = Sterna::with_s3("near", moto());
    let from = format!("near:{}", moto().bucket("quote-away"));
    tree(&sterna, "src");
    sterna.run(&["sync", "src", &from]).exits(0);
    let b2 = B2Server::start();
    sterna.b2("b", &b2, "");
    sterna.dav("dav", &apache().folder("quote"), "");
    let places = [format!("b:{}/c", b2.bucket("quote")), "dav:c/d".to_owned()];
    for place in &places {
        let [source, target] = &priced(&sterna, &["sync", &from, place])[..] else { panic!("two remotes") };
        assert_eq!(source["bytes_in"], target["bytes_out"], "{place}");
    }
    change(&sterna, "src");
    sterna.run(&["sync", "src", &from]).exits(0);
    for place in &places {
        priced(&sterna, &["sync", &from, place, "--max-delete", "100%", "--allow-unproven"]);
    }
}

impl Sterna {
    fn listed_keys(&self, place: &str) -> usize {
        self.run(&["ls", "-R", "--keys", place]).exits(0).stdout.lines().count()
    }
}

/// A remote that is billed as Amazon's.
fn billed() -> (Sterna, String) {
    let sterna = Sterna::with_s3("near", moto());
    sterna.config("price_offer = \"aws-s3/standard/us-east-1\"\n");
    (sterna, format!("near:{}", moto().bucket("billed")))
}

#[test]
fn a_run_that_would_cost_too_much_is_not_begun() {
    let (sterna, place) = billed();
    tree(&sterna, "src");
    // 14 puts, 5 of the upload in parts, and the listing, at 5 USD for a million.
    let refused = sterna.run(&[&["sync", "src", &place, "--max-cost", "0.00005USD"], PARTS].concat()).exits(14);
    assert!(refused.stderr.contains("nothing was done"), "{refused}");
    assert_eq!(sterna.listed_keys(&place), 0);
    sterna.run(&[&["sync", "src", &place, "--max-cost", "1USD"], PARTS].concat()).exits(0);
    assert_eq!(sterna.listed_keys(&place), 15);
    sterna.run(&["sync", "src", &place, "--max-cost", "lots"]).exits(2).says("5USD");
}

#[test]
fn months_are_remembered_and_budgets_are_kept() {
    let (sterna, place) = billed();
    tree(&sterna, "src");
    sterna.run(&[&["sync", "src", &place], PARTS].concat()).exits(0);
    sterna.run(&[&["sync", &place, "back"], PARTS].concat()).exits(0);
    let told: Value = serde_json::from_str(&sterna.run(&["cost", "history", "--json"]).exits(0).stdout).expect("JSON");
    let [month] = &told.as_array().expect("remotes")[..] else { panic!("one remote: {told}") };
    assert_eq!((&month["remote"], month["runs"].as_u64()), (&"near".into(), Some(2)), "{told}");
    assert_eq!((of(month, "put_object"), month["money"].as_array().map(Vec::len)), (14, Some(2)), "{told}");
    let downloaded = month["bytes_in"].as_u64().expect("bytes");
    assert!(downloaded > 11 * 1024 * 1024, "{told}");
    let none = sterna.run(&["cost", "history", "--month", "1999-12"]).exits(0);
    assert!(none.stderr.contains("no run is written down"), "{none}");
    sterna.run(&["cost", "history", "--month", "soon"]).exits(2);
    // 12 of 13 MB are more than four fifths, and 12 of 12 are all.
    sterna.config("[budget.near]\negress = \"13MB/month\"\ncost = \"20USD/month\"\n");
    let warned = sterna.run(&["sync", "src", &place]).exits(0);
    assert!(warned.stderr.contains("the budget of 'near' is spent to "), "{warned}");
    let shown = sterna.run(&["cost", "history"]).exits(0).stdout;
    assert!(shown.contains("budget: egress ") && shown.contains("cost 0.000"), "{shown}");
    let text = std::fs::read_to_string(sterna.config_path()).expect("it was written").replace("13MB", "11MB");
    std::fs::write(sterna.config_path(), text).expect("a file of ours");
    sterna.run(&["sync", "src", &place]).exits(14).says("--over-budget");
    sterna.run(&["sync", "src", &place, "--over-budget"]).exits(0);
    sterna.run(&["sync", "src", &place, "--no-history"]).exits(0);
}
