//! The writer: rows in, transactions out.

use rusqlite::{Connection, Error, Result, params};
use sterna_backends::{Algorithm, Timestamp};

use super::queue::{Job, Queue};
use crate::index::row::to_column;

/// A row of the same version keeps what else was known of it.
const REMEMBER: &str = "
    INSERT INTO object (place, key, mark, size, sha256, sha1, md5, parts, modified, written)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (place, key) DO UPDATE SET
        mark = excluded.mark,
        size = excluded.size,
        written = excluded.written,
        sha256 = CASE WHEN mark = excluded.mark THEN coalesce(excluded.sha256, sha256) ELSE excluded.sha256 END,
        sha1 = CASE WHEN mark = excluded.mark THEN coalesce(excluded.sha1, sha1) ELSE excluded.sha1 END,
        md5 = CASE WHEN mark = excluded.mark THEN coalesce(excluded.md5, md5) ELSE excluded.md5 END,
        parts = CASE WHEN mark = excluded.mark THEN coalesce(excluded.parts, parts) ELSE excluded.parts END,
        modified = CASE WHEN mark = excluded.mark THEN coalesce(excluded.modified, modified) ELSE excluded.modified END
";

/// Writes until nobody is left to tell anything. The first error ends the writing and is handed to `trouble`.
pub(super) fn work(mut connection: Connection, queue: &Queue, trouble: impl FnOnce(Error)) {
    let _ending = Ending(queue);
    while let Some(jobs) = queue.take() {
        if let Err(error) = write(&mut connection, &jobs) {
            trouble(error);
            return;
        }
        for job in jobs {
            if let Job::Flush(done) = job {
                // Who asked may have gone.
                let _gone = done.send(());
            }
        }
    }
}

/// However the writing ends, nobody waits for it any more.
struct Ending<'a>(&'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn write(connection: &mut Connection, jobs: &[Job]) -> Result<()> {
    if jobs.iter().all(|job| matches!(job, Job::Flush(_))) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut remember = transaction.prepare_cached(REMEMBER)?;
        let mut forget = transaction.prepare_cached("DELETE FROM object WHERE place = ?1 AND key = ?2")?;
        for job in jobs {
            match job {
                Job::Remember(row) => {
                    let column = |kind| to_column(&row.digests, kind);
                    remember.execute(params![
                        row.place,
                        row.key,
                        &row.mark[..],
                        i64::try_from(row.size).unwrap_or(i64::MAX),
                        column(Algorithm::Sha256),
                        column(Algorithm::Sha1),
                        column(Algorithm::Md5),
                        column(Algorithm::Parts),
                        row.modified.map(Timestamp::as_nanos),
                        row.written,
                    ])?;
                }
                Job::Forget { place, key } => {
                    forget.execute(params![place, key])?;
                }
                Job::Flush(_) => {}
            }
        }
    }
    transaction.commit()
}
