//! A bucket that keeps old versions: they are listed, read, and restored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sterna_servers::{S3Server, moto, seaweedfs};

use crate::sterna::Sterna;

/// The time the server took the object, as RFC 3339 text, and the second after it, in seconds since 1970.
fn stored(sterna: &Sterna, object: &str) -> (String, u64) {
    let told: serde_json::Value =
        serde_json::from_str(&sterna.run(&["stat", "--json", object]).exits(0).stdout).expect("JSON");
    let text = told["stored"].as_str().expect("a time").to_owned();
    let seconds = text.parse::<jiff::Timestamp>().expect("RFC 3339").as_second();
    (text, u64::try_from(seconds).expect("after 1970") + 1)
}

/// Servers tell times in whole seconds: what is to be later has to wait for the next.
fn until(second: u64) {
    while SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() < second {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_old_state_is_listed_read_and_restored() {
    for server in [moto(), seaweedfs()] {
        restores(server);
    }
}

fn restores(server: &S3Server) {
    let sterna = Sterna::new();
    let bucket = server.bucket("versions");
    let kept = server.rclone().args(["backend", "versioning", &format!("server:{bucket}"), "Enabled"]).output();
    assert!(kept.expect("rclone was installed").status.success(), "the bucket keeps versions");
    // The present as rclone sees it.
    let now =
        |key: &str| server.rclone().args(["cat", &format!("server:{bucket}/{key}")]).output().expect("it runs").stdout;
    sterna.config(&format!(
        "[remote.old]\ntype = \"s3\"\nprovider = \"{}\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\npath_style = true\nversions = true\n\
         access_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
        server.provider, server.endpoint, server.access_key, server.secret_key
    ));
    let place = format!("old:{bucket}");
    for (name, content) in [("changed", "one"), ("deleted", "two"), ("kept", "three")] {
        sterna.file(format!("src/{name}"), content);
    }
    sterna.run(&["sync", "src", &place]).exits(0);
    let times = ["changed", "deleted", "kept"].map(|name| stored(&sterna, &format!("{place}/{name}")));
    let (then, later) = times.into_iter().max_by_key(|(_, second)| *second).expect("three objects");
    until(later);
    sterna.file("src/changed", "another");
    std::fs::remove_file(sterna.path("src/deleted")).expect("it is there");
    sterna.run(&["sync", "src", &place, "--max-delete", "1"]).exits(0);
    assert_eq!(
        server.rclone().args(["lsf", &format!("server:{bucket}")]).output().expect("it is there").stdout,
        b"changed\nkept\n"
    );

    let all = sterna.run(&["ls", "-R", "--versions", "--json", &place]).exits(0).stdout;
    let kinds: Vec<(String, bool)> = all
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("it is there"))
        .map(|entry| (entry["key"].as_str().expect("it is there").to_owned(), entry["kind"] == "deletemarker"))
        .collect();
    let told: Vec<(&str, bool)> = kinds.iter().map(|(key, marker)| (key.as_str(), *marker)).collect();
    let newest_first = [("changed", false), ("changed", false), ("deleted", true), ("deleted", false), ("kept", false)];
    assert_eq!(told, newest_first, "{all}");

    sterna.run(&["ls", "-R", "--keys", "--version-at", &then, &place]).exits(0).prints("changed\ndeleted\nkept\n");
    sterna.run(&["copy", "--version-at", &then, &place, "then"]).exits(0);
    assert_eq!(std::fs::read(sterna.path("then/changed")).expect("it is there"), b"one");
    assert_eq!(std::fs::read(sterna.path("then/deleted")).expect("it is there"), b"two");

    // Restoring is a sync of the past over the present, inside the endpoint.
    sterna.run(&["sync", "--version-at", &then, &place, &place]).exits(0);
    assert_eq!((now("changed"), now("deleted")), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn a_place_without_versions_does_not_pass_the_present_off_as_the_past() {
    let sterna = Sterna::new();
    sterna.file("src/a", "a");
    sterna.run(&["ls", "--version-at", "2d", "src"]).exits(2).says("keeps no old versions");
    sterna.run(&["copy", "--version-at", "2d", "src", "dst"]).exits(2).says("keeps no old versions");
}
