//! `snapshot`: a deduplicated archive, on disk and on servers; what is left of it without sterna, and after kills.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sterna_servers::{moto, rclone_webdav, seaweedfs};

use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// Files in [`Sterna::tree`], and those of them with a content of their own: there is one empty file.
const TREE: u64 = 14;

/// The page that describes an archive to others, the script in it included.
const PAGE: &str = include_str!("../../docs/archive.md");

impl Sterna {
    /// Adds a snapshot and returns what was told of it.
    #[track_caller]
    fn create(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json", "snapshot", "create"], arguments].concat()).exits(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{ran}"))
    }

    #[track_caller]
    fn snapshot(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["snapshot"], arguments].concat())
    }
}

fn number(value: &Value, name: &str) -> u64 {
    value["created"][name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The whole life of an archive: two days, what differs, back again, one day forgotten, its contents deleted.
fn lives(sterna: &Sterna, archive: &str) {
    sterna.tree("src");
    sterna.dated("src/packages/again.hpkg", noise(100, 0), 1_600_000_000, 0);
    let first = sterna.create(&["src", archive, "--name", "monday"]);
    assert_eq!(number(&first, "objects"), TREE + 1);
    assert_eq!(number(&first, "added"), TREE, "what stands twice is kept once");
    let monday = sterna.files("src");

    // Nothing has changed: nothing is read, and only the manifest is written.
    let again = sterna.create(&["src", archive, "--name", "again", "--no-index"]);
    assert_eq!((number(&again, "unchanged"), number(&again, "added")), (TREE + 1, 0));
    assert_eq!(number(&again, "bytes"), number(&first, "bytes"));

    sterna.dated("src/repo", noise(9000, 99), 1_700_000_000, 5);
    fs::rename(sterna.path("src/packages/two-2.0-1.hpkg"), sterna.path("src/packages/two-2.1-1.hpkg")).expect("there");
    fs::remove_file(sterna.path("src/b/a/c")).expect("there");
    let second = sterna.create(&["src", archive, "--name", "tuesday"]);
    assert_eq!(
        (number(&second, "added"), number(&second, "added_bytes")),
        (1, 9000),
        "a renamed file is no new content"
    );

    let differs = sterna.snapshot(&["diff", archive, "monday", "latest"]).exits(1);
    let lines: Vec<&str> = differs.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "- b/a/c  (removed)",
            "- packages/two-2.0-1.hpkg  (removed)",
            "+ packages/two-2.1-1.hpkg  (added)",
            "* repo  (another size)",
        ]
    );
    sterna.snapshot(&["diff", archive, "monday", "again"]).exits(0).prints("");

    sterna.snapshot(&["restore", archive, "monday", "back"]).exits(0);
    assert_eq!(sterna.files("back"), monday, "the same bytes and times, and nothing else");
    sterna.snapshot(&["restore", archive, "tuesday", "back"]).exits(0);
    let mut both = sterna.files("src");
    both.extend(monday.into_iter().filter(|(name, _)| !sterna.path("src").join(name).exists()));
    assert_eq!(sterna.files("back"), both, "as 'copy': what is there and not in the snapshot stays");

    let shown = sterna.snapshot(&["ls", archive, "tuesday", "packages", "--keys"]).exits(0);
    shown.prints("packages/again.hpkg\npackages/one-1.0-1.hpkg\npackages/two-2.1-1.hpkg\n");
    let text = sterna.file("src/text", "sterna paradisaea\n");
    sterna.create(&["src", archive]);
    sterna.snapshot(&["cat", archive, "latest", "text"]).exits(0).prints("sterna paradisaea\n");
    fs::remove_file(text).expect("there");

    sterna.snapshot(&["verify", archive, "--read"]).exits(0).says("4 snapshots").says("0 flaws");
    sterna.snapshot(&["prune", archive]).exits(0).says("0 contents deleted");
    sterna.snapshot(&["forget", archive, "--keep-last", "1", "--group-by", "^(again|tuesday)$"]).exits(0).prints("");
    let forgotten = sterna.snapshot(&["forget", archive, "--keep-last", "2"]).exits(0);
    assert_eq!(forgotten.stdout.lines().count(), 2, "{forgotten}");
    // b/a/c, and the old repo.
    sterna.snapshot(&["prune", archive, "--dry-run"]).exits(0).says("2 contents would be deleted");
    sterna.snapshot(&["prune", archive]).exits(0).says("2 contents deleted");
    sterna.snapshot(&["verify", archive, "--read"]).exits(0).says("2 snapshots").never_says("for 'prune'");
    sterna.snapshot(&["restore", archive, "tuesday", "last"]).exits(0);
    assert_eq!(sterna.files("last"), sterna.files("src"));
    sterna.run(&["ls", "--keys", "-R", &format!("{}/leases", archive.trim_end_matches('/'))]).prints("");
}

