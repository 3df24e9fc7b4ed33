//! What the index costs with many rows: size, insert rate, walk, look-ups, memory. By hand:
//!
//! ```sh
//! cargo bench --bench index -- 10000000 FOLDER
//! ```
//!
//! It writes through the writer that every run uses, in the order of the keys, as listings and transfers come; then again
//! over the same rows, as a run does that finds other versions; and asks as a comparison and a plan do. Digests are made
//! up, and all three known, which is the most a row can hold.

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sterna::{
    backends::{Digest, Digests, Entry, Key, Store, memory::Memory},
    index::{Index, Shelf, Twins},
};

/// Look-ups of each kind.
const ASKED: u64 = 100_000;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    // Without arguments this is only built: whoever runs all benches does not mean ten million rows.
    let (Some(rows), Some(folder)) = (arguments.next(), arguments.next()) else { return };
    let rows = rows.parse().expect("a number of rows");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(measure(rows, Path::new(&folder)));
}

async fn measure(rows: u64, folder: &Path) {
    let path = folder.join("index.sqlite");
    assert!(!path.exists(), "{} is there already", path.display());
    let index = Index::open(&path).expect("a folder to write to");
    let store: Arc<dyn Store> = Arc::new(Memory::new("bench"));
    let shelf = index.shelf(&*store).expect("memory can be remembered");

    let started = Instant::now();
    fill(&index, &shelf, rows, 0).await;
    say("insert, all new, in key order", rows, started);
    println!("  file: {} bytes, {} a row", size(&path), size(&path) / rows);

    let started = Instant::now();
    fill(&index, &shelf, rows / 10, 1).await;
    say("replace a tenth by other versions", rows / 10, started);

    let started = Instant::now();
    let mut walk = shelf.walk(true);
    let mut known = 0;
    for at in 0..rows {
        let mut entry = entry(at, u64::from(at < rows / 10));
        walk.see(&mut entry).await;
        known += u64::from(entry.digests.sha256().is_some());
    }
    walk.end().await;
    say("walk beside a listing", rows, started);
    assert_eq!(known, rows, "every row is found again");

    let started = Instant::now();
    let mut known = 0;
    for at in 0..ASKED.min(rows) {
        let mut entry = entry(scattered(at) % rows, u64::from(scattered(at) % rows < rows / 10));
        known += u64::from(shelf.recall(&mut entry).await);
    }
    say("look up one key, at random", ASKED.min(rows), started);
    assert_eq!(known, ASKED.min(rows));

    twins(&index, &store, rows).await;
    let started = Instant::now();
    let stats = index.stats().expect("a readable file");
    say("stats", stats.places[0].objects, started);
    println!("  file: {} bytes, {} a row; memory at most: {}", size(&path), size(&path) / rows, peak());
    let started = Instant::now();
    drop((shelf, index));
    println!("  closing: {:.1} s; file: {} bytes", started.elapsed().as_secs_f64(), size(&path));
}

/// Where a content lies, asked without a store that has it: what is timed is the question to the file.
async fn twins(index: &Index, store: &Arc<dyn Store>, rows: u64) {
    let twins = Twins::of(index, [Arc::clone(store)]);
    let started = Instant::now();
    for at in 0..ASKED.min(rows) {
        let at = scattered(at) % rows;
        let mut entry = entry(at, 0);
        digests(at, u64::from(at < rows / 10)).iter().for_each(|digest| entry.digests.add(*digest));
        assert!(twins.find(&entry, |_, _| true).await.is_none(), "nothing lies there");
    }
    say("look for a content that is known", ASKED.min(rows), started);
    let started = Instant::now();
    for at in 0..ASKED.min(rows) {
        let mut entry = entry(at, 0);
        digests(rows + at, 0).iter().for_each(|digest| entry.digests.add(*digest));
        assert!(twins.find(&entry, |_, _| true).await.is_none(), "nothing is known");
    }
    say("look for a content that is not", ASKED.min(rows), started);
}

async fn fill(index: &Index, shelf: &Shelf, rows: u64, version: u64) {
    for at in 0..rows {
        assert!(shelf.remember(&entry(at, version), &digests(at, version)), "it can be recognised");
    }
    index.flush().await;
    assert_eq!(index.trouble(), None);
}

/// An object of a package repository: keys of some 60 bytes in byte order.
fn entry(at: u64, version: u64) -> Entry {
    let key = format!("x86_64/r1beta5/packages/{:06}/name-of-a-package-{:03}-x86_64.hpkg", at / 1000, at % 1000);
    let mut entry = Entry::object(Key::new(key).expect("a short key"), 10_000 + scattered(at) % 50_000_000);
    entry.etag = Some(format!("{:016x}{version:016x}", scattered(at)).into());
    entry
}

fn digests(at: u64, version: u64) -> Digests {
    let mut bytes = [0; 32];
    for (word, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&scattered(at * 4 + word as u64 + version * 0x9e37_79b9).to_be_bytes());
    }
    let (sha1, md5) = (bytes[..20].try_into().expect("20"), bytes[..16].try_into().expect("16"));
    [Digest::Sha256(bytes), Digest::Sha1(sha1), Digest::Md5(md5)].into_iter().collect()
}

/// A number that looks random and is always the same (splitmix64: <https://prng.di.unimi.it/splitmix64.c>).
fn scattered(at: u64) -> u64 {
    let mut word = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn say(what: &str, count: u64, started: Instant) {
    let time: Duration = started.elapsed();
    println!("{what}: {count} in {:.1} s, {:.0} a second", time.as_secs_f64(), count as f64 / time.as_secs_f64());
}

/// The file and its write-ahead log.
fn size(path: &Path) -> u64 {
    let log = path.with_extension("sqlite-wal");
    [path, &log].into_iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
}

/// The most memory that was ever held, as the system counts it; proc_pid_status(5).
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known here".to_owned(), |line| line.trim().to_owned())
}
