//! The tables, and how a file of an earlier version would become one of this.

use rusqlite::Connection;

/// The version of the tables, in `user_version`.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    started INTEGER NOT NULL,          -- nanoseconds since 1970
    ended INTEGER,                     -- NULL: not yet, or it was killed
    exit INTEGER
) STRICT;
CREATE INDEX run_started ON run (started);
CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    remote TEXT NOT NULL,
    place TEXT NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    quoted_in INTEGER,
    quoted_out INTEGER,
    offer TEXT,
    currency TEXT,
    quoted TEXT,                       -- money is exact, and so is text
    actual TEXT
) STRICT;
CREATE INDEX account_run ON account (run);
CREATE TABLE request (
    account INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    quoted INTEGER,
    sent INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
";

/// Makes the tables where there are none.
///
/// # Errors
/// For a file of another program or a later version, and what stopped the work.
pub(super) fn create(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        VERSION => {}
        0 => {
            let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables > 0 {
                return Err("it is another program's file".into());
            }
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        later => return Err(format!("it has version {later}, and this sterna knows version {VERSION}").into()),
    }
    Ok(transaction.commit()?)
}