#[test]
fn an_archive_on_disk() {
    let sterna = Sterna::new();
    lives(&sterna, "archive");
}

#[test]
fn an_archive_on_seaweedfs() {
    let sterna = Sterna::at(&["near"]);
    lives(&sterna, &format!("near:{}/deep/archive", seaweedfs().bucket("archive")));
}

#[test]
fn an_archive_on_moto() {
    let sterna = Sterna::at(&["keys"]);
    lives(&sterna, &format!("keys:{}", moto().bucket("archive")));
}

#[test]
fn an_archive_on_webdav() {
    let sterna = Sterna::new();
    sterna.dav("dav", &rclone_webdav().folder("archive"), "");
    lives(&sterna, "dav:archive");
}

/// From one remote to another, what is large in parts, and back to a third place.
#[test]
fn a_snapshot_of_a_bucket() {
    let sterna = Sterna::at(&["near", "keys"]);
    let [source, archive] = ["of", "in"].map(|name| seaweedfs().bucket(&format!("archive-{name}")));
    let (source, archive) = (format!("near:{source}"), format!("near:{archive}"));
    let far = format!("keys:{}", moto().bucket("archive-of"));
    sterna.tree("src");
    sterna.dated("src/images/big.iso", noise(13_000_000, 5), 1_500_000_000, 3);
    sterna.run(&["copy", "src", &source]).exits(0);
    sterna.run(&["copy", "src", &far]).exits(0);
    let near = sterna.create(&[&source, &archive, "--name", "near"]);
    assert_eq!(number(&near, "added"), TREE + 1);
    assert_eq!(near["created"]["outcome"]["targets"][0]["copied"], TREE + 1, "inside one endpoint the server copies");
    // Another place with the same contents, known by the SHA-256 that sterna has recorded with them.
    let parts = ["--multipart-threshold", "6M", "--part-size", "5M"];
    let other = sterna.create(&[&[&far, &archive, "--name", "far"][..], &parts].concat());
    assert_eq!(number(&other, "added"), 0);
    let again = sterna.create(&[&source, &archive, "--no-index"]);
    assert_eq!((number(&again, "unchanged"), number(&again, "added")), (TREE + 1, 0));

    sterna.create(&[&[&source, "local", "--no-index"][..], &parts].concat());
    for (archive, snapshot) in [(archive.as_str(), "far"), ("local", "latest")] {
        let _absent = fs::remove_dir_all(sterna.path("back"));
        sterna.snapshot(&[&["restore", archive, snapshot, "back"][..], &parts].concat()).exits(0);
        assert_eq!(sterna.files("back"), sterna.files("src"));
    }
    sterna.snapshot(&["diff", &archive, "near", "far"]).exits(0);
}

