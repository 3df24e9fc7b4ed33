//! Several destinations of one source: one that fails ends nobody but itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use sterna_servers::{Fault, Proxy, seaweedfs};

use crate::sterna::{Ran, Sterna};

/// Two good destinations, one whose second page is refused, and one that nobody answers at; all have something extra.
struct World {
    sterna: Sterna,
    near: String,
    refusing: String,
    down: &'static str,
    _proxy: Proxy,
}

const FILES: usize = 1500;

/// A remote of the test's SeaweedFS, asked at `endpoint`.
fn remote(sterna: &Sterna, name: &str, endpoint: &str) {
    let server = seaweedfs();
    sterna.config(&format!(
        "[remote.{name}]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"{endpoint}\"\n\
         region = \"us-east-1\"\npath_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n\n",
        server.access_key, server.secret_key
    ));
}

impl World {
    fn new() -> Self {
        let (sterna, server) = (Sterna::at(&["near"]), seaweedfs());
        let second_page = |method: &str, head: &str, _: usize| {
            let listed = head.lines().next().is_some_and(|line| line.contains("continuation-token"));
            (method == "GET" && listed).then(|| Fault::Answer(403, String::new()))
        };
        let proxy = Proxy::new(&server.endpoint, second_page);
        remote(&sterna, "refusing", &proxy.url);
        // Nobody listens at the port of a socket that is gone.
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        remote(&sterna, "down", &format!("http://{}", port.expect("a free port")));
        for number in 0..FILES {
            sterna.dated(format!("src/{number:04}"), format!("{number}"), 1_600_000_000, 0);
        }
        let bucket = server.bucket("refusing");
        let refused = format!("near:{bucket}");
        let near = format!("near:{}", server.bucket("fine"));
        for there in [near.as_str(), &refused, "disk"] {
            sterna.run(&["copy", "src", there]).exits(0);
        }
        sterna.file("extra/0000-extra", "extra");
        sterna.file("extra/zzzz-extra", "extra");
        for there in [near.as_str(), &refused, "disk"] {
            sterna.run(&["copy", "extra", there]).exits(0);
        }
        sterna.dated("src/1499", "another text", 1_700_000_000, 0);
        Self { sterna, near, refusing: format!("refusing:{bucket}"), down: "down:bucket", _proxy: proxy }
    }

    fn run(&self, more: &[&str]) -> Ran {
        let places = ["src", self.down, "disk", &self.refusing, &self.near, "--low-level-retries", "1"];
        self.sterna.run(&[more, &places[..]].concat())
    }

    fn names(&self, place: &str) -> Vec<String> {
        self.sterna.run(&["ls", "-R", "--keys", place]).exits(0).stdout.lines().map(str::to_owned).collect()
    }
}

