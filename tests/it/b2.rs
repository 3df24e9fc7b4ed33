//! Backblaze B2 by its native API, with the real binary: in sync with local files and with S3, judged by rclone, and
//! counted call by call.

use std::collections::BTreeMap;

use serde_json::json;
use sterna_servers::{B2Server, moto};

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};

impl Sterna {
    /// Adds a remote at this server.
    pub fn b2(&self, name: &str, server: &B2Server, more: &str) {
        let B2Server { endpoint, key_id, key, .. } = server;
        self.config(&format!(
            "[remote.{name}]\ntype = \"b2\"\nendpoint = \"{endpoint}\"\napplication_key_id = \"{key_id}\"\n\
             application_key = \"{key}\"\n{more}\n"
        ));
    }

    fn judged(&self, server: &B2Server, arguments: &[&str]) -> Ran {
        let mut rclone = server.rclone();
        rclone.current_dir(self.path("")).args(arguments);
        Ran::of(rclone)
    }
}

struct World {
    sterna: Sterna,
    server: B2Server,
    bucket: String,
}

impl World {
    fn new() -> Self {
        let (sterna, server) = (Sterna::new(), B2Server::start());
        sterna.b2("b", &server, "");
        let bucket = server.bucket("binary");
        Self { sterna, server, bucket }
    }

    /// As sterna writes it, and as rclone does.
    fn place(&self, folder: &str) -> (String, String) {
        (format!("b:{}{folder}", self.bucket), format!("server:{}{folder}", self.bucket))
    }
}

/// Keys both B2 and a disk hold, and that others stumble over.
const ODD: &[&str] = &[
    "plain",
    "a b+c%2Bü~.txt",
    "%41",
    "日本/é",
    "e\u{301}",
    "x#?&='\"",
    "-dash",
    "d/e!",
    "d/e/f",
    "*[x]{y}",
    "back\\slash",
    " lead",
    "trail ",
    "empty",
];

fn odd(sterna: &Sterna, folder: &str) {
    for name in ODD {
        let content = if *name == "empty" { String::new() } else { format!("content of {name}") };
        sterna.file(format!("{folder}/{name}"), content);
    }
    sterna.file(format!("{folder}/middle"), vec![5; 3_000_000]);
}

#[test]
fn local_and_b2_in_both_directions() {
    let World { sterna, server, bucket } = &World::new();
    odd(sterna, "src");
    let (ours, theirs) = (format!("b:{bucket}/deep"), format!("server:{bucket}/deep"));
    let up = sterna.did(&["sync", "src", &ours]);
    assert_eq!(up, Did { transferred: ODD.len() as u64 + 1, ..Did::NOTHING });
    sterna.judged(server, &["check", "--download", "src", &theirs]).exits(0);
    assert_eq!(sterna.did(&["sync", "src", &ours]), Did::NOTHING);
    // rclone finds nothing to do in what sterna wrote, times and SHA-1s included.
    sterna.judged(server, &["sync", "--dry-run", "src", &theirs]).exits(0).never_says("Skipped copy");
    sterna.judged(server, &["check", "src", &theirs]).exits(0);
    let down = sterna.did(&["sync", &ours, "back"]);
    assert_eq!(down, Did { transferred: ODD.len() as u64 + 1, ..Did::NOTHING });
    sterna.judged(server, &["check", "--download", "src", "back"]).exits(0);
    assert_eq!(sterna.did(&["sync", &ours, "back"]), Did::NOTHING);
}

#[test]
fn what_rclone_filled_is_in_sync() {
    let World { sterna, server, bucket } = &World::new();
    odd(sterna, "src");
    let theirs = format!("server:{bucket}/deep");
    let large = vec![9; 11_000_000];
    sterna.file("src/large", &large);
    let cut = ["--b2-upload-cutoff", "6M", "--b2-chunk-size", "5M"];
    // rclone writes a back slash as another character, so it is told to leave it.
    let raw = ["--b2-encoding", "Slash,Del,Ctl,InvalidUtf8,Dot"];
    sterna.judged(server, &[&["sync", "src", &theirs][..], &cut, &raw].concat()).exits(0);
    assert_eq!(sterna.did(&["sync", "src", &format!("b:{bucket}/deep")]), Did::NOTHING);
    assert_eq!(sterna.did(&["sync", "--checksum", "src", &format!("b:{bucket}/deep")]), Did::NOTHING);
}

