//! `compare`: providers side by side.

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sterna_servers::{moto, rclone_webdav, seaweedfs};

use crate::{
    servers::eventually,
    sterna::{Ran, Sterna},
};

/// Below this a measuring writes; docs/compare.md names it.
const RESERVED: &str = ".sterna-compare/";

/// Three places that differ: a folder, a SeaweedFS and a WebDAV server.
pub fn three() -> (Sterna, [String; 3]) {
    let (swfs, dav) = (seaweedfs(), rclone_webdav());
    let sterna = Sterna::with_s3("s", swfs);
    // As if they were sold: the line belongs to the remote that stands last in the file.
    sterna.config("price_offer = \"wasabi/paygo\"\n\n");
    sterna.dav("d", &dav.folder("compare"), "price_offer = \"b2/standard\"");
    let places = ["./here".to_owned(), format!("s:{}", swfs.bucket("compare")), "d:".to_owned()];
    sterna.file("here/<script>alert(1)<_script>.txt", "not a script");
    for number in 0..20 {
        sterna.file(format!("here/packages/{number:02}.hpkg"), format!("{number}").repeat(3000));
    }
    sterna.file("here/image.iso", vec![7; 3 << 20]);
    for place in &places[1..] {
        sterna.run(&["copy", "./here", place]).exits(0);
    }
    sterna.file("here/changed", "here");
    sterna.file("other/changed", "there");
    sterna.run(&["copy", "./other", &places[1]]).exits(0);
    sterna.run(&["delete", &places[2], "--include", "packages/07.hpkg"]).exits(0);
    (sterna, places)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{ran}"))
}