#[test]
fn metadata_and_permissions_come_back() {
    let sterna = Sterna::at(&["near"]);
    let [source, archive, back] = ["m-of", "m-in", "m-back"].map(|name| format!("near:{}", seaweedfs().bucket(name)));
    sterna.dated("src/page", "text", 1_600_000_000, 1);
    let rules = ["--header", "cache-control=max-age=60", "--header", "content-type=text/x-tern"];
    sterna.run(&[&["copy", "src", &source][..], &rules].concat()).exits(0);
    sterna.create(&[&source, &archive]);
    sterna.snapshot(&["restore", &archive, "latest", &back]).exits(0);
    let told = sterna.run(&["stat", &format!("{back}/page")]).exits(0).stdout;
    assert!(told.contains("max-age=60") && told.contains("text/x-tern"), "{told}");
    sterna.same_times("src", &back);

    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(sterna.path("src/page"), fs::Permissions::from_mode(0o750)).expect("a file of ours");
    sterna.create(&["src", "local", "--permissions"]);
    sterna.snapshot(&["restore", "local", "latest", "out", "--permissions"]).exits(0);
    let mode = fs::metadata(sterna.path("out/page")).expect("it came back").permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[test]
fn restoring_takes_filters_and_shows_its_plan() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.create(&["src", "archive", "--name", "one"]);
    let planned = sterna.snapshot(&["restore", "archive", "one", "back", "--dry-run", "--include", "/repo*"]).exits(0);
    assert_eq!(planned.stdout.lines().count(), 3, "{planned}");
    assert!(!sterna.path("back").exists());
    sterna.snapshot(&["restore", "archive", "one", "back", "--include", "/repo*"]).exits(0);
    assert_eq!(sterna.names("back"), ["repo", "repo.minisig", "repo.sha256"]);
    sterna.dated("back/repo", "mine", 1_700_000_000, 0);
    sterna.snapshot(&["restore", "archive", "one", "back", "--immutable"]).exits(1).says("--immutable forbids");
    assert_eq!(sterna.files("back")["repo"].bytes, b"mine");
    sterna.create(&["src", "archive", "--name", "filtered", "--exclude", "*.txt"]);
    assert!(!sterna.snapshot(&["ls", "-R", "archive", "filtered"]).exits(0).stdout.contains(".txt"));
}

#[test]
fn what_is_wrong_is_said() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.snapshot(&["list", "archive"]).exits(3).says("there is no archive");
    sterna.snapshot(&["create", "src", "kept", "--lease", "90s"]).exits(0).never_says("--lease");
    sterna
        .snapshot(&["create", "src", "kept", "--lease", "2m"])
        .exits(0)
        .says("was made with --lease 1 min 30 s, which holds");
    sterna.snapshot(&["create", "src", "kept"]).exits(0).never_says("--lease");
    sterna.snapshot(&["create", "src", "src"]).exits(2).says("overlap");
    sterna.snapshot(&["create", "src", "src/archive"]).exits(2).says("overlap");
    sterna.file("other/file", "mine");
    sterna.snapshot(&["create", "src", "other"]).exits(1).says("no archive");
    sterna.snapshot(&["create", "nothing", "archive"]).exits(3);
    sterna.snapshot(&["create", "src", "archive", "--name", "a b"]).exits(2);
    sterna.snapshot(&["create", "src", "archive", "--name", "one"]).exits(0);
    sterna.snapshot(&["create", "src", "archive", "--name", "one"]).exits(1).says("already");
    sterna.snapshot(&["restore", "archive", "two", "back"]).exits(4).says("there is no snapshot 'two'");
    sterna.snapshot(&["cat", "archive", "one", "no/such"]).exits(4);
    sterna.snapshot(&["ls", "archive", "one", "no/such"]).exits(4);
    sterna.snapshot(&["forget", "archive"]).exits(2).says("--keep-last");
    sterna.snapshot(&["forget", "archive", "--keep-last", "1", "--group-by", "("]).exits(2);
}

/// The only file below a folder whose name holds this text.
fn only(sterna: &Sterna, folder: &str, text: &str) -> String {
    let names = sterna.names(folder);
    let mut found = names.iter().filter(|name| name.contains(text));
    let one = found.next().unwrap_or_else(|| panic!("no {text} in {names:?}"));
    format!("{folder}/{one}")
}

