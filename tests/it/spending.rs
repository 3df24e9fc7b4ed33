//! Runs that may not cost more than they are told, and what of a run is remembered however it ends.

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sterna_servers::{Fault, Proxy, S3Server, moto, seaweedfs};

use crate::servers::eventually;
use crate::sterna::Sterna;
use crate::tree::noise;

/// What a month's runs were sent at `remote`, as `cost history` tells it.
fn month(sterna: &Sterna, remote: &str) -> Option<Value> {
    let told = sterna.run(&["cost", "history", "--json"]).exits(0);
    let months: Vec<Value> = serde_json::from_str(&told.stdout).expect("JSON");
    months.into_iter().find(|month| month["remote"] == remote)
}

fn sent(month: &Value, class: &str) -> u64 {
    month["requests"][class].as_u64().unwrap_or(0)
}

/// A remote at this address, billed as Amazon's: five dollars for a million puts.
fn billed(sterna: &Sterna, name: &str, endpoint: &str, server: &S3Server) {
    let S3Server { access_key, secret_key, provider, .. } = server;
    sterna.config(&format!(
        "[remote.{name}]\ntype = \"s3\"\nprovider = \"{provider}\"\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n\
         path_style = true\naccess_key_id = \"{access_key}\"\nsecret_access_key = \"{secret_key}\"\n\
         price_offer = \"aws-s3/standard/us-east-1\"\n\n"
    ));
}

#[test]
fn promise_8_a_run_that_costs_more_than_it_may_stops_whole_and_the_next_one_finishes() {
    let server = seaweedfs();
    let sterna = Sterna::at(&["near"]);
    // Two of three puts are refused, and each of them is billed.
    let proxy = Proxy::new(&server.endpoint, |method, _, before| {
        (method == "PUT" && before % 3 != 2).then(|| Fault::Answer(500, String::new()))
    });
    billed(&sterna, "billed", &proxy.url, server);
    let bucket = server.bucket("max-cost");
    let (billed, near) = (format!("billed:{bucket}"), format!("near:{bucket}"));
    for number in 0..60 {
        sterna.file(format!("src/{number:02}"), noise(2_000 + number, number as u64));
    }
    sterna.file("src/big", noise(11_000_000, 61));
    let bounded = |most: &str| {
        let how = ["--transfers", "2", "--multipart-threshold", "5M", "--part-size", "5M", "--max-cost", most];
        sterna.run(&[&["sync", "src", &billed, "--json"][..], &how].concat())
    };
    // The quote is 60 puts, 5 requests of the one in parts, and a listing: 0.00033 USD. So it is begun.
    let stopped = bounded("0.00040USD").exits(14).says("it has cost more than 0.00040 USD");
    let told: Value = serde_json::from_str(&stopped.stdout).expect("JSON");
    let (quoted, actual) = (&told["cost"][0]["quoted"]["requests"], &told["cost"][0]["actual"]["requests"]);
    assert!(actual["put_object"].as_u64() < Some(180), "it went on to the end: {actual}");
    assert_eq!(quoted["put_object"], 60, "{quoted}");
    assert_eq!(told["done"]["stopped"], "over_budget");
    let done = told["done"]["targets"][0]["transferred"].as_u64().expect("a number");
    assert!((1..61).contains(&done), "{told}");
    let source = sterna.files("src");
    let there = sterna.listed(&near);
    assert_eq!(there.len() as u64, done);
    for (name, object) in there {
        assert_eq!(object["Size"].as_u64(), source.get(&name).map(|found| found.bytes.len() as u64), "{name} is torn");
    }
    // What was spent is remembered, and the next run has only the rest to do.
    let month = month(&sterna, "billed").expect("a run that ended");
    assert_eq!(sent(&month, "put_object"), actual["put_object"].as_u64().expect("a number"), "{month}");
    let finished: Value = serde_json::from_str(&bounded("1USD").exits(0).stdout).expect("JSON");
    assert_eq!(finished["done"]["targets"][0]["transferred"], 61 - done);
    sterna.same("src", &near);
}

