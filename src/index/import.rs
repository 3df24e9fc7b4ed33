//! What others wrote down of contents: sums files.

use std::{collections::BTreeMap, sync::Arc};

use futures::TryStreamExt;
use serde::Serialize;
use sterna_backends::{
    Algorithm, Digests, Key, Result, Store,
    sums::{self, Line},
};

use super::{Index, build::shelf};
use crate::{event::Observers, list::Scope};

/// Digests by name, and the line each name first stood in. Held in memory.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    list: BTreeMap<Key, (usize, Digests)>,
    /// Lines that say nothing that can be understood.
    pub broken: Vec<InvalidSums>,
    /// Names whose digests the writer of the file did not know.
    pub unknown: u64,
}

/// A line of a sums file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct InvalidSums {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A line of which no row was made.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Nothing has that name.
    Missing {
        /// From 1.
        line: usize,
        /// The name.
        key: Key,
    },
    /// The store, or what is known already, tells another digest of the object.
    Contradicted {
        /// From 1.
        line: usize,
        /// The name.
        key: Key,
        /// Of which kind.
        algorithm: Algorithm,
    },
    /// Changed a moment ago, or of a store that tells nothing a change would change.
    Unsettled {
        /// From 1.
        line: usize,
        /// The name.
        key: Key,
    },
}

/// What came of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Objects with a row now.
    pub imported: u64,
    /// Names of which there is no object.
    pub missing: u64,
    /// Objects of which something else is known.
    pub contradicted: u64,
    /// Objects that cannot be remembered yet.
    pub unsettled: u64,
    /// Names whose digests the file does not tell.
    pub unknown: u64,
    /// Objects of the place that the file does not name.
    pub unnamed: u64,
}

impl Sums {
    /// Reads a whole file. A name may stand several times with digests of several kinds.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let mut sums = Self::default();
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if let Err(why) = sums.line(at + 1, line.strip_suffix(b"\r").unwrap_or(line)) {
                sums.broken.push(InvalidSums { line: at + 1, why });
            }
        }
        sums
    }

    fn line(&mut self, number: usize, line: &[u8]) -> std::result::Result<(), String> {
        let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
        let (name, digest) = match sums::line(text) {
            Line::Nothing => return Ok(()),
            Line::Unknown(_) => {
                self.unknown += 1;
                return Ok(());
            }
            Line::Sum(name, digest) => (name, digest),
            Line::Other => return Err("it is neither 'DIGEST  NAME' nor 'SHA256 (NAME) = DIGEST'".to_owned()),
        };
        let key = Key::new(name.strip_prefix("./").unwrap_or(&name)).map_err(|error| error.to_string())?;
        let (first, known) = self.list.entry(key).or_insert_with(|| (number, Digests::new()));
        match known.get(digest.algorithm()) {
            Some(other) if other != digest => {
                Err(format!("another {} of the same name stands in line {first}", digest.algorithm()))
            }
            _ => {
                known.set(digest);
                Ok(())
            }
        }
    }

    /// How many names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Makes a row of each name for the version that lies there now. The file is believed: it does not say when it was
/// written, so what it says is taken to be of that version, unless the listing or an earlier row says otherwise.
///
/// # Errors
/// What ended the listing; `Unsupported` for a store that cannot be remembered.
pub async fn import(
    store: &Arc<dyn Store>,
    index: &Index,
    sums: Sums,
    observer: &Observers,
    mut tell: impl FnMut(Problem),
) -> Result<Imported> {
    let shelf = shelf(store, index)?;
    let mut done = Imported { unknown: sums.unknown, ..Imported::default() };
    let mut list = sums.list;
    let mut entries = std::pin::pin!(shelf.listed(store, &Scope::default(), observer));
    while let Some((entry, _)) = entries.try_next().await? {
        let Some((line, digests)) = list.remove(&entry.key) else {
            done.unnamed += 1;
            continue;
        };
        let key = entry.key.clone();
        if let Some((algorithm, false)) = entry.digests.compare(&digests) {
            done.contradicted += 1;
            tell(Problem::Contradicted { line, key, algorithm });
        } else if shelf.remember(&entry, &digests) {
            done.imported += 1;
        } else {
            done.unsettled += 1;
            tell(Problem::Unsettled { line, key });
        }
    }
    let mut missing: Vec<(usize, Key)> = list.into_iter().map(|(key, (line, _))| (line, key)).collect();
    missing.sort_unstable();
    done.missing = missing.len() as u64;
    missing.into_iter().for_each(|(line, key)| tell(Problem::Missing { line, key }));
    index.flush().await;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_contradict_each_other_are_broken_and_kinds_add_up() {
        let (one, other) = ("0".repeat(32), "1".repeat(32));
        let sha1 = "2".repeat(40);
        let text = format!("\u{feff}{one}  a\r\n{sha1}  ./a\n{other}  a\n\nno sum\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"\xff\n");
        let sums = Sums::read(&bytes);
        assert_eq!(sums.list[&Key::new("a").unwrap()].1.iter().count(), 2);
        let lines: Vec<usize> = sums.broken.iter().map(|broken| broken.line).collect();
        assert_eq!(lines, [3, 5, 6]);
        assert_eq!(sums.broken[0].to_string(), "line 3: another md5 of the same name stands in line 1");
    }
}