#[test]
fn damage_is_found() {
    let sterna = Sterna::new();
    sterna.dated("src/a", "content a", 1_600_000_000, 0);
    sterna.dated("src/b", "content b", 1_600_000_000, 0);
    sterna.create(&["src", "archive", "--name", "one"]);
    // The SHA-256 of "content a" and "content b".
    let [a, b] = ["a", "b"].map(|name| {
        let told = sterna.run(&["hash", "sha256", &format!("src/{name}")]).exits(0).stdout;
        only(&sterna, "archive", told.split(' ').next().expect("a digest"))
    });
    fs::write(sterna.path(&a), "CONTENT A").expect("a file");
    sterna.snapshot(&["verify", "archive"]).exits(0);
    sterna.snapshot(&["verify", "archive", "--read"]).exits(1).says("1 flaw");
    sterna.snapshot(&["cat", "archive", "one", "a"]).exits(1).says("sha256");
    // As with every transfer: bytes that are not what they should be may have suffered on the way.
    sterna.snapshot(&["restore", "archive", "one", "back"]).exits(5).says("sha256");
    assert_eq!(sterna.names("back"), ["b"], "what is damaged does not come back");
    fs::write(sterna.path(&a), "short").expect("a file");
    fs::remove_file(sterna.path(&b)).expect("a file");
    let found = sterna.snapshot(&["verify", "archive"]).exits(1).says("2 flaws");
    assert!(found.stdout.contains("it is missing") && found.stdout.contains("5 bytes instead of 9"), "{found}");
    sterna.snapshot(&["cat", "archive", "one", "b"]).exits(4);

    let manifest = only(&sterna, "archive", "-one-");
    let mut bytes = fs::read(sterna.path(&manifest)).expect("a manifest");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(sterna.path(&manifest), bytes).expect("a file");
    for command in [&["ls", "archive", "one"][..], &["restore", "archive", "one", "x"], &["list", "archive"]] {
        sterna.snapshot(command).exits(1).says("the manifest is damaged");
    }
    // What a damaged manifest names is not known, so nothing is deleted.
    sterna.snapshot(&["prune", "archive"]).exits(1).says("the manifest is damaged");
    sterna.snapshot(&["verify", "archive"]).exits(1).says("1 flaw");
    // The next snapshot does not count on it.
    sterna.create(&["src", "archive", "--name", "two"]);
    let found = sterna.snapshot(&["verify", "archive", "--read"]).exits(1);
    assert!(!found.stdout.contains("it is missing"), "{found}");
}

#[test]
fn the_script_on_the_page_restores_without_sterna() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.dated("src/old", "older than 1970", 5, 7);
    sterna.dated("src/images/cut.img", noise(9_000_000, 3), 1_600_000_000, 3);
    let made = sterna.create(&["src", "archive", "--name", "one", "--chunk"]);
    assert_eq!(made["created"]["cut"]["objects"], 1);
    let script = PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a script");
    assert!(script.lines().count() <= 30, "{} lines", script.lines().count());
    sterna.file("restore.py", script);
    let manifest = only(&sterna, "archive", "-one-");
    Ran::of(sterna.program("python3", &["restore.py", "archive", &manifest, "back"])).exits(0);
    assert_eq!(sterna.files("back"), sterna.files("src"), "the same bytes and times");
    // It finds damage, too.
    fs::write(sterna.path(only(&sterna, "archive/objects", "")), "other").expect("a file");
    let ran = Ran::of(sterna.program("python3", &["restore.py", "archive", &manifest, "again"]));
    assert_ne!(ran.code, Some(0), "{ran}");
}

/// Runs are killed at many instants; whatever is left, every snapshot that is listed is whole, and the next run ends well.
fn survives(sterna: &Sterna, archive: &str, rounds: u32) {
    let grow = |round: u32| {
        for at in 0..20_u32 {
            let content = noise(3000 + at as usize, u64::from(round * 100 + at));
            sterna.dated(format!("src/{:02}/{at}", round % 7), content, 1_600_000_000 + u64::from(round), at);
        }
        let big = noise(7_000_000, u64::from(round));
        sterna.dated("src/big.iso", big, 1_600_000_000 + u64::from(round), 1);
    };
    grow(0);
    sterna.create(&["src", archive, "--lease", "2s"]);
    for round in 1..=rounds {
        grow(round);
        let killed = |arguments: &[&str], after: Duration| {
            let mut run = sterna
                .command(&[&["snapshot"], arguments].concat())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("sterna runs");
            let started = Instant::now();
            while run.try_wait().expect("a child").is_none() && started.elapsed() < after {
                thread::sleep(Duration::from_millis(1));
            }
            let _ended_already = run.kill();
            run.wait().expect("a child");
        };
        let instant = Duration::from_millis(u64::from(20 + 37 * round + std::process::id() % 31));
        thread::scope(|scope| {
            scope.spawn(|| killed(&["create", "src", archive], instant));
            scope.spawn(|| {
                killed(&["forget", archive, "--keep-last", "2"], Duration::from_secs(60));
                killed(&["prune", archive], instant);
            });
        });
        sterna.snapshot(&["verify", archive, "--read"]).exits(0).says("0 flaws");
    }
    // It waits for what was killed while it deleted, and no longer than the archive says.
    sterna.create(&["src", archive, "--name", "last"]);
    let last = Instant::now();
    loop {
        let pruned = sterna.snapshot(&["prune", archive]);
        if pruned.code == Some(0) {
            break;
        }
        let pruned = pruned.exits(5).says("a snapshot is being added");
        assert!(last.elapsed() < Duration::from_secs(30), "{pruned}");
        thread::sleep(Duration::from_millis(100));
    }
    sterna.snapshot(&["verify", archive, "--read"]).exits(0).says("0 flaws").never_says("for 'prune'");
    sterna.snapshot(&["restore", archive, "last", "back"]).exits(0);
    assert_eq!(sterna.files("back"), sterna.files("src"));
    let left = sterna.run(&["ls", "-R", "--keys", archive]).exits(0).stdout;
    assert!(!left.contains("leases/") && !left.contains("incoming/"), "{left}");
}

