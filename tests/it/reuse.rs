//! Promise 3: no content is sent twice.

use std::{fs, os::unix::fs::MetadataExt};

use sterna_servers::{B2Server, moto, rclone_s3, seaweedfs};

use crate::judge::Did;
use crate::sterna::Sterna;
use crate::tree::noise;

/// A tree in which three of eight files are copies of others.
fn tree(sterna: &Sterna, folder: &str) {
    for (at, name) in (0..).zip(["images/nightly.iso", "packages/a.hpkg", "packages/b.hpkg", "repo", "repo.sha256"]) {
        sterna.dated(
            format!("{folder}/{name}"),
            noise(3000 + 500 * at, at as u64),
            1_600_000_000 + at as u64,
            7_000_000,
        );
    }
    for (name, of) in [("master/a.hpkg", 1), ("r1/a.hpkg", 1), ("r1/repo", 3)] {
        sterna.dated(format!("{folder}/{name}"), noise(3000 + 500 * of, of as u64), 1_650_000_000, 9_000_000);
    }
}

/// Renames, moves between folders, a swap, a rotation of three, and a promoted image.
fn shuffle(sterna: &Sterna, folder: &str) {
    let path = |name: &str| sterna.path(folder).join(name);
    let rename = |from: &str, to: &str| {
        fs::create_dir_all(path(to).parent().expect("below the root")).expect("a writable directory");
        fs::rename(path(from), path(to)).expect("it is there");
    };
    rename("images/nightly.iso", "releases/r1.iso");
    rename("packages/a.hpkg", "swap");
    rename("packages/b.hpkg", "packages/a.hpkg");
    rename("swap", "packages/b.hpkg");
}

const FIRST: Did = Did { transferred: 5, copied: 3, ..Did::NOTHING };

/// The promise at `place`; what is there afterwards is fetched by `--no-index`, which relies on nothing learnt.
fn promise(sterna: &Sterna, place: &str) {
    let same = |folder: &str| {
        sterna.run(&["--no-index", "copy", place, folder]).exits(0);
        assert_eq!(sterna.files("src"), sterna.files(folder), "{place}");
    };
    tree(sterna, "src");
    sterna.run(&["sync", "src", place, "--dry-run"]).exits(0).says("3 of them");
    assert_eq!(sterna.did(&["sync", "src", place]), FIRST, "{place}");
    same("first");
    assert_eq!(sterna.did(&["sync", "src", place]), Did::NOTHING, "{place}");

    shuffle(sterna, "src");
    // Of the two that change places, one is copied and the other, overwritten by then, is sent. The old nightly goes.
    let did = sterna.did(&["sync", "src", place, "--max-delete", "50%"]);
    assert_eq!(did, Did { transferred: 1, copied: 2, deleted: 1, ..Did::NOTHING }, "{place}");
    same("second");
    assert_eq!(sterna.did(&["sync", "src", place]), Did::NOTHING, "{place}");
}

#[test]
fn promise_3_renamed_and_repeated_contents_are_copied_by_seaweedfs() {
    let sterna = Sterna::with_s3("near", seaweedfs());
    promise(&sterna, &format!("near:{}/deep", seaweedfs().bucket("reuse")));
}

#[test]
fn promise_3_renamed_and_repeated_contents_are_copied_by_moto() {
    let sterna = Sterna::with_s3("near", moto());
    promise(&sterna, &format!("near:{}/deep", moto().bucket("reuse")));
}

#[test]
fn promise_3_renamed_and_repeated_contents_are_copied_by_rclone() {
    let sterna = Sterna::with_s3("near", rclone_s3());
    promise(&sterna, &format!("near:{}/deep", rclone_s3().bucket("reuse")));
}

#[test]
fn promise_3_what_was_downloaded_is_copied_on_the_disk() {
    let sterna = Sterna::with_s3("near", seaweedfs());
    let place = format!("near:{}", seaweedfs().bucket("reuse-down"));
    tree(&sterna, "src");
    sterna.run(&["sync", "src", &place]).exits(0);
    assert_eq!(sterna.did(&["sync", &place, "disk"]), FIRST);
    assert_eq!(sterna.files("src"), sterna.files("disk"));
    shuffle(&sterna, "src");
    sterna.run(&["sync", "src", &place, "--max-delete", "50%"]).exits(0);
    let did = sterna.did(&["sync", &place, "disk", "--max-delete", "50%"]);
    assert_eq!(did, Did { transferred: 1, copied: 2, deleted: 1, ..Did::NOTHING });
    assert_eq!(sterna.files("src"), sterna.files("disk"));
}

/// Somebody overwrites behind our back what is about to be copied: the plan is refused nothing and nothing wrong arrives.
#[test]
fn promise_3_what_is_no_longer_what_it_was_is_sent() {
    for server in [seaweedfs(), moto()] {
        let sterna = Sterna::with_s3("near", server);
        let bucket = server.bucket("reuse-stale");
        let place = format!("near:{bucket}");
        sterna.dated("src/old", noise(5000, 1), 1_600_000_000, 0);
        sterna.run(&["sync", "src", &place]).exits(0);
        fs::rename(sterna.path("src/old"), sterna.path("src/new")).expect("it is there");
        sterna.run(&["plan", "--intent", "copy", "src", &place, "-o", "plan.jsonl"]).exits(0);
        let plan = fs::read_to_string(sterna.path("plan.jsonl")).expect("it was written");
        assert!(plan.contains("\"do\":\"copy\"") && plan.contains("\"origin\""), "{plan}");
        let other = Sterna::with_s3("near", server);
        other.file("old", noise(5000, 2));
        other.run(&["copy", "old", &place]).exits(0);
        sterna.run(&["apply", "plan.jsonl"]).exits(0);
        other.run(&["copy", &place, "there"]).exits(0);
        let there = other.files("there");
        assert_eq!((&there["new"].bytes, &there["old"].bytes), (&noise(5000, 1), &noise(5000, 2)));
    }
}