#[test]
fn promise_4_a_destination_whose_listing_breaks_off_ends_only_itself() {
    let world = World::new();
    let behind_the_proxy = world.refusing.replace("refusing:", "near:");
    let before = world.names(&behind_the_proxy);

    // Only looked at: the same is said, in the same words.
    let dry = world.run(&["sync", "--dry-run"]).exits(1).says("nothing more, and no deletes");
    for (to, deleted) in [(1, 0), (2, 2), (3, 0), (4, 2)] {
        let deletes = dry.stdout.lines().filter(|line| line.starts_with('-') && line.contains(&format!("-> {to} ")));
        assert_eq!(deletes.count(), deleted, "{to}: {dry}");
    }
    world.run(&["plan", "-o", "plan.jsonl", "--intent", "sync"]).exits(1).says("nothing more, and no deletes");
    let any = ["sync", "--dry-run", "--require", "any"];
    world.run(&any).exits(0);

    let ran = world.run(&["--json", "sync", "--plan-out", "ran.jsonl"]).exits(1);
    let told: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    let codes: Vec<u64> = told["codes"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
    assert_eq!(codes, [5, 0, 1, 0], "down for now, fine, refused, fine: {ran}");
    assert_eq!(told["done"]["targets"][2]["lost"]["kind"], "denied");
    assert_eq!(world.sterna.files("src"), world.sterna.files("disk"));
    world.sterna.same("src", &world.near);
    assert_eq!(world.names(&behind_the_proxy), before, "nothing is deleted where the listing broke off");
    let [planned, carried] = ["plan.jsonl", "ran.jsonl"].map(|name| std::fs::read(world.sterna.path(name)));
    assert!(planned.expect("a plan") == carried.expect("a plan"), "promise 10: the same plan");

    // For people a table; the code is that of what was required.
    let ran = world.run(&["sync", "--require", "2"]).exits(0).says("given up: its listing broke off");
    for place in [world.down, "disk", &world.refusing, &world.near] {
        assert!(ran.stderr.lines().any(|line| line.starts_with(place)), "{place} {ran}");
    }
    ran.says("2 of 4 destinations complete");
    world.run(&["sync", "--require", "3"]).exits(1);

    // With none left the run ends; and a source that cannot be listed ends it for all.
    let alone = ["--low-level-retries", "1"];
    world.sterna.run(&[&["sync", "src", world.down, "down:other"], &alone[..]].concat()).exits(5);
    world.sterna.run(&[&["sync", world.down, "disk", &world.near], &alone[..]].concat()).exits(5);
    world.sterna.run(&[&["sync", "src", &world.refusing], &alone[..]].concat()).exits(1);
    assert_eq!(world.names(&behind_the_proxy), before);
}

#[test]
fn a_plan_in_which_a_destination_is_lost_is_applied() {
    let world = World::new();
    world.run(&["plan", "-o", "plan.jsonl", "--intent", "sync"]).exits(1);
    let dry = world.sterna.run(&["apply", "--dry-run", "plan.jsonl"]).exits(0);
    assert!(dry.stdout.contains("all that follows -> 1"), "{dry}");
    world.sterna.run(&["apply", "plan.jsonl", "--low-level-retries", "1"]).exits(1).says("given up");
    assert_eq!(world.sterna.files("src"), world.sterna.files("disk"));
    world.sterna.same("src", &world.near);
}

/// A destination that cannot be opened is given up like one that cannot be listed; one that is written wrongly ends the run
/// before it begins.
#[test]
fn promise_4_a_destination_that_cannot_be_opened_ends_only_itself() {
    let sterna = Sterna::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let keys = "application_key_id = \"id\"\napplication_key = \"key\"";
    sterna.config(&format!("[remote.closed]\ntype = \"b2\"\nendpoint = \"http://{port}\"\n{keys}\n\n"));
    sterna.config("[remote.wrong]\ntype = \"b2\"\nendpoint = \"http://127.0.0.1\"\n");
    sterna.tree("src");
    let alone = ["--low-level-retries", "1"];
    let run = |arguments: &[&str]| sterna.run(&[arguments, &alone[..]].concat());
    let dry = run(&["sync", "src", "closed:bucket", "disk", "--dry-run"]).exits(5).says("closed:bucket: ");
    assert!(dry.stdout.lines().any(|line| line.starts_with("! all that follows -> 1")), "{dry}");
    run(&["plan", "src", "closed:bucket", "disk", "-o", "plan.jsonl"]).exits(5);
    run(&["sync", "src", "closed:bucket", "disk"]).exits(5).says("1 of 2 destinations complete");
    assert_eq!(sterna.files("src"), sterna.files("disk"));
    run(&["sync", "src", "closed:bucket", "disk", "--require", "any"]).exits(0);
    std::fs::remove_dir_all(sterna.path("disk")).expect("it was written");
    run(&["apply", "plan.jsonl"]).exits(5).says("1 of 2 destinations complete");
    assert_eq!(sterna.files("src"), sterna.files("disk"));
    run(&["sync", "src", "closed:bucket"]).exits(5);
    run(&["sync", "src", "closed:bucket", "closed:other"]).exits(5);
    run(&["sync", "src", "wrong:bucket", "disk"]).exits(2);
    run(&["sync", "src", "clsoed:bucket", "disk"]).exits(2).says("closed");
}

/// A destination that lists slowly does not keep the others waiting: here its listing is not told before they are done.
#[test]
fn a_destination_that_lists_slowly_is_made_after_the_others() {
    let (sterna, server) = (Sterna::at(&["near"]), seaweedfs());
    let last = sterna.path("disk/z");
    let held_back = move |method: &str, head: &str, _: usize| {
        let lists = method == "GET" && head.lines().next().is_some_and(|line| line.contains("list-type=2"));
        let given_up = Instant::now() + Duration::from_secs(60);
        while lists && !last.exists() && Instant::now() < given_up {
            thread::sleep(Duration::from_millis(5));
        }
        None
    };
    let proxy = Proxy::new(&server.endpoint, held_back);
    remote(&sterna, "slow", &proxy.url);
    let bucket = server.bucket("slow");
    let (near, slow) = (format!("near:{bucket}"), format!("slow:{bucket}"));
    for there in [&near, "disk"] {
        for name in ["a", "b", "extra"] {
            sterna.file(format!("old/{name}"), "old");
        }
        sterna.run(&["copy", "old", there]).exits(0);
    }
    for name in ["a", "b", "c", "d", "e", "f", "g", "z"] {
        sterna.dated(format!("src/{name}"), name, 1_700_000_000, 0);
    }
    let run = |patience| {
        sterna.run(&["--json", "sync", "src", &slow, "disk", "--max-delete", "1", "--patience", patience]).exits(0)
    };
    let ran = run("1s").says(&format!("{slow} tells what it holds more slowly than the others: it is made after them"));
    let told: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    for target in 0..2 {
        assert_eq!(told["codes"][target], 0, "{ran}");
        let (planned, done) = (&told["planned"][target], &told["done"]["targets"][target]);
        // From folder to folder files are copied.
        let [sent, made] = if target == 0 { ["transfers", "transferred"] } else { ["copies", "copied"] };
        assert_eq!((&planned[sent], &planned["deletes"]), (&8.into(), &1.into()), "{ran}");
        assert_eq!((&done[made], &done["deleted"], &done["failed"]), (&8.into(), &1.into(), &0.into()), "{ran}");
    }
    assert_eq!(sterna.files("src"), sterna.files("disk"));
    sterna.same("src", &near);
    // Now nobody is slow, and there is nothing to do.
    let ran = run("off");
    assert!(!ran.stderr.contains("more slowly"), "{ran}");
}