#[test]
fn s3_and_b2_in_both_directions() {
    let World { sterna, server, bucket } = &World::new();
    let s3 = moto();
    sterna.s3("keys", s3);
    let far = s3.bucket("b2");
    odd(sterna, "src");
    sterna.run(&["sync", "src", &format!("keys:{far}")]).exits(0);
    let ours = format!("b:{bucket}");
    assert_eq!(sterna.did(&["sync", &format!("keys:{far}"), &ours]).transferred, ODD.len() as u64 + 1);
    sterna.judged(server, &["check", "--download", "src", &format!("server:{bucket}")]).exits(0);
    assert_eq!(sterna.did(&["sync", &format!("keys:{far}"), &ours]), Did::NOTHING);
    let back = s3.bucket("b2");
    assert_eq!(sterna.did(&["sync", &ours, &format!("keys:{back}")]).transferred, ODD.len() as u64 + 1);
    assert_eq!(sterna.did(&["sync", &ours, &format!("keys:{back}")]), Did::NOTHING);
    sterna.same("src", &format!("keys:{back}"));
    // Keys only S3 holds are told, and nothing else suffers.
    crate::raw::put(s3, &far, "a//b", b"odd");
    crate::raw::put(s3, &far, &"long".repeat(100), b"odd");
    let told = sterna.run(&["sync", "--dry-run", &format!("keys:{far}"), &ours]).exits(1).stdout;
    assert!(told.contains("empty segment") && told.contains("a segment of the key is too long"), "{told}");
}

#[test]
fn a_large_file_goes_in_parts_and_is_resumed() {
    let World { sterna, server, bucket } = &World::new();
    let content: Vec<u8> = (0..22_000_000_u32).map(|at| (at % 253) as u8).collect();
    sterna.file("src/large", &content);
    let ours = format!("b:{bucket}");
    let parts = ["--multipart-threshold", "6M", "--part-size", "5M", "--transfers", "1"];
    // The third part meets a cap, which ends the run: what was sent stays, since it is for a later run to go on with.
    server.faults(json!([{ "call": "b2_upload_part", "what": "status", "status": 500, "after": 3, "times": 99 }]));
    let flags = ["--low-level-retries", "1"];
    sterna.run(&[&["copy", "src", &ours][..], &parts, &flags].concat()).exits(5);
    server.reset();
    let ran = sterna.run(&[&["copy", "src", &ours][..], &parts].concat()).exits(0);
    let calls = server.calls();
    assert!(calls["b2_upload_part"] < 5, "{calls:?}\n{ran}");
    assert!(!calls.contains_key("b2_start_large_file"), "{calls:?}\n{ran}");
    assert_eq!(calls["b2_list_parts"], 1);
    sterna.judged(server, &["check", "--download", "src", &format!("server:{bucket}")]).exits(0);
    sterna.judged(server, &["check", "src", &format!("server:{bucket}")]).exits(0);
    assert_eq!(server.versions(bucket).len(), 1);
    assert_eq!(sterna.did(&["sync", "src", &ours]), Did::NOTHING);
    // Copied inside the account, and not through us.
    let far = server.bucket("binary");
    server.reset();
    assert_eq!(sterna.did(&["copy", &ours, &format!("b:{far}")]).copied, 1);
    assert_eq!(server.calls().get("b2_upload_part"), None);
}

#[test]
fn versions_are_listed_read_restored_and_swept() {
    let World { sterna, server, bucket } = &World::new();
    let ours = format!("b:{bucket}");
    for (name, content) in [("changed", "one"), ("deleted", "two"), ("kept", "three")] {
        sterna.file(format!("src/{name}"), content);
    }
    sterna.run(&["sync", "src", &ours]).exits(0);
    let stored = |name: &str| {
        let told = sterna.run(&["stat", "--json", &format!("{ours}/{name}")]).exits(0).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        told["stored"].as_str().expect("a time").to_owned()
    };
    let times = ["changed", "deleted", "kept"].map(stored).into_iter();
    let then = times.max_by_key(|text| text.parse::<jiff::Timestamp>().expect("RFC 3339")).expect("three times");
    sterna.file("src/changed", "another");
    std::fs::remove_file(sterna.path("src/deleted")).unwrap();
    sterna.run(&["sync", "src", &ours, "--max-delete", "1"]).exits(0);
    sterna.run(&["ls", "-R", "--keys", &ours]).exits(0).prints("changed\nkept\n");
    let all = "changed\nchanged\ndeleted\ndeleted\nkept\n";
    sterna.run(&["ls", "-R", "--keys", "--versions", &ours]).exits(0).prints(all);
    sterna.run(&["ls", "-R", "--keys", "--version-at", &then, &ours]).exits(0).prints("changed\ndeleted\nkept\n");
    sterna.run(&["copy", "--version-at", &then, &ours, "then"]).exits(0);
    assert_eq!(std::fs::read(sterna.path("then/changed")).unwrap(), b"one");

    // The past over the present: copies inside the account.
    server.reset();
    sterna.run(&["sync", "--version-at", &then, &ours, &ours]).exits(0);
    assert_eq!(server.calls().get("b2_upload_file"), None);
    sterna.run(&["cat", &format!("{ours}/changed")]).exits(0).prints("one");
    sterna.run(&["cat", &format!("{ours}/deleted")]).exits(0).prints("two");

    // A hidden object comes back when its marker goes.
    sterna.run(&["delete", &format!("{ours}/kept")]).exits(0);
    sterna.run(&["ls", "-R", "--keys", &ours]).exits(0).prints("changed\ndeleted\n");
    let swept = sterna.run(&["delete", "--old-versions", "--dry-run", &ours]).exits(0).stdout;
    assert_eq!(swept.lines().count(), 2 + 2 + 2, "{swept}");
    sterna.run(&["delete", "--old-versions", &ours]).exits(0);
    sterna.run(&["ls", "-R", "--keys", "--versions", &ours]).exits(0).prints("changed\ndeleted\n");
    assert_eq!(server.versions(bucket).len(), 2);
}

