//! Promise 2: what was read once is known by all its digests, of every version of it that a run has seen.

use std::collections::BTreeMap;
use std::fs::{self, File};

use sterna_servers::{B2Server, Proxy, seaweedfs};

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// Keys that a disk, SeaweedFS and B2 hold, and that others stumble over.
const ODD: &[&str] =
    &["plain", "a b+c%2Bü~.txt", "%41", "日本/é", "e\u{301}", "x#?&='\"", "-dash", "d/e!", "d/e/f", "*[x]{y}", "empty"];

/// Objects of the source: the odd ones, a small one of some size, one in parts.
const ALL: u64 = ODD.len() as u64 + 2;

const PARTS: [&str; 4] = ["--multipart-threshold", "6M", "--part-size", "5M"];

/// A tree that lies on disk, on S3 and on B2, carried by sterna from the disk to each; every request is counted.
struct World {
    sterna: Sterna,
    b2: B2Server,
    proxy: Proxy,
    bucket: String,
    /// `s3:BUCKET`, through the proxy.
    s3: String,
    /// `b:BUCKET`.
    b: String,
}

impl World {
    fn new() -> Self {
        let (sterna, b2, server) = (Sterna::at(&["near"]), B2Server::start(), seaweedfs());
        let proxy = Proxy::new(&server.endpoint, |_, _, _| None);
        sterna.config(&format!(
            "[remote.s3]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
             path_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
            proxy.url, server.access_key, server.secret_key
        ));
        sterna.b2("b", &b2, "");
        for (at, name) in (0..).zip(ODD) {
            let content = if *name == "empty" { String::new() } else { format!("content of {name}") };
            sterna.dated(format!("src/{name}"), content, 1_600_000_000 + at, 0);
        }
        sterna.dated("src/middle", noise(2_000_000, 1), 1_500_000_000, 0);
        sterna.dated("src/large", noise(13_000_000, 2), 1_500_000_001, 0);
        let bucket = server.bucket("bridge");
        let (s3, b) = (format!("s3:{bucket}"), format!("b:{}", b2.bucket("bridge")));
        for place in [&s3, &b] {
            let up = sterna.did(&[&["sync", "src", place][..], &PARTS].concat());
            assert_eq!(up, Did { transferred: ALL, ..Did::NOTHING });
        }
        Self { sterna, b2, proxy, bucket, s3, b }
    }

    /// Runs, and counts the reads of objects and the looks at single ones on both sides.
    fn counted(&self, arguments: &[&str]) -> (Ran, Reads) {
        self.b2.reset();
        let before = self.proxy.heads().len();
        let ran = self.sterna.run(arguments);
        let calls = self.b2.calls();
        let count = |names: &[&str]| names.iter().filter_map(|name| calls.get(*name)).sum::<u64>();
        let mut reads = Reads {
            reads: count(&["b2_download_file_by_id", "b2_download_file_by_name"]),
            looks: count(&["b2_get_file_info"]),
        };
        for head in &self.proxy.heads()[before..] {
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let is_object = path.trim_start_matches('/').split('?').next().is_some_and(|path| path.contains('/'));
            reads.reads += u64::from(method == "GET" && is_object);
            reads.looks += u64::from(method == "HEAD" && is_object);
        }
        (ran, reads)
    }

