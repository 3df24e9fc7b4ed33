//! Trees of files: how tests make them, and what they find in them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::sterna::Sterna;

/// Bytes that do not repeat and do not compress; the same seed gives the same bytes.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators".
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A file that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its time in nanoseconds after 1970.
    pub time: i64,
}

/// Its size and how it begins: a failure is to be read by people.
impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(12)]);
        write!(f, "{} bytes {start:?} of {}", self.bytes.len(), self.time)
    }
}

/// Names that every store holds and few programs take as they are.
const ODD: &[&str] = &[
    "in side/a b",
    "%41",
    "100%",
    "plus+plus",
    "hash#hash",
    "ask?ask=1&b",
    "~tilde",
    "&<>\"'",
    "e\u{301}-nfd",
    "\u{e9}-nfc",
    "🐦/🐦.txt",
    "o",
    "o!",
    "o0/x",
    "-dash",
];

impl Sterna {
    /// Writes files of odd names into `src`, and of `more` names that the store at hand takes, one empty: how many.
    pub fn odd(&self, more: &[&str]) -> u64 {
        let names = [ODD, more].concat();
        for name in &names {
            self.file(format!("src/{name}"), format!("the bytes of {name}"));
        }
        self.file("src/empty", "");
        names.len() as u64 + 1
    }

    /// Writes a file with a time in the past, seconds and nanoseconds after 1970.
    pub fn dated(&self, inside: impl AsRef<Path>, content: impl AsRef<[u8]>, seconds: u64, nanos: u32) -> PathBuf {
        let path = self.file(inside, content);
        let time = UNIX_EPOCH + Duration::new(seconds, nanos);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("a writable file");
        path
    }

    /// A small tree below `folder` as a mirror has them: 14 files, names that need care, an empty file, no time twice.
    pub fn tree(&self, folder: &str) {
        let names = [
            "a",
            "a!",
            "a.txt",
            "b/a/c",
            "b/a.txt",
            "b/empty",
            "images/disk one.iso",
            "images/50%+1 #2?.txt",
            "images/ünï/東京.txt",
            "packages/one-1.0-1.hpkg",
            "packages/two-2.0-1.hpkg",
            "repo",
            "repo.minisig",
            "repo.sha256",
        ];
        for (at, name) in (0..).zip(names) {
            let content = if name.ends_with("empty") { Vec::new() } else { noise(100 + 700 * at, at as u64) };
            let nanos = 123_456_789 + u32::try_from(at).expect("a small number");
            self.dated(format!("{folder}/{name}"), content, 1_600_000_000 + at as u64, nanos);
        }
    }

    /// Every file below `folder`, by its path there.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Found> {
        let mut files = BTreeMap::new();
        let root = self.path(folder);
        collect(&root, &root, &mut files);
        files
    }

    /// The paths of every file below `folder`.
    pub fn names(&self, folder: &str) -> Vec<String> {
        self.files(folder).into_keys().collect()
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Found>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        let metadata = fs::symlink_metadata(&path).expect("nobody else works here");
        if metadata.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
            let time = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
            files.insert(name, Found { bytes: fs::read(&path).expect("a readable file"), time });
        }
    }
}

#[test]
fn noise_is_noise() {
    assert_eq!(noise(3, 1), noise(5, 1)[..3]);
    assert_ne!(noise(16, 1), noise(16, 2));
    assert_ne!(noise(16, 1)[..8], noise(16, 1)[8..]);
}