#[test]
fn deleting_hides_or_destroys() {
    let world = World::new();
    let World { sterna, server, bucket } = &world;
    sterna.b2("hard", server, "hard_delete = true");
    sterna.file("src/a", "one");
    sterna.run(&["sync", "src", &format!("b:{bucket}")]).exits(0);
    sterna.file("src/a", "two, longer");
    sterna.file("src/b", "b");
    sterna.run(&["sync", "src", &format!("b:{bucket}")]).exits(0);
    assert_eq!(server.versions(bucket).len(), 3);
    sterna.run(&["delete", &format!("b:{bucket}/b")]).exits(0);
    assert_eq!(server.versions(bucket).len(), 4);
    sterna.run(&["delete", &format!("hard:{bucket}/a")]).exits(0);
    assert_eq!(server.versions(bucket).len(), 2, "all versions of a are gone, those of b are there");
    sterna.run(&["purge", "--versions", &format!("b:{bucket}")]).exits(0);
    let (ours, theirs) = world.place("");
    sterna.run(&["ls", &ours]).exits(3);
    sterna.judged(server, &["lsd", &theirs]).exits(3);
}

#[test]
fn a_cap_ends_the_run() {
    let World { sterna, server, bucket } = &World::new();
    for number in 0..200 {
        sterna.file(format!("src/{number}"), format!("{number}"));
    }
    let fault = json!({ "call": "b2_upload_file", "what": "status", "status": 403, "code": "storage_cap_exceeded",
        "after": 20, "times": 999 });
    server.faults(json!([fault]));
    let ran = sterna.run(&["sync", "src", &format!("b:{bucket}")]).exits(15);
    let ran = ran.says("a cap of the account is reached").says("Caps & Alerts");
    assert!(server.calls()["b2_upload_file"] < 60, "{:?}\n{ran}", server.calls());
    // Caps come with the upload URL, too.
    server.reset();
    let fault = json!({ "call": "b2_get_upload_url", "what": "status", "status": 403, "code": "cap_exceeded" });
    server.faults(json!([fault]));
    sterna.run(&["sync", "src", &format!("b:{bucket}"), "--transfers", "1"]).exits(15);
}

/// Whatever the service does to single calls, everything arrives, once.
#[test]
fn faults_are_survived() {
    let World { sterna, server, bucket } = &World::new();
    for number in 0..60 {
        sterna.file(format!("src/{number}"), format!("content {number}"));
    }
    server.faults(json!([
        { "call": "b2_upload_file", "what": "status", "status": 503, "times": 3 },
        { "call": "b2_upload_file", "what": "status", "status": 401, "code": "expired_auth_token", "after": 5 },
        { "call": "b2_upload_file", "what": "status", "status": 408, "code": "request_timeout", "after": 8 },
        { "call": "b2_upload_file", "what": "status", "status": 429, "code": "too_many_requests", "after": 10,
          "headers": { "Retry-After": "1" } },
        { "call": "b2_upload_file", "what": "cut_request", "after": 12, "times": 2 },
        { "call": "b2_upload_file", "what": "flip", "after": 20, "times": 1 },
        { "call": "b2_upload_file", "what": "lose_answer", "after": 25, "times": 3 },
        { "call": "b2_upload_file", "what": "cut_answer", "after": 30, "times": 2 },
        { "call": "b2_get_upload_url", "what": "expire", "after": 2 },
        { "call": "b2_list_file_names", "what": "cut_answer" },
    ]));
    let ours = format!("b:{bucket}");
    let up = sterna.did(&["sync", "src", &ours]);
    assert_eq!((up.code, up.transferred), (0, 60));
    sterna.judged(server, &["check", "--download", "src", &format!("server:{bucket}")]).exits(0);
    assert_eq!(server.versions(bucket).len(), 60, "an object was stored twice");
    // Under a limit of bandwidth bodies are streams; what is refused or lost is sent again all the same.
    server.reset();
    server.faults(json!([
        { "call": "b2_upload_file", "what": "flip" },
        { "call": "b2_upload_file", "what": "flip", "after": 30 },
        { "call": "b2_upload_file", "what": "lose_answer", "after": 6 },
        { "call": "b2_upload_file", "what": "status", "status": 503, "after": 8, "times": 2 },
    ]));
    let slowly = sterna.did(&["sync", "src", &format!("{ours}/slowly"), "--bwlimit", "10M", "--no-reuse"]);
    assert_eq!((slowly.code, slowly.transferred), (0, 60));
    assert_eq!(server.versions(bucket).len(), 120);
    server.reset();
    server.faults(json!([
        { "call": "b2_download_file_by_id", "what": "cut_answer", "times": 3 },
        { "call": "b2_download_file_by_id", "what": "flip", "after": 5, "times": 2 },
        { "call": "b2_download_file_by_id", "what": "status", "status": 503, "after": 9 },
        { "call": "b2_download_file_by_id", "what": "expire", "after": 12 },
    ]));
    assert_eq!(sterna.did(&["sync", &ours, "back", "--no-reuse"]).transferred, 120);
    sterna.judged(server, &["check", "--download", "src", "back/slowly"]).exits(0);
    sterna.judged(server, &["check", "--download", "src", "back", "--exclude", "slowly/**"]).exits(0);
}

