//! `check`: what differs, said as rclone says it.

use std::fs;

use sterna_servers::{moto, seaweedfs};

use crate::judge::Did;
use crate::raw;
use crate::sterna::Sterna;
use crate::tree::noise;

/// `a.txt` differs in size, `repo` in its bytes only, `only-here` and `only-there` stand on one side.
fn different(sterna: &Sterna) {
    sterna.tree("one");
    sterna.tree("two");
    sterna.file("two/a.txt", "another size");
    sterna.file("one/only-here/x", "here");
    sterna.file("two/only-there/x", "there");
    sterna.dated("two/repo", noise(100 + 700 * 11, 5), 1_700_000_000, 0);
}

/// The lines of a `--combined` report, in order of the paths.
fn combined(sterna: &Sterna) -> Vec<String> {
    let report = fs::read_to_string(sterna.path("combined")).expect("a report");
    let mut lines: Vec<String> = report.lines().map(str::to_owned).collect();
    lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
    lines
}

#[test]
fn the_report_is_the_one_rclone_writes() {
    let sterna = Sterna::at(&["near"]);
    different(&sterna);
    let near = format!("near:{}", seaweedfs().bucket("check"));
    sterna.rclone(&["copy", "two", &near]).exits(0);
    for there in ["two", &near] {
        for flags in [&[][..], &["--download"], &["--one-way"], &["--download", "--one-way"]] {
            let arguments = [&["check", "one", there, "--combined", "combined"], flags].concat();
            sterna.rclone(&arguments).exits(1);
            let theirs = combined(&sterna);
            let ran = sterna.run(&arguments).exits(1);
            assert_eq!(combined(&sterna), theirs, "{there} {flags:?}\n{ran}");
        }
    }
}

#[test]
fn an_object_in_parts_of_another_client_is_proven_without_reading_it() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("cut"));
    sterna.file("src/big.iso", noise(23_000_000, 3));
    // Without a whole digest beside it: all that is known is the ETag of its parts.
    let parts = ["--s3-upload-cutoff", "5Mi", "--s3-disable-checksum", "--s3-chunk-size"];
    for chunk in ["5Mi", "8Mi", "7Mi"] {
        sterna.rclone(&[&["copy", "--ignore-times", "src", &near][..], &parts, &[chunk]].concat()).exits(0);
        let ran = sterna.run(&["check", "--checksum", "src", &near]).exits(0);
        ran.says("1 the same (1 proven, 0 likely, 0 unproven)");
        // Another time alone would mean an upload, were there no proof to be had for less.
        sterna.dated("src/big.iso", noise(23_000_000, 3), 1_600_000_000, 0);
        assert_eq!(sterna.did(&["sync", "--no-update-modtime", "src", &near]), Did::NOTHING);
    }
    let mut changed = noise(23_000_000, 3);
    changed[22_999_999] ^= 1;
    sterna.file("src/big.iso", changed);
    sterna.run(&["check", "--checksum", "src", &near]).exits(1).says("1 difference");
}

#[test]
fn each_difference_has_its_sign_and_its_reason() {
    let sterna = Sterna::new();
    different(&sterna);
    let ran = sterna.run(&["check", "one", "two"]).exits(1);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{ran}");
    assert!(lines[0].starts_with("* a.txt  (another size"), "{ran}");
    assert!(lines[1].starts_with("+ only-here/x  (missing at the destination"), "{ran}");
    assert!(lines[2].starts_with("- only-there/x  (missing at the source"), "{ran}");
    assert!(lines[3].starts_with("* repo  (another "), "{ran}");
    ran.says("4 differences").says("12 the same (0 proven, 12 likely, 0 unproven)");
    sterna.run(&["check", "one", "two", "--quiet"]).exits(1).prints("");
    sterna.run(&["check", "one", "one"]).exits(0).prints("");
    // Nothing in common is said, nothing is written.
    sterna.run(&["check", "one", "two", "--exclude", "{a.txt,repo,only*/**}"]).exits(0).prints("");
}

#[test]
fn bytes_that_rotted_are_found_by_download_only() {
    let sterna = Sterna::new();
    sterna.tree("one");
    sterna.run(&["copy", "one", "two"]).exits(0);
    // The same size, the same time, another bit: no listing can show it.
    let mut bytes = fs::read(sterna.path("two/repo")).expect("it is there");
    bytes[1000] ^= 1;
    sterna.dated("two/repo", bytes, 1_600_000_011, 123_456_800);
    sterna.run(&["check", "one", "two"]).exits(0).says("14 likely");
    let ran = sterna.run(&["check", "one", "two", "--download"]).exits(1);
    assert!(ran.stdout.starts_with("* repo  (another sha256"), "{ran}");
    sterna.run(&["check", "one", "two", "--checksum"]).exits(1);
}

#[test]
fn promise_1_unproven_matches_are_counted_and_listed() {
    let sterna = Sterna::at(&["keys"]);
    let bucket = moto().bucket("check");
    raw::put_in_parts(moto(), &bucket, "big.iso", &noise(2_000_000, 1));
    sterna.file("src/big.iso", noise(2_000_000, 2));
    let place = format!("keys:{bucket}");
    sterna.run(&["check", "src", &place]).exits(11).says("1 unproven").prints("");
    let ran = sterna.run(&["check", "src", &place, "--list-unproven"]).exits(11);
    assert!(ran.stdout.starts_with("= big.iso  (the same size, nothing more is known"), "{ran}");
    sterna.run(&["check", "src", &place, "--allow-unproven"]).exits(0);
    sterna.run(&["check", "src", &place, "--download"]).exits(1);
}
