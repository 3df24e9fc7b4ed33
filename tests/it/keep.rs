//! What a job keeps, the trace it leaves, and whom it tells.

use std::{fs, path::Path};

use serde_json::Value;
use sterna_servers::{hook, mailbox, nginx};

use crate::sterna::{Ran, Sterna};

const REVISIONS: [&str; 4] = ["hrev57936", "hrev57937_9", "hrev57937_10", "hrev57937_129"];

/// Four images with what stands beside them, and something else.
fn images(sterna: &Sterna, folder: &str) {
    for revision in REVISIONS {
        for ending in ["", ".sha256", ".minisig"] {
            let name = format!("haiku-master-{revision}-x86_64-anyboot.zip{ending}");
            sterna.file(format!("{folder}/{name}"), format!("{revision}{ending}"));
        }
    }
    sterna.file(format!("{folder}/README"), "read me");
}

/// The names at a place, its trace aside.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn of(revisions: &[&str]) -> Vec<String> {
    let beside = |revision: &&str| {
        ["", ".minisig", ".sha256"].map(|ending| format!("haiku-master-{revision}-x86_64-anyboot.zip{ending}"))
    };
    let mut names: Vec<String> = revisions.iter().flat_map(beside).collect();
    names.push("README".to_owned());
    names.sort();
    names
}

#[test]
fn a_mirror_keeps_the_newest_and_tells_how_fresh_it_is() {
    let sterna = Sterna::new();
    let served = nginx();
    let url = served.folder("images");
    let target = served.on_disk(&url);
    images(&sterna, "source");
    // What the target has from before: an image that the source lacks, one that is too old, and the trace of somebody else.
    for name in ["hrev1-x86_64-anyboot.zip", "hrev1-x86_64-anyboot.zip.torrent", "hrev57936-x86_64-anyboot.zip"] {
        fs::write(target.join(format!("haiku-master-{name}")), "old").expect("a writable folder");
    }
    sterna.file("source/.mirror-trace", "of the source");
    sterna.config(&format!(
        "[job.images]\nsource = \"{}\"\ntargets = [\"{}\"]\nlimits = {{ max_delete = 10 }}\n\
         retention = {{ keep_last = 2, group_by = \"haiku-master-(?<rev>hrev[0-9]+(_[0-9]+)?)-(?<arch>[^-]+)\" }}\n",
        sterna.path("source").display(),
        target.display()
    ));
    let fresh = |arguments: &[&str]| sterna.run(&[&["job", "freshness", "--json"], arguments].concat());
    fresh(&[&url]).exits(1);

    sterna.run(&["job", "run", "images", "--dry-run"]).exits(0).says("2 kept, 1 to go (hrev57936; 1 object, 3 B)");
    let dry = sterna.run(&["job", "run", "images", "--dry-run", "--json"]).exits(0);
    let told: Value = serde_json::from_str(dry.stdout.lines().next().expect("a line")).expect("JSON");
    let goes = &told["retention"][0]["groups"][0]["goes"];
    assert_eq!((&goes[0]["revision"], goes.as_array().map(Vec::len)), (&"hrev57936".into(), Some(1)), "{told}");
    assert_eq!(names(&target).len(), 3, "a dry run changes nothing");
    sterna.run(&["job", "run", "images"]).exits(0);
    assert_eq!(names(&target), of(&REVISIONS[2..]), "by number, with all that stands beside it");
    let trace: Value = serde_json::from_slice(&fs::read(target.join(".mirror-trace")).expect("a trace")).expect("JSON");
    assert_eq!((trace["job"].as_str(), trace["listing"]["objects"].as_u64()), (Some("images"), Some(7)));
    sterna.run(&["job", "run", "images"]).exits(0);
    assert_eq!(names(&target), of(&REVISIONS[2..]), "and they stay away");

    // From outside, by the place as by its URL.
    let seen: Value = serde_json::from_str(&fresh(&[&url, "--max-age", "1h"]).exits(0).stdout).expect("JSON");
    assert_eq!((seen["fresh"].as_bool(), seen["trace"]["sterna"].as_str()), (Some(true), trace["sterna"].as_str()));
    let old = trace.to_string().replace(trace["time"].as_str().expect("a time"), "2026-01-01T00:00:00Z");
    fs::write(target.join(".mirror-trace"), old).expect("a writable folder");
    fresh(&[&url, "--max-age", "1h"]).exits(1);
    fresh(&[&url]).exits(0);

    // A source that has lost all its images but one takes the target not below two.
    for name in of(&REVISIONS[..3]).iter().filter(|name| *name != "README") {
        fs::remove_file(sterna.path("source").join(name)).expect("it was there");
    }
    sterna.run(&["job", "run", "images"]).exits(0);
    assert_eq!(names(&target), of(&REVISIONS[2..]));
}