/// The classes Backblaze counts calls in (<https://www.backblaze.com/cloud-storage/transaction-pricing>).
fn class(call: &str) -> &'static str {
    match call {
        "b2_cancel_large_file"
        | "b2_delete_file_version"
        | "b2_finish_large_file"
        | "b2_get_upload_part_url"
        | "b2_get_upload_url"
        | "b2_hide_file"
        | "b2_start_large_file"
        | "b2_upload_file"
        | "b2_upload_part" => "A",
        "b2_download_file_by_id" | "b2_download_file_by_name" | "b2_get_file_info" => "B",
        _ => "C",
    }
}

fn classes(server: &B2Server) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::from([("A", 0), ("B", 0), ("C", 0)]);
    for (call, count) in server.calls() {
        *counts.entry(class(&call)).or_default() += count;
    }
    server.reset();
    counts
}

/// 2,000 files in four folders: no more calls than rclone makes for the same, in any class; and what is written down in
/// docs/backends/b2.md.
#[test]
fn two_thousand_files_cost_no_more_than_with_rclone() {
    let World { sterna, server, bucket } = &World::new();
    for number in 0..2_000 {
        sterna.file(format!("src/{}/{number}", number % 4), format!("content {number}"));
    }
    sterna.file("touched/0/0", "content 0");
    let (ours, far) = (format!("b:{bucket}"), server.bucket("rclone"));
    let theirs = format!("server:{far}");
    let both: [(&str, &[&str], &[&str]); 5] = [
        // As many at once as rclone takes by itself: each one under way may need an upload URL of its own.
        ("up", &["sync", "src", &ours, "--transfers", "4"], &["sync", "src", &theirs]),
        ("no change", &["sync", "src", &ours], &["sync", "src", &theirs]),
        ("down", &["sync", &ours, "down"], &["sync", &theirs, "down-rclone"]),
        ("touched", &["copy", "touched", &ours], &["copy", "touched", &theirs]),
        ("deleted", &["sync", "touched", &ours, "--max-delete", "100%"], &["sync", "touched", &theirs]),
    ];
    server.reset();
    let mut table = String::new();
    for (what, sterna_does, rclone_does) in both {
        sterna.run(sterna_does).exits(0);
        let ours = classes(server);
        sterna.judged(server, rclone_does).exits(0);
        let theirs = classes(server);
        table += &format!("{what}: {ours:?}, rclone {theirs:?}\n");
        for class in ["A", "B", "C"] {
            assert!(ours[class] <= theirs[class], "class {class}\n{table}");
        }
        if what == "no change" {
            assert!(ours.values().sum::<u64>() <= 5, "{table}");
        }
    }
    println!("{table}");
}

/// Without what the index remembers, too: the listing tells SHA-1 and time.
#[test]
fn nothing_to_do_costs_five_calls_without_a_memory() {
    let World { sterna, server, bucket } = &World::new();
    for number in 0..2_000 {
        sterna.file(format!("src/{number}"), format!("content {number}"));
    }
    let ours = format!("b:{bucket}");
    sterna.run(&["sync", "src", &ours]).exits(0);
    for folder in ["cache", "state", "data"] {
        let _absent_is_fine = std::fs::remove_dir_all(sterna.path("..").join("home").join(folder));
    }
    for flags in [&[][..], &["--checksum"]] {
        server.reset();
        assert_eq!(sterna.did(&[&["sync", "src", &ours][..], flags].concat()), Did::NOTHING);
        let calls = server.calls();
        assert!(calls.values().sum::<u64>() <= 5, "{calls:?}");
    }
}