#[test]
fn promise_3_other_buckets_are_searched_where_the_remote_is_told_to() {
    let server = moto();
    let sterna = Sterna::with_s3("near", server);
    let (nightly, release) = (server.bucket("reuse-nightly"), server.bucket("reuse-release"));
    // The last remote of the file is this one.
    sterna.config(&format!("search = \"{nightly}\"\n"));
    sterna.dated("src/haiku-r1.iso", noise(50_000, 1), 1_600_000_000, 0);
    sterna.run(&["copy", "src", &format!("near:{nightly}/x86_64")]).exits(0);
    fs::rename(sterna.path("src/haiku-r1.iso"), sterna.path("src/release.iso")).expect("it is there");
    let place = format!("near:{release}/r1");
    assert_eq!(sterna.did(&["copy", "src", &place]), Did { copied: 1, ..Did::NOTHING });
    let arrived = crate::raw::get(server, &release, "r1/release.iso");
    assert_eq!(arrived, Some(noise(50_000, 1)));
    // And without being told, or without an index, everything is sent.
    let other = format!("near:{}", server.bucket("reuse-unknown"));
    assert_eq!(sterna.did(&["--no-index", "copy", "src", &other]), Did { transferred: 1, ..Did::NOTHING });
}

#[test]
fn promise_3_on_b2() {
    let (sterna, server) = (Sterna::new(), B2Server::start());
    sterna.b2("b", &server, "");
    promise(&sterna, &format!("b:{}/deep", server.bucket("reuse")));
}

/// With `--hard-link` a name more for what is there with the same time; a name that changes parts from the others.
#[test]
fn promise_3_names_instead_of_copies_by_choice() {
    let sterna = Sterna::at(&["near"]);
    let inode = |name: &str| fs::metadata(sterna.path("dst").join(name)).expect("it arrived").ino();
    let near = format!("near:{}", seaweedfs().bucket("names"));
    let sync = ["sync", "--hard-link", "--checksum", &near, "dst"];
    let uploaded = || sterna.run(&["sync", "--checksum", "--max-delete", "100%", "src", &near]).exits(0);
    sterna.dated("src/a", noise(300_000, 1), 1_600_000_000, 0);
    sterna.dated("src/b", noise(200_000, 2), 1_600_000_000, 0);
    uploaded();
    assert_eq!(sterna.did(&sync), Did { transferred: 2, ..Did::NOTHING });
    for name in ["one", "deep/two", "three"] {
        sterna.dated(format!("src/{name}"), noise(300_000, 1), 1_600_000_000, 0);
    }
    sterna.dated("src/later", noise(300_000, 1), 1_650_000_000, 0);
    uploaded();
    assert_eq!(sterna.did(&sync), Did { copied: 4, ..Did::NOTHING });
    assert_eq!(sterna.files("src"), sterna.files("dst"));
    for name in ["one", "deep/two", "three"] {
        assert_eq!(inode(name), inode("a"), "{name}");
    }
    assert_ne!(inode("later"), inode("a"), "its time is another");
    assert_eq!(sterna.did(&sync), Did::NOTHING);

    sterna.dated("src/one", noise(300_000, 9), 1_700_000_000, 0);
    sterna.dated("src/three", noise(300_000, 1), 1_700_000_000, 0);
    uploaded();
    assert_eq!(sterna.did(&sync), Did { transferred: 1, ..Did::NOTHING });
    // The listing of S3 tells no times.
    assert_eq!(sterna.did(&["sync", "--checksum", "src", "dst"]), Did { touched: 1, ..Did::NOTHING });
    assert_eq!(sterna.files("src"), sterna.files("dst"), "the names that stayed have their bytes and their time");
    assert_eq!(inode("deep/two"), inode("a"));
    assert!(inode("one") != inode("a") && inode("three") != inode("a"));
}

/// One reading feeds a disk, another SeaweedFS and moto; a fourth destination that cannot be written to stops none.
#[test]
fn several_destinations_are_fed_from_one_reading() {
    let sterna = Sterna::at(&["near", "far", "keys"]);
    sterna.tree("src");
    sterna.dated("src/big.iso", noise(40_000_000, 77), 1_500_000_000, 0);
    let total: usize = sterna.files("src").values().map(|file| file.bytes.len()).sum();
    let from = format!("near:{}", seaweedfs().bucket("fan-out"));
    sterna.run(&["copy", "src", &from]).exits(0);
    let far = format!("far:{}/x", sterna_servers::seaweedfs_second().bucket("fan-out"));
    let keys = format!("keys:{}/y", moto().bucket("fan-out"));
    let ran = sterna.run(&["--json", "sync", &from, "disk", &far, &keys]).exits(0);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    let read = told["requests"][0][1]["bytes_in"].as_u64();
    assert_eq!(read, Some(total as u64), "{ran}");
    assert_eq!(sterna.files("src"), sterna.files("disk"));
    sterna.same("src", &far);
    sterna.same("src", &keys);

    let nowhere = "keys:there-is-no-such-bucket-and-it-cannot-be-made_/z";
    let again = ["sync", from.as_str(), "disk2", nowhere];
    sterna.run(&[&again[..], &["--require", "2"]].concat()).exits(1);
    sterna.run(&[&again[..], &["--require", "some"]].concat()).exits(2).says("neither 'all' nor 'any'");
    sterna.run(&[&again[..], &["--require", "any"]].concat()).exits(0);
    assert_eq!(sterna.files("src"), sterna.files("disk2"));
}
