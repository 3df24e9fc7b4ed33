//! Limits hold for all places of a remote together, and for all remotes.

use std::time::{Duration, Instant};

use sterna_servers::{seaweedfs, seaweedfs_second};

use crate::sterna::Sterna;

const OBJECTS: u32 = 30;
const RATE: u32 = 20;

/// A source of many small objects.
fn many(sterna: &Sterna) {
    for number in 0..OBJECTS {
        sterna.file(format!("src/{number:02}"), format!("text {number}"));
    }
}

/// It took as long as `requests` at the rate do.
#[track_caller]
fn as_slow_as(sterna: &Sterna, arguments: &[&str], requests: u32) {
    let started = Instant::now();
    sterna.run(arguments).exits(0);
    let least = Duration::from_secs(1) * (requests - 1) / RATE;
    assert!(started.elapsed() >= least, "{:?} is less than {least:?}", started.elapsed());
}

#[test]
fn two_places_of_a_remote_have_one_limit() {
    let sterna = Sterna::at(&["near"]);
    sterna.config(&format!("requests_per_second = {RATE}\n"));
    many(&sterna);
    let [one, two] = ["limit-one", "limit-two"].map(|name| format!("near:{}", seaweedfs().bucket(name)));
    as_slow_as(&sterna, &["copy", "src", &one, &two], 2 * OBJECTS);
    sterna.same("src", &one);
    sterna.same("src", &two);
}

#[test]
fn two_remotes_have_the_limit_of_the_command_together() {
    let sterna = Sterna::at(&["near", "far"]);
    many(&sterna);
    let near = format!("near:{}", seaweedfs().bucket("limit-all"));
    let far = format!("far:{}", seaweedfs_second().bucket("limit-all"));
    sterna.run(&["copy", "src", &near]).exits(0);
    // Each is read there and put here.
    as_slow_as(&sterna, &["copy", &near, &far, "--tpslimit", &RATE.to_string()], 2 * OBJECTS);
    sterna.same("src", &far);
}