#[test]
fn people_are_told_of_a_failure_and_of_its_end() {
    let sterna = Sterna::new();
    let (hook, mailbox) = (hook(), mailbox());
    sterna.file("source/a", "a");
    sterna.file("hook.url", format!("{}/T0P-S3CRET", hook.url));
    sterna.config(&format!(
        "[job.site]\nsource = \"{}\"\ntargets = [\"{}\"]\n\
         notify = [{{ webhook = {{ file = \"{}\" }} }}, {{ ping = \"{}/ping\" }}, \
         {{ email = \"ops@example.org\", from = \"sterna@example.org\", smtp = \"{}\" }}, {{ webhook = \"{}/refuse/T0P-S3CRET\" }}]\n",
        sterna.path("source").display(),
        sterna.path("target").display(),
        sterna.path("hook.url").display(),
        hook.url,
        mailbox.url,
        hook.url,
    ));
    let run = || sterna.run(&["job", "run", "site"]);
    run().exits(0);
    fs::rename(sterna.path("source"), sterna.path("away")).expect("it was there");
    let failed = run().exits(3).says("webhook at 127.0.0.1 was not told").never_says("S3CRET");
    assert!(!failed.stdout.contains("S3CRET"));
    run().exits(3);
    fs::rename(sterna.path("away"), sterna.path("source")).expect("it was there");
    run().exits(0);
    let told = hook.told();
    let paths = |prefix: &str| told.iter().filter(|told| told.starts_with(prefix)).count();
    assert_eq!((paths("/T0P-S3CRET"), paths("/ping/start\n"), paths("/ping/fail\n"), paths("/ping\n")), (2, 4, 2, 2));
    let mails = mailbox.told();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(mails.iter().any(|mail| mail.contains("Subject: sterna: site failed")), "{mails:?}");
    assert!(mails.iter().any(|mail| mail.contains("Subject: sterna: site is in step again")), "{mails:?}");
}

#[test]
fn what_is_wrong_in_a_job_is_said_with_its_place() {
    let wrong = |line: &str, says: &str| {
        let sterna = Sterna::new();
        sterna.config(&format!("[job.a]\nsource = \"x\"\ntargets = [\"y\"]\n{line}\n"));
        Ran::of(sterna.command(&["job", "list"])).exits(2).says(says);
    };
    wrong("schedule = \"61 * * * *\"", "the minute '61' of '61 * * * *' is wrong");
    wrong("schedule = \"0 0 30 2 *\"", "never comes");
    wrong("schedule = \"0 0 * * *\"\ntimezone = \"Europe/Berln\"", "'Europe/Berln' is no time zone");
    wrong("retention = { keep_lats = 1 }", "did you mean 'keep_last'?");
    wrong("retention = { keep_last = 1, group_by = \"a(b\" }", "unclosed group");
    wrong("notify = [{ webhok = \"https://a\" }]", "did you mean 'webhook'?");
    wrong(
        "notify = [{ email = \"a@b.c\", from = \"a@b.c\", smtp = \"smtp://h\", user = \"u\", password = \"p4ss\" }]",
        "does not stand here",
    );
}
