//! Since when objects are missing at the source, remembered from run to run.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Lines, Write},
    iter::Peekable,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sterna_backends::{Digest, Error, ErrorKind, Key, Operation, Result, Store, Timestamp};
use tempfile::NamedTempFile;

/// How long what is missing at the source stays at a destination, and where it is remembered since when it is missing.
#[derive(Clone, Debug)]
pub struct Grace {
    /// Only what is missing for at least so long is deleted.
    pub after: Duration,
    /// The present.
    pub now: Timestamp,
    /// A folder with one file a pair of source and destination. Losing it costs time, never data: the grace begins anew.
    pub folder: PathBuf,
}

/// One object that is missing.
#[derive(Debug, Serialize, Deserialize)]
struct Absent {
    key: Key,
    /// Seconds after 1970.
    since: i64,
}

/// What is known of one pair of places, read and written in one pass in byte order of the keys, in bounded memory.
#[derive(Debug)]
pub struct Absences {
    old: Option<Peekable<Lines<BufReader<File>>>>,
    new: BufWriter<NamedTempFile>,
    path: PathBuf,
    grace: Grace,
}

impl Absences {
    /// What is known of what `target` has and `source` has not.
    ///
    /// # Errors
    /// Where the folder cannot be made or the file not be read.
    pub fn open(grace: &Grace, source: &dyn Store, target: &dyn Store) -> Result<Self> {
        fs::create_dir_all(&grace.folder).map_err(|error| broken(&grace.folder, error))?;
        let path = grace.folder.join(format!("{}.jsonl", name(source, target)));
        let old = match File::open(&path) {
            Ok(file) => Some(BufReader::new(file).lines().peekable()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(broken(&path, error)),
        };
        let new = NamedTempFile::new_in(&grace.folder).map_err(|error| broken(&grace.folder, error))?;
        Ok(Self { old, new: BufWriter::new(new), path, grace: grace.clone() })
    }

    /// Notes that `key` is missing; whether it is for long enough. Keys come in byte order. What an earlier run missed and
    /// this one does not is forgotten, but for what is `unseen`: keys this run does not look at.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn is_over(&mut self, key: &Key, unseen: impl Fn(&Key) -> bool) -> Result<bool> {
        let now = self.grace.now.seconds();
        // A clock that was set back makes nobody younger than now.
        let since = self.pass(Some(key), unseen)?.unwrap_or(now).min(now);
        self.write(&Absent { key: key.clone(), since })?;
        let age = u64::try_from(now.saturating_sub(since)).unwrap_or_default();
        Ok(age >= self.grace.after.as_secs())
    }

    /// All keys have come: what was noted takes the place of what was known before.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn finish(mut self, unseen: impl Fn(&Key) -> bool) -> Result<()> {
        self.pass(None, unseen)?;
        let path = self.path;
        let file = self.new.into_inner().map_err(|error| broken(&path, error.into_error()))?;
        file.as_file().sync_all().map_err(|error| broken(&path, error))?;
        file.persist(&path).map_err(|error| broken(&path, error.error))?;
        Ok(())
    }

    /// Passes what was known up to `key`; since when `key` itself is missing.
    fn pass(&mut self, key: Option<&Key>, unseen: impl Fn(&Key) -> bool) -> Result<Option<i64>> {
        while let Some(absent) = self.next(key)? {
            if key == Some(&absent.key) {
                return Ok(Some(absent.since));
            }
            if unseen(&absent.key) {
                self.write(&absent)?;
            }
        }
        Ok(None)
    }

    /// The next that was known, if it is not behind `key`. A line that is none ends what was known: the grace of the others
    /// begins anew.
    fn next(&mut self, key: Option<&Key>) -> Result<Option<Absent>> {
        let Some(old) = &mut self.old else { return Ok(None) };
        let Some(line) = old.peek() else { return Ok(None) };
        let absent: Absent = match line {
            Ok(line) => match serde_json::from_str(line) {
                Ok(absent) => absent,
                Err(_) => {
                    self.old = None;
                    return Ok(None);
                }
            },
            Err(error) => return Err(broken(&self.path, std::io::Error::new(error.kind(), error.to_string()))),
        };
        if key.is_some_and(|key| absent.key > *key) {
            return Ok(None);
        }
        old.next();
        Ok(Some(absent))
    }

    fn write(&mut self, absent: &Absent) -> Result<()> {
        let written = serde_json::to_writer(&mut self.new, absent).map_err(std::io::Error::from);
        written.and_then(|()| self.new.write_all(b"\n")).map_err(|error| broken(&self.path, error))
    }
}

/// The name of the file for a pair of places.
fn name(source: &dyn Store, target: &dyn Store) -> String {
    let whole = |store: &dyn Store| match store.whereabouts() {
        Some(at) => format!("{}\0{}", at.place, at.base),
        None => store.name().to_owned(),
    };
    let (source, target) = (whole(source), whole(target));
    Digest::Sha256(Sha256::digest(format!("{source}\0\0{target}")).into()).hex()
}

fn broken(path: &Path, error: std::io::Error) -> Error {
    let kind = if error.kind() == std::io::ErrorKind::StorageFull { ErrorKind::Full } else { ErrorKind::Config };
    let why = std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    Error::new(kind, Operation::List).because(why)
}
