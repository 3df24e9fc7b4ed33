//! `ls`, `tree`, `size`, `stat`, `cat`, `hash`, `mkdir`, `delete`, `purge`.

use std::fs;

use serde_json::Value;
use sterna_servers::seaweedfs;

use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// The tree of files, and the same in a bucket.
fn two_places(sterna: &Sterna, bucket: &str) -> [String; 2] {
    let near = format!("near:{}", seaweedfs().bucket(bucket));
    sterna.tree("src");
    sterna.rclone(&["copy", "src", &near]).exits(0);
    ["src".to_owned(), near]
}

#[test]
fn ls_shows_one_level_or_all() {
    let sterna = Sterna::at(&["near"]);
    for place in two_places(&sterna, "ls") {
        let keys = |arguments: &[&str]| sterna.run(&[&["ls", "--keys"], arguments].concat()).exits(0).stdout;
        let level = "a\na!\na.txt\nb/\nimages/\npackages/\nrepo\nrepo.minisig\nrepo.sha256\n";
        assert_eq!(keys(&[&place]), level);
        assert_eq!(keys(&[&format!("{place}/b")]), "a.txt\na/\nempty\n");
        let all = keys(&["-R", &place]);
        assert_eq!(all.lines().collect::<Vec<_>>(), sterna.names("src"), "{place}");
        assert_eq!(keys(&["-R", &place, "--include", "*.hpkg"]).lines().count(), 2);
        let long = sterna.run(&["ls", &format!("{place}/packages")]).exits(0).stdout;
        assert!(long.lines().next().expect("two").trim_start().starts_with("6400 "), "{long}");
        let json = sterna.run(&["ls", "--json", &format!("{place}/repo")]).exits(0).stdout;
        let entry: Value = serde_json::from_str(&json).expect("one object");
        assert_eq!((&entry["key"], &entry["size"]), (&"repo".into(), &7800.into()));
        sterna.run(&["ls", &format!("{place}/nothing-here")]);
    }
    let buckets = sterna.run(&["ls", "near:"]).exits(0).stdout;
    assert!(buckets.lines().any(|bucket| bucket.starts_with("ls-") && bucket.ends_with('/')), "{buckets}");
}

#[test]
fn tree_and_size_count() {
    let sterna = Sterna::at(&["near"]);
    for place in two_places(&sterna, "tree") {
        let bytes: usize = sterna.files("src").values().map(|found| found.bytes.len()).sum();
        let size: Value = serde_json::from_str(&sterna.run(&["size", "--json", &place]).exits(0).stdout).expect("JSON");
        assert_eq!((&size["objects"], &size["bytes"]), (&14.into(), &bytes.into()));
        let words = sterna.run(&["size", &place]).exits(0).stdout;
        assert!(words.starts_with("14 objects, ") && words.contains(&format!("({bytes} bytes)")), "{words}");
        let tree = sterna.run(&["tree", &format!("{place}/b")]).exits(0).stdout;
        let lines: Vec<&str> = tree.lines().collect();
        assert!(lines[1].starts_with("├── a.txt"), "{tree}");
        assert!(lines[2].starts_with("├── a/  (1 object") && lines[3].starts_with("│   └── c  ("), "{tree}");
        assert!(lines[4].starts_with("└── empty  (0 B)"), "{tree}");
    }
}

