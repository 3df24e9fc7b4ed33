//! What this run writes at one destination: an account on disk, gone with the run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Result, params};
use sterna_backends::{Digest, Digests, Entry, Key};

use super::order::whole;

/// Everything written so far, by key, by size and by content.
pub(super) struct Ledger(Mutex<Connection>);

/// It is all one transaction that never ends: nobody else reads it, and ending one for each line took half of the time.
///
/// A content stands under each digest that is known of it, with all `kinds` of them: files can be made that have an MD5 or a
/// SHA-1 in common and are not the same, so a weaker digest proves nothing where both know a stronger kind.
const TABLES: &str = "
    PRAGMA journal_mode = off;
    PRAGMA synchronous = off;
    PRAGMA cache_size = -4096;
    CREATE TABLE written (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE met (size INTEGER PRIMARY KEY, unread TEXT) STRICT;
    CREATE TABLE content (digest BLOB PRIMARY KEY, kinds INTEGER NOT NULL, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
    BEGIN;
";

/// What is written of the size of an object.
pub(super) enum Sent {
    /// Nothing: it is the first.
    Nothing,
    /// Others; the first of them where nobody has read it yet.
    Others(Option<Box<Entry>>),
}

impl Ledger {
    /// Empty.
    pub(super) fn new() -> Result<Self> {
        let connection = Connection::open("")?;
        connection.execute_batch(TABLES)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Something is written under `key`.
    pub(super) fn note(&self, key: &Key) -> Result<()> {
        let connection = self.connection();
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO written (key) VALUES (?1)")?;
        insert.execute([key.as_str()]).map(drop)
    }

    /// Whether `key` is written.
    pub(super) fn wrote(&self, key: &Key) -> Result<bool> {
        self.connection()
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM written WHERE key = ?1)")?
            .query_row([key.as_str()], |row| row.get(0))
    }

    /// `entry` is to be written: what of its size is before it. `unread`: the next one of that size is handed it, to be read.
    pub(super) fn meet(&self, entry: &Entry, unread: bool) -> Result<Sent> {
        let size = i64::try_from(entry.size.unwrap_or_default()).unwrap_or(i64::MAX);
        let connection = self.connection();
        let text = unread.then(|| serde_json::to_string(entry).unwrap_or_default());
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO met (size, unread) VALUES (?1, ?2)")?;
        if insert.execute(params![size, text])? > 0 {
            return Ok(Sent::Nothing);
        }
        let mut look = connection.prepare_cached("SELECT unread FROM met WHERE size = ?1")?;
        let first: Option<String> = look.query_row([size], |row| row.get(0))?;
        let Some(first) = first else { return Ok(Sent::Others(None)) };
        connection.prepare_cached("UPDATE met SET unread = NULL WHERE size = ?1")?.execute([size])?;
        Ok(Sent::Others(serde_json::from_str(&first).ok()))
    }

    /// The content that `digests` are known of is written under `key`.
    pub(super) fn know(&self, key: &Key, digests: &Digests) -> Result<()> {
        let connection = self.connection();
        let mut insert =
            connection.prepare_cached("INSERT OR IGNORE INTO content (digest, kinds, key) VALUES (?1, ?2, ?3)")?;
        let kinds = whole(digests).fold(0, |kinds, digest| kinds | kind(&digest));
        for digest in whole(digests) {
            insert.execute(params![bytes(&digest), kinds, key.as_str()])?;
        }
        Ok(())
    }

    /// The first key that the content is written under.
    pub(super) fn twin(&self, digests: &Digests) -> Result<Option<Key>> {
        let connection = self.connection();
        let mut look = connection.prepare_cached("SELECT kinds, key FROM content WHERE digest = ?1")?;
        let mut stronger = 0;
        for digest in whole(digests) {
            let found = look.query_row([bytes(&digest)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
            if let Some((kinds, key)) = found.optional()?
                && kinds & stronger == 0
                && let Ok(key) = Key::new(key)
            {
                return Ok(Some(key));
            }
            stronger |= kind(&digest);
        }
        Ok(None)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bit for each kind of digest.
fn kind(digest: &Digest) -> i64 {
    1 << digest.algorithm() as u32
}

/// What is known of a content by [`whole`].
fn bytes(digest: &Digest) -> &[u8] {
    match digest {
        Digest::Md5(bytes) => bytes,
        Digest::Sha1(bytes) => bytes,
        Digest::Sha256(bytes) => bytes,
        Digest::Crc32c(_) | Digest::Crc64Nvme(_) | Digest::Parts { .. } => &[],
    }
}
