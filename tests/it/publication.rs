//! Promise 5, with the real binary: readers poll a bucket and a folder while runs to both are killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use sterna_servers::seaweedfs;

use crate::sterna::Sterna;
use crate::tree::noise;

/// Packages in a generation. Their names come after those of the indexes in the order of keys: without groups the index is
/// sent first, and readers see it torn.
pub const PACKAGES: u64 = 24;

fn package(number: u64, generation: u64) -> String {
    format!("pool/p{number:02}-{generation}.deb")
}

/// Publishes as Debian does: packages, index, signature, and then what is no longer named.
pub fn publish(sterna: &Sterna, generation: u64) {
    let names: Vec<String> = (0..PACKAGES).map(|number| package(number, generation)).collect();
    for (number, name) in names.iter().enumerate() {
        sterna.file(format!("src/{name}"), noise(150_000, generation * 1000 + number as u64));
    }
    let index = format!("generation {generation}\n{}", names.join("\n"));
    sterna.file("src/dists/stable/Release", &index);
    sterna.file("src/dists/stable/Release.gpg", format!("sum of {generation}"));
    for number in 0..PACKAGES {
        if let Some(before) = generation.checked_sub(1) {
            fs::remove_file(sterna.path(format!("src/{}", package(number, before)))).expect("the old package");
        }
    }
}

fn start(sterna: &Sterna, near: &str) -> Child {
    let arguments =
        ["sync", "src", near, "dst", "--profile", "debian", "--max-delete", "100%", "--bwlimit", "6M", "--no-index"];
    sterna.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sterna runs")
}

/// A place as a client sees it: the index, and the packages that are there.
pub trait Reader: Sync {
    fn index(&self) -> Option<String>;
    fn packages(&self) -> Vec<String>;
}

/// A folder of this machine.
pub struct Folder(pub PathBuf);

impl Reader for Folder {
    fn index(&self) -> Option<String> {
        fs::read_to_string(self.0.join("dists/stable/Release")).ok()
    }

    fn packages(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.0.join("pool")) else { return Vec::new() };
        folder.map(|file| format!("pool/{}", file.expect("a file").file_name().display())).collect()
    }
}

/// A bucket, as rclone sees it.
pub struct Bucket<'a>(pub &'a Sterna, pub &'a str);

impl Reader for Bucket<'_> {
    fn index(&self) -> Option<String> {
        let read = self.0.rclone(&["cat", &format!("{}/dists/stable/Release", self.1)]);
        (read.code == Some(0)).then_some(read.stdout)
    }

    fn packages(&self) -> Vec<String> {
        let listed = self.0.rclone(&["lsf", "-R", "--files-only", self.1]);
        listed.stdout.lines().map(str::to_owned).collect()
    }
}

/// Polls until it is told to end. An index that is the same before and after the packages are looked at names none that
/// is missing; how often there was one, and what was torn.
pub fn poll(reader: &dyn Reader, over: &AtomicBool, polls: &AtomicUsize) -> Vec<String> {
    let mut torn = Vec::new();
    while !over.load(SeqCst) {
        let Some(index) = reader.index().filter(|index| !index.is_empty()) else { continue };
        let packages = reader.packages();
        let missing: Vec<&str> =
            index.lines().skip(1).filter(|name| !packages.iter().any(|package| package == name)).collect();
        if !missing.is_empty() && reader.index().as_ref() == Some(&index) {
            torn.push(format!("{} names {missing:?}", index.lines().next().unwrap_or_default()));
        }
        polls.fetch_add(1, SeqCst);
    }
    torn
}

#[test]
fn promise_5_readers_of_every_target_see_whole_mirrors_while_runs_are_killed() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("published"));
    publish(&sterna, 0);
    assert!(start(&sterna, &near).wait().expect("a child").success());
    let over = AtomicBool::new(false);
    let polls = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let readers: [&dyn Reader; 2] = [&Bucket(&sterna, &near), &Folder(sterna.path("dst"))];
    thread::scope(|scope| {
        let polling = [0, 1].map(|at| {
            let (reader, over, polls) = (readers[at], &over, &polls[at]);
            scope.spawn(move || poll(reader, over, polls))
        });
        for generation in 1..4 {
            publish(&sterna, generation);
            for life in 0..3_u64 {
                let mut run = start(&sterna, &near);
                let until =
                    Instant::now() + Duration::from_millis(250 + 350 * life + u64::from(std::process::id() % 97));
                while Instant::now() < until && run.try_wait().expect("a child").is_none() {
                    thread::sleep(Duration::from_millis(1));
                }
                let _ended_before = run.kill();
                run.wait().expect("a child that ended");
            }
            assert!(start(&sterna, &near).wait().expect("a child").success(), "generation {generation}");
        }
        over.store(true, SeqCst);
        for (reader, polling) in polling.into_iter().enumerate() {
            let torn = polling.join().expect("no reader panics");
            assert!(torn.is_empty(), "reader {reader}: {torn:#?}");
        }
    });
    assert!(polls.iter().all(|polls| polls.load(SeqCst) > 3), "{polls:?}");
    sterna.same("src", &near);
    sterna.run(&["delete", "--incomplete", "dst"]).exits(0);
    let (source, target) = (sterna.files("src"), sterna.files("dst"));
    assert!(source.keys().eq(target.keys()), "{target:?}");
}

#[test]
fn groups_and_graces_are_said_and_refused_in_words() {
    let sterna = Sterna::new();
    sterna.file("src/data/a", "1");
    sterna.file("src/index", "names a");
    sterna.file("dst/old", "2");
    let sync = ["sync", "src", "dst", "--max-delete", "100%", "--group", "index=index", "--delete-after", "1h"];
    sterna.run(&[&sync[..], &["--dry-run"]].concat()).exits(0).says("1 to delete when their grace is over");
    sterna.run(&sync).exits(0);
    assert!(sterna.path("dst/old").exists());
    let plan = sterna.run(&["plan", "src", "dst", "--max-delete", "100%", "--group", "index=old"]).exits(0);
    assert!(plan.stdout.contains("\"groups\":[\"other\",\"index\"]"), "{plan}");
    assert!(plan.stdout.contains("\"group\":1"), "{plan}");
    sterna.run(&["sync", "src", "dst", "--profile", "haiku"]).exits(2).says("haiku-repo");
    sterna.run(&["sync", "src", "dst", "--group", "index"]).exits(2).says("NAME=PATTERN");
    sterna.run(&["sync", "src", "dst", "--group", "a=[b"]).exits(2).says("group a");
    sterna.run(&["sync", "src", "dst", "--group", "a=", "--group", "b="]).exits(2).says("both");
    // The time has come for what was missing long enough.
    let gone = ["sync", "src", "dst", "--max-delete", "100%", "--delete-after", "0"];
    sterna.run(&gone).exits(0);
    assert!(!sterna.path("dst/old").exists());
}