#[test]
fn promise_6_runs_on_an_archive_on_disk_are_killed_and_lose_nothing() {
    let sterna = Sterna::new();
    survives(&sterna, "archive", 12);
}

#[test]
fn promise_6_runs_on_an_archive_on_a_server_are_killed_and_lose_nothing() {
    let sterna = Sterna::at(&["near"]);
    survives(&sterna, &format!("near:{}/archive", seaweedfs().bucket("archive-killed")), 8);
}

/// An image that is the one before with a few bytes more at its beginning and others in its middle.
fn next_image(image: &[u8], seed: u64) -> Vec<u8> {
    let middle = image.len() / 2;
    [&noise(1000, seed), &image[..middle], &noise(50_000, seed + 1), &image[middle + 70_000..]].concat()
}

fn in_pieces(sterna: &Sterna, archive: &str) {
    let first = noise(30_000_000, 1);
    let second = next_image(&first, 2);
    sterna.dated("src/one.img", &first, 1_600_000_000, 1);
    sterna.dated("src/small", "not cut", 1_600_000_000, 2);
    let made = sterna.create(&["src", archive, "--chunk", "--name", "one"]);
    assert_eq!(made["created"]["cut"]["objects"], 1);
    fs::remove_file(sterna.path("src/one.img")).expect("there");
    sterna.dated("src/two.img", &second, 1_600_000_001, 1);
    let ran = sterna.snapshot(&["create", "src", archive, "--chunk", "--name", "two"]).exits(0);
    ran.says("in pieces").never_says("gains nothing");
    let told = sterna.run(&["--json", "snapshot", "verify", archive, "--read"]).exits(0).stdout;
    let told: Value = serde_json::from_str(&told).expect("one line");
    let kept = told["bytes"].as_u64().expect("bytes");
    assert!(kept < 40_000_000, "two images of 30 MB, of which {kept} bytes are kept");

    // Cut or not, an object that has not changed is not looked at.
    let again = sterna.create(&["src", archive, "--no-index"]);
    assert_eq!((number(&again, "unchanged"), number(&again, "added")), (2, 0));
    let parts = ["--multipart-threshold", "6M", "--part-size", "5M"];
    sterna.snapshot(&[&["restore", archive, "two", "back"][..], &parts].concat()).exits(0);
    assert_eq!(sterna.files("back"), sterna.files("src"));

    // What is compressed has nothing in common, and that is said.
    sterna.dated("src/two.img", noise(20_000_000, 9), 1_600_000_002, 1);
    sterna.snapshot(&["create", "src", archive, "--chunk"]).exits(0).says("--chunk gains nothing here");

    sterna.snapshot(&["forget", archive, "two", "latest"]).exits(0);
    sterna.snapshot(&["prune", archive]).exits(0);
    sterna.snapshot(&["verify", archive, "--read"]).exits(0).says("0 flaws").never_says("for 'prune'");
}

#[test]
fn images_share_pieces_on_disk() {
    let sterna = Sterna::new();
    in_pieces(&sterna, "archive");
    // A piece that is lost is missed.
    let piece = only_first(&sterna, "archive/chunks");
    fs::remove_file(sterna.path(piece)).expect("there");
    sterna.snapshot(&["verify", "archive"]).exits(1).says("1 flaw");
}

/// Any file below a folder.
fn only_first(sterna: &Sterna, folder: &str) -> String {
    format!("{folder}/{}", sterna.names(folder).first().expect("a file"))
}

#[test]
fn images_share_pieces_on_a_server() {
    let sterna = Sterna::at(&["near"]);
    in_pieces(&sterna, &format!("near:{}", seaweedfs().bucket("archive-pieces")));
}
