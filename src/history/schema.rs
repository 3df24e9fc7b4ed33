//! The tables, and how a file of an earlier version becomes one of this.

use rusqlite::Connection;

/// The version of the tables, in `user_version`.
const VERSION: i64 = 4;

/// What version 1 has.
const RUNS: &str = "
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

/// What came with version 2.
const JOBS: &str = "
CREATE TABLE job_run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    cause TEXT NOT NULL,               -- schedule, catch_up, hand
    began INTEGER NOT NULL,            -- nanoseconds since 1970
    ended INTEGER,                     -- NULL: not yet, or it was killed and nobody has noticed
    verdict TEXT NOT NULL,
    failure TEXT,                      -- JSON
    tip TEXT,                          -- what the source's index said of the whole source
    whole INTEGER NOT NULL,            -- whether everything was compared
    log TEXT
) STRICT;
CREATE INDEX job_run_job ON job_run (job, id);
CREATE TABLE job_target (
    run INTEGER NOT NULL REFERENCES job_run (id),
    at INTEGER NOT NULL,
    place TEXT NOT NULL,
    verdict TEXT NOT NULL,
    written INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    failure TEXT,                      -- JSON
    currency TEXT,
    amount TEXT,                       -- money is exact, and so is text
    PRIMARY KEY (run, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE job_pause (
    job TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What came with version 3: what lies at the place when the run has ended; NULL: that was not listed, or only in part.
const KEPT: &str = "
ALTER TABLE account ADD COLUMN kept_objects INTEGER;
ALTER TABLE account ADD COLUMN kept_bytes INTEGER;
";

/// What came with version 4.
const STANDING: &str = "
ALTER TABLE job_target ADD COLUMN objects INTEGER;  -- what lies there after the run; NULL: not known
ALTER TABLE job_target ADD COLUMN stored INTEGER;   -- its bytes
CREATE TABLE job_age (
    job TEXT NOT NULL,
    place TEXT NOT NULL,
    base INTEGER NOT NULL,             -- the age of the target was counted from then
    told INTEGER NOT NULL,             -- when somebody was told of it last, or it became known
    PRIMARY KEY (job, place)
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
        VERSION => return Ok(()),
        0 => {
            let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables > 0 {
                return Err("it is another program's file".into());
            }
            [RUNS, JOBS, KEPT, STANDING].iter().try_for_each(|batch| transaction.execute_batch(batch))?;
        }
        1 => [JOBS, KEPT, STANDING].iter().try_for_each(|batch| transaction.execute_batch(batch))?,
        2 => [KEPT, STANDING].iter().try_for_each(|batch| transaction.execute_batch(batch))?,
        3 => transaction.execute_batch(STANDING)?,
        later => return Err(format!("it has version {later}, and this sterna knows version {VERSION}").into()),
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}
