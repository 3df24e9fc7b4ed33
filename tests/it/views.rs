//! `snapshot view`: a plain tree of a snapshot inside its archive, on disk and on servers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;
use sterna_servers::{moto, rclone_webdav, seaweedfs};

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// Files in [`Sterna::tree`].
const TREE: u64 = 14;

impl Sterna {
    #[track_caller]
    fn snapped(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["snapshot"], arguments].concat())
    }

    /// The snapshots of an archive: what each is called, and what is told of its view.
    #[track_caller]
    fn listed_views(&self, archive: &str) -> Vec<(String, Value)> {
        let told = self.run(&["--json", "snapshot", "list", archive]).exits(0);
        let lines = told.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON Lines"));
        lines.map(|line| (line["id"].as_str().expect("an id").to_owned(), line["view"].clone())).collect()
    }

    /// The keys below a folder of an archive.
    #[track_caller]
    fn keys(&self, archive: &str, folder: &str) -> Vec<String> {
        let place = format!("{}/{folder}", archive.trim_end_matches('/'));
        self.run(&["ls", "--keys", "-R", &place]).stdout.lines().map(str::to_owned).collect()
    }
}

/// Every file with its bytes and its time in whole seconds, as WebDAV keeps it.
fn seconds(sterna: &Sterna, folder: &str) -> BTreeMap<String, (Vec<u8>, i64)> {
    let files = sterna.files(folder).into_iter();
    files.map(|(name, file)| (name, (file.bytes, file.time / 1_000_000_000))).collect()
}

/// A view is the tree, by copies of the store alone; it is made whole again, and goes with its snapshot.
fn lives(sterna: &Sterna, archive: &str) {
    sterna.tree("src");
    sterna.dated("src/packages/again.hpkg", noise(100, 0), 1_600_000_000, 0);
    sterna.snapped(&["create", "src", archive, "--name", "monday"]).exits(0);
    let contents = sterna.keys(archive, "objects");
    let [(monday, none)] = &sterna.listed_views(archive)[..] else { panic!("one snapshot") };
    assert!(none.is_null(), "{none}");

    let planned = sterna.snapped(&["view", archive, "monday", "--dry-run"]).exits(0).says("15 to copy");
    assert_eq!(planned.stdout.lines().count() as u64, TREE + 1, "{planned}");
    assert_eq!(sterna.keys(archive, "views"), [""; 0], "a dry run makes nothing");
    let made = sterna.did(&["snapshot", "view", archive, "monday"]);
    assert_eq!(made, Did { copied: TREE + 1, ..Did::NOTHING }, "no byte passed through sterna");
    let tree = format!("{}/views/{monday}", archive.trim_end_matches('/'));
    sterna.run(&["copy", &tree, "out"]).exits(0);
    assert_eq!(seconds(sterna, "out"), seconds(sterna, "src"), "the same bytes and times under the same names");
    assert_eq!(sterna.listed_views(archive)[0].1, "complete");
    assert_eq!(sterna.did(&["snapshot", "view", archive, "latest"]), Did::NOTHING);

    // What somebody took away or added is put right; nothing of that touches the archive.
    sterna.run(&["delete", &format!("{tree}/b")]).exits(0);
    sterna.run(&["copy", "src/a", &format!("{tree}/extra")]).exits(0);
    let mended = sterna.did(&["snapshot", "view", archive, "monday"]);
    assert!(mended.code == 0 && mended.copied > 0 && mended.deleted > 0 && mended.transferred == 0, "{mended:?}");
    fs::remove_dir_all(sterna.path("out")).expect("it was copied");
    sterna.run(&["copy", &tree, "out"]).exits(0);
    assert_eq!(seconds(sterna, "out"), seconds(sterna, "src"));
    assert_eq!(sterna.keys(archive, "objects"), contents);
    sterna.snapped(&["verify", archive, "--read"]).exits(0).says("0 flaws").never_says("for 'prune'");
    sterna.snapped(&["prune", archive]).exits(0).says("0 contents deleted").never_says(" view");

    // With a snapshot of its own, and without it again.
    sterna.dated("src/repo", noise(9000, 99), 1_700_000_000, 5);
    sterna.snapped(&["create", "src", archive, "--name", "tuesday", "--views"]).exits(0).says("copied");
    let views: Vec<_> = sterna.listed_views(archive).into_iter().map(|(_, view)| view).collect();
    assert_eq!(views, ["complete", "complete"]);
    sterna.snapped(&["forget", archive, "monday"]).exits(0);
    let left = sterna.keys(archive, "views");
    assert!(left.len() as u64 == TREE + 2 && !left.iter().any(|key| key.contains("monday")), "{left:?}");
    sterna.snapped(&["prune", archive]).exits(0).says("1 content deleted").never_says(" view");
    sterna.snapped(&["view", archive, "tuesday", "--remove"]).exits(0);
    assert_eq!(sterna.keys(archive, "views"), [""; 0]);
    sterna.snapped(&["restore", archive, "tuesday", "last"]).exits(0);
    assert_eq!(sterna.files("last"), sterna.files("src"));
}

#[test]
fn a_view_on_disk() {
    lives(&Sterna::new(), "archive");
}

#[test]
fn a_view_on_seaweedfs() {
    lives(&Sterna::at(&["near"]), &format!("near:{}/deep/archive", seaweedfs().bucket("view")));
}

