//! The tables.

use rusqlite::{Connection, TransactionBehavior, config::DbConfig};

use super::file::write_ahead;

/// Which layout a file has. An older one is thrown away: it is a memory. A newer one is somebody else's to read.
const VERSION: i64 = 2;

/// What marks a file as ours, where SQLite keeps room for that (<https://www.sqlite.org/pragma.html#pragma_application_id>):
/// "stri" in ASCII.
const APPLICATION: i64 = 0x7374_7269;

/// Why a file that can be opened is not to be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it is the database of another program")]
    Foreign,
    #[error("a newer sterna made it (layout {0}; this one knows {VERSION})")]
    Newer(i64),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// The index leads from a content to where it lies: by its size, the place, and eight bytes of the digest that is most
/// widely known. All digests of a candidate are compared in its row. The place stands before the digest because it is
/// also asked whether a place has anything of some size: without it every row of that size, of all places, was gone through.
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
        modified INTEGER,
        written INTEGER NOT NULL,
        UNIQUE (place, key)
    ) STRICT;
    CREATE INDEX content ON object (size, place, substr(coalesce(md5, sha1, sha256), 1, 8));
";

/// KiB of the file that the writer holds in memory.
const WRITER_HOLDS: i64 = 16 * 1024;

/// And each reader: there are as many as ask at once, and the system holds the file for all of them.
pub(super) const READER_HOLDS: i64 = 2 * 1024;

/// How every connection works, which holds so many KiB of the file. What is lost with the machine's power is learnt again, so
/// only checkpoints wait for the disk.
pub(super) fn prepare(connection: &Connection, holds: i64) -> rusqlite::Result<()> {
    write_ahead(connection)?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -holds)?;
    // Else a statement that is compared with the index on an expression is prepared anew whenever a value changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(())
}

/// Makes the tables, if the file has none or those of an older layout. A file that is not ours is left as it is.
pub(super) fn create(connection: &mut Connection) -> Result<(), Unfit> {
    // Looked at before anything is set: even a journal mode is a change to somebody else's file.
    if needs_tables(connection)? {
        prepare(connection, WRITER_HOLDS)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if needs_tables(&transaction)? {
            transaction.execute_batch("DROP TABLE IF EXISTS object; DROP TABLE IF EXISTS place;")?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
    }
    Ok(prepare(connection, WRITER_HOLDS)?)
}

/// Whether the file is empty, or ours of an older layout.
fn needs_tables(connection: &Connection) -> Result<bool, Unfit> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    // Counted first: tables that another process makes meanwhile then count as ours.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, VERSION) => Ok(false),
        (APPLICATION, newer) if newer > VERSION => Err(Unfit::Newer(newer)),
        (APPLICATION, _) => Ok(true),
        _ if tables == 0 => Ok(true),
        _ => Err(Unfit::Foreign),
    }
}
