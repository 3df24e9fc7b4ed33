//! The tables.

use rusqlite::{Connection, Result};

/// Which layout a file has. Another one is thrown away: it is a memory.
pub(super) const VERSION: i64 = 1;

/// The index leads from a content to where it lies: by its size and eight bytes of the digest that is most widely known.
/// All digests of a candidate are compared in its row.
const TABLES: &str = "
    CREATE TABLE place (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE object (
        id INTEGER PRIMARY KEY,
        place INTEGER NOT NULL REFERENCES place (id),
        key TEXT NOT NULL,
        mark BLOB NOT NULL,
        size INTEGER NOT NULL,
        sha256 BLOB,
        sha1 BLOB,
        md5 BLOB,
        parts BLOB,
        written INTEGER NOT NULL,
        UNIQUE (place, key)
    ) STRICT;
    CREATE INDEX content ON object (size, substr(coalesce(md5, sha1, sha256), 1, 8));
";

/// How every connection works. What is lost with the machine's power is learnt again, so only checkpoints wait for the
/// disk.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(())
}

/// Makes the tables, if the file has none or those of another version.
pub(super) fn create(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        transaction.execute_batch("DROP TABLE IF EXISTS object; DROP TABLE IF EXISTS place;")?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