#[test]
fn a_view_on_moto() {
    lives(&Sterna::at(&["keys"]), &format!("keys:{}", moto().bucket("view")));
}

#[test]
fn a_view_on_webdav() {
    let sterna = Sterna::new();
    sterna.dav("dav", &rclone_webdav().folder("view"), "");
    lives(&sterna, "dav:view");
}

/// What the server keeps beside an object is the snapshot's word, not that of the content.
#[test]
fn a_view_carries_the_metadata() {
    let sterna = Sterna::at(&["near"]);
    let [source, archive] = ["v-of", "v-in"].map(|name| format!("near:{}", seaweedfs().bucket(name)));
    sterna.dated("src/page", "text", 1_600_000_000, 1);
    sterna.dated("src/same.html", "text", 1_500_000_000, 2);
    let rules = ["--header", "cache-control=max-age=60"];
    sterna.run(&[&["copy", "src", &source][..], &rules].concat()).exits(0);
    sterna.snapped(&["create", &source, &archive, "--views"]).exits(0);
    let (id, _) = sterna.listed_views(&archive).remove(0);
    let view = format!("{archive}/views/{id}");
    sterna.same_times("src", &view);
    let told = sterna.run(&["stat", &format!("{view}/same.html")]).exits(0).stdout;
    assert!(told.contains("max-age=60") && told.contains("text/html"), "{told}");
}

/// Pieces are put together on a disk; a server cannot, and says so before anything is made.
#[test]
fn what_lies_in_pieces() {
    let sterna = Sterna::at(&["near"]);
    sterna.dated("src/disk.image", noise(12_000_000, 3), 1_600_000_000, 0);
    sterna.dated("src/small", "tern", 1_600_000_001, 0);
    sterna.snapped(&["create", "src", "archive", "--chunk", "--views"]).exits(0);
    let (id, complete) = sterna.listed_views("archive").remove(0);
    assert_eq!(complete, "complete");
    assert_eq!(sterna.files(&format!("archive/views/{id}")), sterna.files("src"));

    let archive = format!("near:{}", seaweedfs().bucket("pieces"));
    sterna.snapped(&["create", "src", &archive, "--chunk", "--views"]).exits(1).says("1 objects").says("--carry");
    let (id, view) = sterna.listed_views(&archive).remove(0);
    assert!(view.is_null() && sterna.keys(&archive, "views").is_empty(), "{view}");
    let made = sterna.did(&["snapshot", "view", &archive, "latest", "--carry"]);
    assert_eq!(made, Did { copied: 1, transferred: 1, ..Did::NOTHING });
    sterna.same("src", &format!("{archive}/views/{id}"));
}

/// A view that lacks something is not called complete; what a forgotten snapshot left behind goes with the next prune.
#[test]
fn an_incomplete_view() {
    let sterna = Sterna::new();
    sterna.dated("src/a", "content a", 1_600_000_000, 0);
    sterna.dated("src/b", "content b", 1_600_000_000, 0);
    sterna.snapped(&["create", "src", "archive", "--views"]).exits(0);
    let (id, _) = sterna.listed_views("archive").remove(0);
    let content = sterna.keys("archive", "objects").remove(0);
    let content = sterna.path("archive/objects").join(content.trim_start_matches("objects/"));
    fs::rename(&content, sterna.path("kept")).expect("a content");
    fs::remove_dir_all(sterna.path("archive/views").join(&id)).expect("the view");
    sterna.snapped(&["view", "archive", "latest"]).exits(1).says("is not complete");
    assert_eq!(sterna.listed_views("archive")[0].1, "incomplete");
    assert_eq!(sterna.names(&format!("archive/views/{id}")).len(), 1);
    fs::rename(sterna.path("kept"), &content).expect("it was a content");
    assert_eq!(sterna.did(&["snapshot", "view", "archive", "latest"]), Did { copied: 1, ..Did::NOTHING });
    assert_eq!(sterna.listed_views("archive")[0].1, "complete");

    fs::remove_dir_all(sterna.path("archive/snapshots")).expect("manifests");
    sterna.snapped(&["prune", "archive", "--dry-run"]).exits(0).says("1 view of forgotten");
    sterna.snapped(&["prune", "archive"]).exits(0).says("1 view of forgotten");
    assert_eq!(sterna.keys("archive", "views"), [""; 0]);
}

/// With `--hard-link` a view on a plain disk takes no room: its files are further names of the contents.
#[test]
fn a_view_of_hard_links() {
    let sterna = Sterna::new();
    sterna.dated("src/a", "content a", 1_600_000_000, 0);
    sterna.dated("src/again", "content a", 1_600_000_000, 0);
    sterna.dated("src/later", "content a", 1_700_000_000, 0);
    sterna.snapped(&["create", "src", "archive", "--views", "--hard-link"]).exits(0);
    let (id, _) = sterna.listed_views("archive").remove(0);
    assert_eq!(sterna.files(&format!("archive/views/{id}")), sterna.files("src"));
    let links = |name: &str| fs::metadata(sterna.path(format!("archive/views/{id}/{name}"))).expect("a file").nlink();
    assert_eq!((links("a"), links("again"), links("later")), (3, 3, 1), "one file has one time");
    sterna.snapped(&["forget", "archive", "latest"]).exits(0);
    sterna.snapped(&["prune", "archive"]).exits(0).says("1 content deleted");
}