#[test]
fn three_places_are_laid_beside_one_another() {
    let (sterna, [here, s3, dav]) = three();
    let ran = sterna.run(&["compare", &here, &s3, &dav, "--no-speed", "--json"]).exits(0);
    let found = json(&ran);
    let content = &found["content"];
    assert_eq!(content["objects"], 23, "{ran}");
    assert_eq!(content["everywhere"], 21, "{ran}");
    assert_eq!(content["places"][1]["differing"], 1, "{ran}");
    assert_eq!(content["places"][2]["missing"], 2, "{ran}");
    let states = |at: usize| content["patterns"][at]["states"].to_string();
    assert_eq!(states(0), r#"["held","held","held"]"#, "{ran}");
    let rest = [states(1), states(2)];
    assert!(rest.contains(&r#"["held","differs","missing"]"#.to_owned()), "{ran}");
    assert!(rest.contains(&r#"["held","held","missing"]"#.to_owned()), "{ran}");
    assert_eq!(found["places"][2]["name"], *dav);

    assert_eq!(found["price"]["places"][0], Value::Null, "{ran}");
    assert_eq!(found["price"]["places"][1]["quote"]["offer"], "wasabi/paygo", "{ran}");
    assert_eq!(found["price"]["bytes"], content["bytes"], "{ran}");
    let said = sterna.run(&["compare", "--no-speed", &here, &s3, &dav]).exits(0);
    assert!(said.stdout.contains("= * ."), "{said}");
    assert!(said.stdout.lines().all(|line| line.chars().count() <= 80 || line.contains("   ")), "{said}");
}

#[test]
fn what_only_one_place_has_is_nowhere_else() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    let bucket = format!("near:{}", near.bucket("alone"));
    sterna.file("here/only", "here");
    let found = json(&sterna.run(&["compare", "./here", &bucket, "--no-speed", "--json"]).exits(0));
    assert_eq!(found["content"]["places"][0]["only_here"], 1);
    assert_eq!(found["content"]["places"][1]["missing"], 1);
}

#[test]
fn one_place_is_no_comparison() {
    Sterna::new().run(&["compare", "./here"]).exits(2);
}

#[test]
fn a_place_that_is_not_there_ends_it() {
    let sterna = Sterna::new();
    sterna.file("here/a", "a");
    sterna.run(&["compare", "./here", "./nowhere"]).exits(3).says("nowhere");
}

/// The keys of a place that measuring wrote.
fn written(sterna: &Sterna, place: &str) -> Vec<String> {
    let listed = sterna.run(&["ls", "-R", "--keys", place]).exits(0);
    listed.stdout.lines().filter(|key| key.contains(RESERVED)).map(str::to_owned).collect()
}

#[test]
fn three_places_are_measured_and_left_as_they_were() {
    let (sterna, [here, s3, dav]) = three();
    let before = sterna.run(&["check", "./here", &s3]).stdout;
    let ran = sterna.run(&["compare", &here, &s3, &dav, "--budget-bytes", "4M", "--json"]).exits(0);
    let found = json(&ran);
    for (at, place) in [here, s3.clone(), dav].iter().enumerate() {
        let (speed, estimate) = (&found["places"][at]["speed"], &found["places"][at]["estimate"]);
        let steps = speed["steps"].as_array().expect("steps");
        assert_eq!(steps.len(), 8, "{ran}");
        for step in steps {
            assert_eq!(step["failed"], serde_json::json!({}), "{ran}");
            assert_eq!(step["done"], step["latency"]["n"], "{ran}");
            assert!(step["latency"]["p50"].as_u64() <= step["latency"]["p95"].as_u64(), "{ran}");
        }
        // The user's own objects: those small ones that all of them hold, each read once.
        assert_eq!(speed["own"], true, "{ran}");
        assert!(steps.iter().any(|step| step["task"] == "get_small" && step["done"] == 20), "{ran}");
        assert!(speed["bytes"].as_u64().unwrap() <= 4 << 20, "{ran}");
        assert!(estimate["bytes_in"].as_u64().unwrap() + estimate["bytes_out"].as_u64().unwrap() <= 4 << 20, "{ran}");
        assert_eq!(speed["left_behind"], Value::Null, "{ran}");
        assert_eq!(written(&sterna, place), [""; 0], "{place}");
        assert!(ran.stderr.contains(&format!("measuring {place} takes at most")), "{ran}");
        let priced = ran.stderr.lines().any(|line| line.contains(place) && line.contains("that costs"));
        assert_eq!(priced, at > 0, "{ran}");
    }
    assert!(!sterna.path("here").join(RESERVED).exists());
    assert_eq!(sterna.run(&["check", "./here", &s3]).stdout, before);
}

#[test]
fn what_would_cost_too_much_is_not_measured() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    sterna.config("price_offer = \"aws-s3/standard/us-east-1\"\n");
    let (a, b) = (format!("near:{}", near.bucket("dear")), format!("near:{}", near.bucket("dear")));
    let ask = ["compare", &a, &b, "--budget-bytes", "1M", "--max-cost"];
    let refused = sterna.run(&[&ask[..], &["0.0001USD"]].concat()).exits(14).says("nothing was measured");
    let refused = refused.says(&format!("measuring {b} takes at most"));
    assert!(refused.stdout.is_empty(), "{refused}");
    assert_eq!(written(&sterna, &b), [""; 0]);
    sterna.run(&[&ask[..], &["1EUR"]].concat()).exits(0);
    sterna.run(&[&ask[..], &["1XYZ"]].concat()).exits(2).says("no rate of XYZ");
}

#[test]
fn an_empty_place_is_measured_by_what_is_written_there() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    let (a, b) = (format!("near:{}", near.bucket("empty")), format!("near:{}", near.bucket("empty")));
    let found = json(&sterna.run(&["compare", &a, &b, "--budget-bytes", "4M", "--json"]).exits(0));
    let speed = &found["places"][1]["speed"];
    assert_eq!(speed["own"], false, "{speed}");
    assert_eq!(speed["steps"].as_array().map(Vec::len), Some(8), "{speed}");
    assert_eq!(written(&sterna, &b), [""; 0]);
}

#[test]
fn without_writes_nothing_is_written() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    let bucket = format!("near:{}", near.bucket("read-only"));
    sterna.file("here/a", "tern");
    sterna.run(&["copy", "./here", &bucket]).exits(0);
    let found = json(&sterna.run(&["compare", "./here", &bucket, "--no-writes", "--json"]).exits(0));
    for place in found["places"].as_array().expect("two places") {
        assert_eq!(place["estimate"]["bytes_out"], 0);
        let tasks = place["speed"]["steps"].as_array().expect("steps");
        assert!(tasks.iter().all(|step| !step["task"].as_str().unwrap().starts_with("put")), "{place}");
    }
}

/// A measuring so slow that it is still writing large objects, and the small ones are there.
fn measuring(sterna: &Sterna, places: [&str; 2]) -> Child {
    let mut command = sterna.command(&["compare", places[0], places[1], "--bwlimit", "1M"]);
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    eventually("something was written", || !written(sterna, places[1]).is_empty());
    child
}

#[test]
fn ctrl_c_removes_what_was_written() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    let (a, b) = (format!("near:{}", near.bucket("ctrl-c")), format!("near:{}", near.bucket("ctrl-c")));
    let child = measuring(&sterna, [&a, &b]);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(output.stdout.is_empty(), "{said}");
    for place in [&a, &b] {
        assert_eq!(written(&sterna, place), [""; 0], "{said}");
    }
}

#[test]
fn what_a_killed_run_left_goes_with_the_next() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    let (a, b) = (format!("near:{}", near.bucket("kill-9")), format!("near:{}", near.bucket("kill-9")));
    let mut child = measuring(&sterna, [&a, &b]);
    child.kill().expect("a running child");
    child.wait().expect("a killed child");
    assert_ne!(written(&sterna, &b), [""; 0]);
    // It is nobody's content.
    let found = json(&sterna.run(&["compare", &a, &b, "--no-speed", "--json"]).exits(0));
    assert_eq!(found["content"]["objects"], 0);
    let next = sterna.run(&["compare", &a, &b, "--budget-bytes", "1M"]).exits(0);
    let next = next.says(&format!("{b}: removed what 1 earlier run left there"));
    for place in [&a, &b] {
        assert_eq!(written(&sterna, place), [""; 0], "{next}");
    }
}

#[test]
fn a_run_that_lives_is_left_alone_by_the_next() {
    let near = moto();
    let sterna = Sterna::with_s3("near", near);
    let (a, b) = (format!("near:{}", near.bucket("alive")), format!("near:{}", near.bucket("alive")));
    let mut child = measuring(&sterna, [&a, &b]);
    let next = sterna.run(&["compare", &a, &b, "--budget-bytes", "1M"]).exits(0);
    assert_ne!(written(&sterna, &b), [""; 0], "{next}");
    child.kill().expect("a running child");
    child.wait().expect("a killed child");
    next.never_says("earlier run");
}