/// The same road as without a limit: what was read once to be compared is remembered.
#[test]
fn a_run_with_a_limit_learns_what_another_one_learns() {
    let sterna = Sterna::new();
    for folder in ["src", "dst"] {
        sterna.dated(format!("{folder}/a"), "the same text", 1_600_000_000, 0);
    }
    let known = |more: &str| {
        sterna.run(&["sync", "src", "dst", "--checksum", "--max-cost", "1USD", more]).exits(0);
        let stats = sterna.run(&["index", "stats", "--json"]).exits(0).stdout;
        serde_json::from_str::<Value>(&stats).expect("JSON")["stats"]["contents"].as_u64()
    };
    assert_eq!((known("--dry-run"), known("--no-reuse")), (Some(0), Some(1)));
}

#[test]
fn an_applied_plan_has_a_quote_a_limit_and_a_budget() {
    let sterna = Sterna::new();
    billed(&sterna, "keys", &moto().endpoint, moto());
    let keys = format!("keys:{}", moto().bucket("applied-cost"));
    for number in 0..8 {
        sterna.file(format!("src/{number}"), format!("text {number}"));
    }
    let planned = sterna.run(&["plan", "src", &keys, "-o", "plan.jsonl", "--json"]).exits(0).stdout;
    let planned: Value = serde_json::from_str(&planned).expect("one line of JSON");
    assert_eq!(planned["quote"][0]["quoted"]["requests"]["put_object"], 8, "{planned}");
    // A plan on standard output that ends with its quote is a plan all the same.
    let piped = sterna.run(&["plan", "src", &keys, "--json"]).exits(0).stdout;
    let plan = std::fs::read_to_string(sterna.path("plan.jsonl")).expect("a plan");
    assert_eq!(piped.strip_prefix(&plan).map(|rest| rest.lines().count()), Some(1), "{piped}");
    sterna.file("piped.jsonl", &piped);
    let dry =
        sterna.run(&["apply", "piped.jsonl", "--dry-run"]).exits(0).says(&format!("quote: {keys} (destination): "));
    assert_eq!(dry.stdout.lines().count(), 8, "{dry}");
    let dry = sterna.run(&["apply", "piped.jsonl", "--dry-run", "--json"]).exits(0).stdout;
    let dry: Value = serde_json::from_str(dry.lines().last().expect("a quote")).expect("JSON");
    // Each is looked at before it is put.
    let requests = &dry["quote"][0]["quoted"]["requests"];
    assert_eq!((&requests["head_object"], &requests["put_object"]), (&8.into(), &8.into()), "{dry}");
    let apply = |more: &[&str]| sterna.run(&[&["apply", "piped.jsonl"][..], more].concat());
    apply(&["--max-cost", "0.00004USD"]).exits(14).says("nothing was done");
    assert!(sterna.listed(&keys).is_empty());
    apply(&["--max-cost", "0.0001USD"]).exits(0);
    assert_eq!(sterna.listed(&keys).len(), 8);
    sterna.config("[budget.keys]\ncost = \"0.00004USD/month\"\n");
    apply(&[]).exits(14).says("--over-budget");
    apply(&["--over-budget"]).exits(0);
}

