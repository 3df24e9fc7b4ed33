//! What this run writes at one destination: an account on disk, gone with the run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Result, params};
use sterna_backends::{Digests, Entry, Key};

use super::order::whole;

/// Everything written so far, by key, by size and by content.
pub(super) struct Ledger(Mutex<Connection>);

/// It is all one transaction that never ends: nobody else reads it, and ending one for each line took half of the time.
const TABLES: &str = "
    PRAGMA journal_mode = off;
    PRAGMA synchronous = off;
    PRAGMA cache_size = -4096;
    CREATE TABLE written (key TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE content (size INTEGER NOT NULL, digest TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (size, digest))
        STRICT, WITHOUT ROWID;
    CREATE TABLE unread (size INTEGER NOT NULL, entry TEXT NOT NULL) STRICT;
    CREATE INDEX unread_size ON unread (size);
    CREATE INDEX written_size ON written (size);
    BEGIN;
";

impl Ledger {
    /// Empty.
    pub(super) fn new() -> Result<Self> {
        let connection = Connection::open("")?;
        connection.execute_batch(TABLES)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Something is written under `key` that nobody is going to copy.
    pub(super) fn note(&self, key: &Key) -> Result<()> {
        let connection = self.connection();
        // No content has this size.
        let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO written (key, size) VALUES (?1, -1)")?;
        insert.execute([key.as_str()]).map(drop)
    }

    /// `entry` of the source is written under its key. Without a digest it is only known by its size.
    pub(super) fn write(&self, entry: &Entry) -> Result<()> {
        let size = signed(entry.size.unwrap_or_default());
        let connection = self.connection();
        connection
            .prepare_cached("INSERT OR REPLACE INTO written (key, size) VALUES (?1, ?2)")?
            .execute(params![entry.key.as_str(), size])?;
        if whole(&entry.digests).next().is_some() {
            return know(&connection, entry);
        }
        let text = serde_json::to_string(entry).unwrap_or_default();
        connection.prepare_cached("INSERT INTO unread (size, entry) VALUES (?1, ?2)")?.execute(params![size, text])?;
        Ok(())
    }

    /// The content of what was written is `entry`'s.
    pub(super) fn know(&self, entry: &Entry) -> Result<()> {
        know(&self.connection(), entry)
    }

    /// Whether `key` is written.
    pub(super) fn wrote(&self, key: &Key) -> Result<bool> {
        self.connection()
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM written WHERE key = ?1)")?
            .query_row([key.as_str()], |row| row.get(0))
    }

    /// Whether anything of so many bytes is written.
    pub(super) fn has_size(&self, size: u64) -> Result<bool> {
        self.connection()
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM written WHERE size = ?1)")?
            .query_row([signed(size)], |row| row.get(0))
    }

    /// Takes out what is written of so many bytes and has no digest yet.
    pub(super) fn take_unread(&self, size: u64) -> Result<Vec<Entry>> {
        let size = signed(size);
        let connection = self.connection();
        let mut statement = connection.prepare_cached("DELETE FROM unread WHERE size = ?1 RETURNING entry")?;
        let texts: Vec<String> = statement.query_map([size], |row| row.get(0))?.collect::<Result<_>>()?;
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// The first key that the content is written under.
    pub(super) fn twin(&self, size: u64, digests: &Digests) -> Result<Option<Key>> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT key FROM content WHERE size = ?1 AND digest = ?2")?;
        for digest in whole(digests) {
            let found: Option<String> =
                statement.query_row(params![signed(size), digest.to_string()], |row| row.get(0)).optional()?;
            if let Some(key) = found.and_then(|key| Key::new(key).ok()) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}

impl Ledger {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn know(connection: &Connection, entry: &Entry) -> Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO content (size, digest, key) VALUES (?1, ?2, ?3)")?;
    for digest in whole(&entry.digests) {
        insert.execute(params![signed(entry.size.unwrap_or_default()), digest.to_string(), entry.key.as_str()])?;
    }
    Ok(())
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