#[test]
fn stat_and_cat_tell_of_one_object() {
    let sterna = Sterna::at(&["near"]);
    for place in two_places(&sterna, "stat") {
        let object = format!("{place}/repo.sha256");
        let stat = sterna.run(&["stat", &object]).exits(0).stdout;
        for fact in
            ["key                  repo.sha256", "size                 9200", "modified             2020-09-13T"]
        {
            assert!(stat.contains(fact), "{fact} in\n{stat}");
        }
        let whole = &sterna.files("src")["repo.sha256"].bytes;
        let cat = |flags: &[&str]| {
            let mut all = vec!["cat", object.as_str()];
            all.extend(flags);
            let output = sterna.command(&all).output().expect("sterna runs");
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        assert_eq!(&cat(&[]), whole);
        assert_eq!(cat(&["--offset", "9000"]), whole[9000..]);
        assert_eq!(cat(&["--offset", "10", "--count", "5"]), whole[10..15]);
        assert_eq!(cat(&["--count", "0"]), b"");
        assert_eq!(cat(&["--offset", "9200"]), b"");
        assert_eq!(cat(&["--offset", "10000", "--count", "1"]), b"");
        sterna.run(&["stat", &format!("{place}/repo.sha25")]).exits(4);
        sterna.run(&["cat", &format!("{place}/b")]).exits(4);
    }
}

#[test]
fn sha256sum_accepts_our_sums() {
    let sterna = Sterna::at(&["near"]);
    sterna.file("src/with\nbreak", "a line break");
    for place in two_places(&sterna, "hash") {
        for (algorithm, judge) in [("sha256", "sha256sum"), ("sha1", "sha1sum"), ("md5", "md5sum")] {
            let sums = sterna.run(&["hash", algorithm, &place]).exits(0).stdout;
            assert_eq!(sums.lines().count(), 15, "{sums}");
            let file = sterna.file("sums", sums);
            let mut check = sterna.program(judge, &["--check", "--strict", "--quiet"]);
            check.arg(file).current_dir(sterna.path("src"));
            Ran::of(check).exits(0);
        }
    }
    // A wrong byte is seen, so the sums above were more than names.
    fs::write(sterna.path("src/repo"), "other").expect("a writable file");
    let mut check = sterna.program("md5sum", &["--check", "--quiet", "../sums"]);
    check.current_dir(sterna.path("src"));
    Ran::of(check).exits(1);
}

#[test]
fn delete_takes_what_passes_the_filters() {
    let sterna = Sterna::at(&["near"]);
    for place in two_places(&sterna, "delete") {
        let names = || sterna.listed(&place).into_keys().collect::<Vec<_>>();
        let all = names();
        let pattern = ["--include", "*.hpkg"];
        let dry = sterna.run(&[&["delete", &place, "--dry-run"], &pattern[..]].concat()).exits(0);
        let shown: Vec<&str> = dry.stdout.lines().collect();
        assert_eq!(shown, ["- packages/one-1.0-1.hpkg", "- packages/two-2.0-1.hpkg"]);
        assert_eq!(names(), all);
        sterna.run(&[&["delete", &place], &pattern[..]].concat()).exits(0).says("2 objects deleted");
        let kept: Vec<_> = all.into_iter().filter(|name| !name.contains("hpkg")).collect();
        assert_eq!(names(), kept);
        sterna.run(&["delete", &format!("{place}/repo")]).exits(0).says("1 object deleted");
        assert_eq!(names().len(), 11, "repo.sha256 is not repo");
        sterna.run(&["delete", &place, "--min-size", "1G"]).exits(0).says("0 objects deleted");
    }
}

#[test]
fn a_place_that_is_an_object_is_that_object_and_passes_the_filters() {
    let sterna = Sterna::at(&["near"]);
    for name in ["a", "b", "a\nb", "a\nb\r"] {
        sterna.file(format!("src/{name}"), name);
    }
    let near = format!("near:{}", seaweedfs().bucket("one"));
    sterna.rclone(&["copy", "src", &near]).exits(0);
    for place in ["src", &near] {
        let one = format!("{place}/a\nb");
        sterna.run(&["ls", "--keys", &one]).exits(0).prints("a\nb\n");
        sterna.run(&["delete", &one, "--min-age", "1d"]).exits(0).says("0 objects deleted");
        sterna.run(&["move", &one, "moved", "--exclude", "a*"]).exits(0);
        sterna.run(&["copy", &one, "copied", "--max-size", "2B"]).exits(0);
        assert_eq!(sterna.listed(place).len(), 4, "{place}: all of that was ruled out");
        assert!(!sterna.path("moved").exists() && !sterna.path("copied").exists());
        sterna.run(&["delete", &one, "--max-age", "1d"]).exits(0).says("1 object deleted");
        sterna.run(&["delete", &format!("{one}\r")]).exits(0).says("1 object deleted");
        assert_eq!(sterna.listed(place).into_keys().collect::<Vec<_>>(), ["a", "b"], "{place}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error_to_speak_of() {
    let sterna = Sterna::new();
    sterna.file("src/a", "a");
    sterna.file("dst/b", "b");
    let commands: [&[&str]; 8] = [
        &["ls", "src"],
        &["size", "src", "--json"],
        &["hash", "md5", "src"],
        &["check", "src", "dst"],
        &["check", "src", "dst", "-q", "--combined", "-"],
        &["copy", "src", "dst", "--dry-run", "-q"],
        &["plan", "src", "dst", "--intent", "copy", "-q"],
        &["man"],
    ];
    for arguments in commands {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = sterna.command(arguments);
        let output = command.stdout(writer).output().expect("sterna runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(141) && said.is_empty(), "{arguments:?}: {}\n{said}", output.status);
    }
}

#[test]
fn json_is_nothing_but_json() {
    let sterna = Sterna::new();
    sterna.tree("src");
    for arguments in [["delete", "--dry-run"], ["purge", "--dry-run"], ["delete", "--incomplete"]] {
        let ran = sterna.run(&[&arguments[..], &["src", "--json"]].concat()).exits(0);
        let last = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).next_back();
        assert!(last.expect("a last line")["deleted"].is_u64(), "{ran}");
    }
}

#[test]
fn mkdir_and_purge() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("purge");
    sterna.run(&["mkdir", "new/deep"]).exits(0);
    assert!(sterna.path("new/deep").is_dir());
    sterna.run(&["mkdir", "new/deep"]).exits(0);
    sterna.file("file", "no directory");
    sterna.run(&["mkdir", "file"]).exits(1).says("file");

    let made = format!("near:made-by-{bucket}");
    sterna.run(&["mkdir", &made]).exits(0);
    let buckets = || sterna.run(&["ls", "near:"]).exits(0).stdout;
    assert!(buckets().contains(&format!("made-by-{bucket}/")));
    for place in ["src", &made] {
        sterna.tree("src");
        sterna.rclone(&["copy", "src", place]).exits(0);
        sterna.file("outside", "stays");
        sterna.run(&["purge", &format!("{place}/b"), "--dry-run"]).exits(0);
        assert_eq!(sterna.listed(place).len(), 14);
        sterna.run(&["purge", &format!("{place}/b")]).exits(0);
        assert_eq!(sterna.listed(place).len(), 11, "a, a! and a.txt are not in b/");
        sterna.run(&["purge", place]).exits(0);
        assert!(place == made || !sterna.path("src").exists());
    }
    assert!(sterna.path("outside").exists());
    assert!(!buckets().contains(&format!("made-by-{bucket}/")));
    sterna.run(&["purge", &made]).exits(3);
}

#[test]
fn purge_takes_no_object() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("purge-one");
    sterna.tree("src");
    let near = format!("near:{bucket}");
    sterna.run(&["copy", "src", &near]).exits(0);
    for place in ["src", &near] {
        let one = format!("{place}/repo");
        sterna.run(&["purge", &one]).exits(2).says(&format!("'delete {one}'"));
        assert_eq!(sterna.listed(place).len(), 14);
        sterna.run(&["delete", &one]).exits(0).says("1 object deleted");
        assert_eq!(sterna.listed(place).len(), 13);
    }
}

#[test]
fn abandoned_uploads_are_swept() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("abandoned");
    let place = format!("near:{bucket}");
    sterna.file("src/big.iso", noise(12_000_000, 8));
    // A run that is cut off in the middle leaves an upload behind.
    let parts = ["--multipart-threshold", "6M", "--part-size", "5M", "--bwlimit", "6M", "--transfers", "1"];
    let mut run = sterna.command(&[&["copy", "src", &place], &parts[..]].concat()).spawn().expect("sterna runs");
    let uploads = || sterna.run(&["delete", "--incomplete", "--dry-run", &place]).exits(0).stdout;
    crate::servers::eventually("a part has arrived", || uploads().contains("- big.iso (5.0 MiB)"));
    run.kill().expect("a running child");
    run.wait().expect("a killed child");
    sterna.run(&["delete", "--incomplete", &place, "--min-age", "1d"]).exits(0).says("0 unfinished uploads");
    let left = uploads();
    assert!(left.starts_with("- big.iso ("), "{left}");
    sterna.run(&["delete", "--incomplete", &place]).exits(0).says("1 unfinished upload given up");
    assert_eq!(uploads(), "");
    assert!(sterna.listed(&place).is_empty());
}