#[test]
fn snapshots_are_written_down_like_other_runs() {
    let sterna = Sterna::new();
    billed(&sterna, "near", &moto().endpoint, moto());
    let archive = format!("near:{}", moto().bucket("archive-cost"));
    sterna.file("src/a", "one");
    sterna.file("src/b", "two");
    let runs = || month(&sterna, "near").map_or(0, |month| month["runs"].as_u64().expect("a number"));
    let created = sterna.run(&["snapshot", "create", "src", &archive, "--json"]).exits(0).stdout;
    let created: Value = serde_json::from_str(&created).expect("JSON");
    let first = month(&sterna, "near").expect("a run");
    assert_eq!(created["cost"][0]["actual"]["requests"], first["requests"], "all that was sent, nothing else");
    assert!(sent(&first, "put_object") >= 2 && first["money"][0][0] == "USD", "{first}");
    sterna.run(&["snapshot", "restore", &archive, "latest", "dst", "--dry-run"]).exits(0).says("quote: ");
    assert_eq!(runs(), 1);
    sterna.run(&["snapshot", "restore", &archive, "latest", "dst"]).exits(0).says("sent: ");
    sterna.run(&["snapshot", "prune", &archive, "--dry-run"]).exits(0);
    assert_eq!(runs(), 2);
    sterna.run(&["snapshot", "prune", &archive]).exits(0).says("sent: ");
    assert_eq!(runs(), 3);
    sterna.config("[budget.near]\ncost = \"0.000001USD/month\"\n");
    for arguments in [&["create", "src", &archive][..], &["restore", &archive, "latest", "dst"], &["prune", &archive]] {
        let refused = sterna.run(&[&["snapshot"], arguments].concat()).exits(14);
        refused.says("--over-budget");
    }
    assert_eq!(runs(), 3);
}

/// A run of many small puts, slowly.
fn slow(sterna: &Sterna, near: &str) -> Child {
    for number in 0..200 {
        sterna.file(format!("src/{number:03}"), format!("text {number}"));
    }
    let arguments = ["copy", "src", near, "--tpslimit", "20", "--transfers", "1"];
    sterna.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sterna runs")
}

#[test]
fn a_killed_run_keeps_what_it_had_told_and_an_interrupted_one_all_of_it() {
    let world = |name: &str| {
        let sterna = Sterna::new();
        billed(&sterna, "near", &moto().endpoint, moto());
        let near = format!("near:{}", moto().bucket(name));
        (slow(&sterna, &near), sterna, near)
    };
    let (mut run, sterna, _) = world("killed-cost");
    eventually("a run that goes on tells what it has sent", || {
        month(&sterna, "near").is_some_and(|month| sent(&month, "put_object") > 0)
    });
    run.kill().and_then(|()| run.wait()).expect("a running child");
    let killed = month(&sterna, "near").expect("what it told");
    assert!(sent(&killed, "put_object") > 0 && killed["money"][0][0] == "USD", "{killed}");

    let (mut run, sterna, near) = world("interrupted-cost");
    eventually("some objects", || sterna.run(&["ls", "--keys", &near]).exits(0).stdout.lines().count() > 3);
    let interrupt = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(interrupt.expect("a kill command").success());
    assert_eq!(run.wait().expect("a child").code(), Some(130));
    let there = sterna.run(&["ls", "--keys", &near]).exits(0).stdout.lines().count() as u64;
    let interrupted = month(&sterna, "near").expect("what it sent");
    // The last one may have been cut off.
    assert!((there..=there + 1).contains(&sent(&interrupted, "put_object")), "{there} there: {interrupted}");
}

#[test]
fn a_run_that_uses_up_a_budget_ends_there() {
    let sterna = Sterna::new();
    billed(&sterna, "near", &moto().endpoint, moto());
    // Sixty puts of a run of two hundred.
    sterna.config("[budget.near]\ncost = \"0.0003USD/month\"\n");
    let near = format!("near:{}", moto().bucket("budget-ends"));
    assert_eq!(slow(&sterna, &near).wait().expect("a child").code(), Some(14));
    let there = || sterna.run(&["ls", "--keys", &near]).exits(0).stdout.lines().count();
    let done = there();
    assert!((50..200).contains(&done), "{done}");
    sterna.run(&["copy", "src", &near]).exits(14).says("the budget of 'near' is spent to 1");
    assert_eq!(there(), done);
    sterna.run(&["copy", "src", &near, "--over-budget"]).exits(0);
    assert_eq!(there(), 200);
}
