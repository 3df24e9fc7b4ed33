//! The writer: rows in, transactions out.

use std::{
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use rusqlite::{Connection, Result, params};
use sterna_backends::Algorithm;
use tokio::sync::oneshot;

use crate::index::row::{Told, to_column};

/// Rows of one transaction.
const BATCH: usize = 10_000;

/// How long a row may wait for its transaction.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the writer is asked for.
pub(super) enum Job {
    Remember(Box<Told>),
    Forget { place: i64, key: String },
    Flush(oneshot::Sender<()>),
}

/// A row of the same version keeps what else was known of it.
const REMEMBER: &str = "
    INSERT INTO object (place, key, mark, size, sha256, sha1, md5, parts, written)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (place, key) DO UPDATE SET
        mark = excluded.mark,
        size = excluded.size,
        written = excluded.written,
        sha256 = CASE WHEN mark = excluded.mark THEN coalesce(excluded.sha256, sha256) ELSE excluded.sha256 END,
        sha1 = CASE WHEN mark = excluded.mark THEN coalesce(excluded.sha1, sha1) ELSE excluded.sha1 END,
        md5 = CASE WHEN mark = excluded.mark THEN coalesce(excluded.md5, md5) ELSE excluded.md5 END,
        parts = CASE WHEN mark = excluded.mark THEN coalesce(excluded.parts, parts) ELSE excluded.parts END
";

/// Writes until nobody is left to tell anything. The first error ends the writing and is kept for whoever asks.
pub(super) fn work(mut connection: Connection, jobs: &mpsc::Receiver<Job>, trouble: &Mutex<Option<String>>) {
    let mut rows = Vec::new();
    loop {
        let mut flushed = Vec::new();
        let open = gather(jobs, &mut rows, &mut flushed);
        if !rows.is_empty()
            && let Err(error) = write(&mut connection, &rows)
        {
            *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            return;
        }
        rows.clear();
        for done in flushed {
            // Who asked may have gone.
            let _gone = done.send(());
        }
        if !open {
            return;
        }
    }
}

/// Gathers a batch; whether more may come.
fn gather(jobs: &mpsc::Receiver<Job>, rows: &mut Vec<Job>, flushed: &mut Vec<oneshot::Sender<()>>) -> bool {
    let Ok(first) = jobs.recv() else { return false };
    let until = Instant::now() + PATIENCE;
    let mut next = Some(first);
    while let Some(job) = next.take() {
        match job {
            Job::Flush(done) => {
                flushed.push(done);
                return true;
            }
            row => rows.push(row),
        }
        if rows.len() >= BATCH {
            return true;
        }
        match jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(job) => next = Some(job),
            Err(mpsc::RecvTimeoutError::Timeout) => return true,
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

fn write(connection: &mut Connection, jobs: &[Job]) -> Result<()> {
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