    fn rclone_b2(&self, arguments: &[&str]) -> Ran {
        let mut rclone = self.b2.rclone();
        rclone.current_dir(self.sterna.path("")).args(arguments);
        Ran::of(rclone)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Reads {
    reads: u64,
    looks: u64,
}

const NONE: Reads = Reads { reads: 0, looks: 0 };

#[test]
fn promise_2_what_was_carried_to_two_stores_is_proven_equal_without_a_read() {
    let world = World::new();
    let World { s3, b, .. } = &world;
    let all = format!("{ALL} the same ({ALL} proven, 0 likely, 0 unproven)");
    for places in [["src", s3], ["src", b], [s3, b], [b, s3]] {
        let (ran, reads) = world.counted(&["check", places[0], places[1]]);
        let ran = ran.exits(0).says(&all);
        assert_eq!(reads, NONE, "{ran}");
    }
    // With `--checksum` nothing less than a digest counts, and none has to be computed.
    let (ran, reads) = world.counted(&["check", "--checksum", s3, b]);
    let ran = ran.exits(0).says(&all);
    assert_eq!(reads, NONE, "{ran}");
}

#[test]
fn promise_2_a_sync_of_unchanged_places_reads_nothing() {
    let world = World::new();
    let World { s3, b, .. } = &world;
    for places in [["src", s3], ["src", b], [s3, b], [b, s3]] {
        for flags in [&[][..], &["--checksum"]] {
            let (ran, reads) = world.counted(&[&["sync", places[0], places[1]][..], flags].concat());
            let ran = ran.exits(0).says("nothing to do");
            assert_eq!(reads, NONE, "{ran}");
        }
    }
}

/// What a sync had to read of files whose digests only a destination tells, it need not read again; a dry run, which
/// decides like the run after it, leaves nothing behind.
#[test]
fn promise_2_what_a_sync_had_to_read_is_known_to_the_next() {
    let sterna = Sterna::at(&["near"]);
    sterna.tree("src");
    let files = sterna.files("src").len();
    let near = format!("near:{}", seaweedfs().bucket("learnt"));
    sterna.rclone(&["copy", "src", &near]).exits(0);
    let known = || {
        let told = sterna.run(&["index", "export", "src"]).exits(0).stdout;
        csv::Reader::from_reader(told.as_bytes()).records().count()
    };
    sterna.run(&["sync", "src", &near, "--dry-run"]).exits(0).says("nothing to do");
    assert_eq!(known(), 0);
    sterna.run(&["sync", "src", &near]).exits(0).says("nothing to do");
    assert_eq!(known(), files);
    // Bytes that nobody may have looked at again: what is compared is what was learnt of this version.
    sterna
        .run(&["index", "build", "src"])
        .exits(0)
        .says(&format!("{files} before, 0 told by the listing, 0 by a stat, 0 read"));
    // Another version of a file is read, and what it holds is told apart.
    sterna.dated("src/repo", noise(7800, 99), 1_600_000_011, 0);
    assert_eq!(sterna.did(&["sync", "src", &near]), Did { transferred: 1, ..Did::NOTHING });
}

/// The MD5 of a file that goes in parts is worth what it costs where another remote may tell one.
#[test]
fn promise_2_the_md5_of_a_large_file_is_known_where_another_remote_may_tell_it() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("bridge-large");
    sterna.dated("src/large", noise(13_000_000, 2), 1_500_000_001, 0);
    let place = |folder: &str| format!("near:{bucket}/{folder}");
    let up = |from: &str, to: &str| sterna.did(&[&["copy", from, to][..], &PARTS].concat());
    let sent = Did { transferred: 1, ..Did::NOTHING };
    let known = |place: &str| {
        let told = sterna.run(&["index", "export", place]).exits(0).stdout;
        let mut reader = csv::Reader::from_reader(told.as_bytes());
        let row = reader.records().next().expect("a row").expect("CSV");
        [4, 5, 6].map(|column| !row[column].is_empty())
    };
    assert_eq!(up("src", &place("alone")), sent);
    for place in ["src", &place("alone")] {
        assert_eq!(known(place), [true, true, false], "{place}");
    }
    // What another program put there is known by its MD5, and is found all the same: nothing is sent twice.
    let filled = format!("near:{}", seaweedfs().bucket("bridge-filled"));
    sterna.rclone(&["copyto", "src/large", &format!("{filled}/other")]).exits(0);
    assert_eq!(up("src", &filled), Did { copied: 1, ..Did::NOTHING });

    sterna.config("\n[remote.second]\ntype = \"gcs\"\nbucket = \"nobody-opens-it\"\n");
    sterna.dated("more/large", noise(13_000_000, 3), 1_500_000_001, 0);
    assert_eq!(up("more", &place("beside")), sent);
    for place in ["more", &place("beside")] {
        assert_eq!(known(place), [true; 3], "{place}");
    }
}

/// Without the index the stores tell what they can: nothing is called more than it is.
#[test]
fn promise_2_without_the_index_less_is_proven_and_it_is_said() {
    let world = World::new();
    let World { s3, b, sterna, .. } = &world;
    // What another program wrote: S3 knows an MD5, B2 a SHA-1, and the times.
    sterna.dated("other/x", noise(1_200_000, 7), 1_400_000_000, 0);
    sterna.rclone(&["copy", "other", &format!("near:{}/other", world.bucket)]).exits(0);
    let bucket = b.trim_start_matches("b:");
    world.rclone_b2(&["copy", "other", &format!("server:{bucket}/other")]).exits(0);
    let places = [format!("{s3}/other"), format!("{b}/other")];
    let (ran, reads) = world.counted(&["check", "--no-index", &places[0], &places[1]]);
    let ran = ran.exits(0).says("1 the same (0 proven, 1 likely, 0 unproven)");
    assert_eq!(reads.reads, 0, "{ran}");
    // One build each, and the same is proven: the bytes were read once.
    for place in &places {
        sterna.run(&["index", "build", "--all", place]).exits(0).says("1 read: 1.1 MiB");
    }
    let (ran, reads) = world.counted(&["check", &places[0], &places[1]]);
    let ran = ran.exits(0).says("1 the same (1 proven, 0 likely, 0 unproven)");
    assert_eq!(reads.reads, 0, "{ran}");
}

#[test]
fn promise_2_a_row_of_another_version_never_counts() {
    let world = World::new();
    let World { s3, b, sterna, .. } = &world;
    let differs = |places: [&str; 2]| {
        let (ran, reads) = world.counted(&["check", places[0], places[1]]);
        let ran = ran.exits(1).says("1 difference (1 differ,");
        assert!(ran.stdout.starts_with("* middle  (another "), "{ran}");
        assert_eq!(reads.reads, 0, "{ran}");
    };
    // On disk: other bytes, the same size, the time put back.
    let path = sterna.path("src/middle");
    let time = fs::metadata(&path).and_then(|file| file.modified()).expect("a file");
    let mut bytes = noise(2_000_000, 1);
    bytes[1_000_000] ^= 1;
    fs::write(&path, &bytes).expect("a writable file");
    File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("a writable file");
    // What is left is size and time, and it is said; who asks for digests gets one of what is there now.
    let (proven, all) = (ALL - 1, format!("{ALL} the same"));
    for place in [s3, b] {
        let words = format!("{all} ({proven} proven, 1 likely, 0 unproven)");
        sterna.run(&["check", "src", place]).exits(0).says(&words);
    }
    for place in [s3, b] {
        let ran = sterna.run(&["check", "--checksum", "src", place]).exits(1);
        assert!(ran.stdout.starts_with("* middle  (another "), "{ran}");
    }
    fs::write(&path, noise(2_000_000, 1)).expect("a writable file");
    File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("a writable file");
    sterna.run(&["index", "build", "src"]).exits(0).says("12 before, 0 told by the listing, 0 by a stat, 1 read");
    sterna.run(&["check", "src", s3]).exits(0).says(&format!("{all} ({ALL} proven"));

    // On S3, behind our back: the same size and time.
    sterna.dated("forged/middle", &bytes, 1_500_000_000, 0);
    let near = format!("near:{}", world.bucket);
    sterna.rclone(&["copy", "--ignore-times", "forged", &near]).exits(0);
    differs([s3, b]);
    differs(["src", s3]);
    sterna.rclone(&["copyto", "--ignore-times", "src/middle", &format!("{near}/middle")]).exits(0);
    // Of what was put back behind our back the listing tells an MD5 only: one reading, and all is known.
    sterna.run(&["index", "build", "--all", s3]).exits(0).says("1 read");
    sterna.run(&["check", s3, b]).exits(0).says(&format!("{all} ({ALL} proven"));

    // On B2, behind our back.
    let bucket = b.trim_start_matches("b:");
    world.rclone_b2(&["copy", "--ignore-times", "forged", &format!("server:{bucket}")]).exits(0);
    differs([s3, b]);
    differs(["src", b]);
}

/// The index holds what the contents really are: every row is compared with what another program computes.
#[test]
fn promise_2_every_row_is_true() {
    let world = World::new();
    let World { s3, b, sterna, .. } = &world;
    for place in ["src", s3, b] {
        let told = sterna.run(&["index", "export", place]).exits(0).stdout;
        let mut reader = csv::Reader::from_reader(told.as_bytes());
        let rows: BTreeMap<String, [String; 3]> = reader
            .records()
            .map(|row| row.expect("CSV"))
            .map(|row| (row[1].to_owned(), [row[4].to_owned(), row[5].to_owned(), row[6].to_owned()]))
            .collect();
        assert_eq!(rows.len() as u64, ALL, "{place}");
        for (at, algorithm) in ["sha256", "sha1", "md5"].into_iter().enumerate() {
            let summed = sterna.rclone(&["hashsum", algorithm, "src"]).exits(0).stdout;
            for line in summed.lines() {
                let (digest, name) = line.split_once("  ").expect("DIGEST  NAME");
                let (key, row) = rows.iter().find(|(key, _)| key.ends_with(name)).expect("a row");
                assert_eq!(row[at], digest, "{place}: {algorithm} of {key}");
            }
        }
    }
}
