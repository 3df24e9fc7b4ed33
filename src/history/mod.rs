//! What runs were made and what they cost, kept for good: a SQLite file apart from the index, which may be thrown away.
//! Those of saved jobs stand there as well, target by target.
//!
//! A run is written down when it begins, now and then while it goes on, and again when it ends; one that was killed has no
//! end, and what it had sent by the last time. Every write is one transaction on the disk before it returns, and two runs at
//! once wait for each other.

mod age;
mod jobs;
mod kept;
mod record;
mod schema;

pub use age::Age;
pub use kept::{Kept, Left, contains};
pub use record::{Cost, Failure, Holdings, InStep, JobRunId, RunRecord, TargetRecord, Trigger, Verdict};

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, params};
use serde::Serialize;
use sterna_backends::{Requests, Spend, Timestamp};

/// How long a write waits for another process's.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the history {}: {source}", path.display())]
pub struct HistoryError {
    path: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The file.
pub struct History {
    path: PathBuf,
    connection: Connection,
}

/// A run that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(i64);

/// What a run sent to one remote.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The remote's name in the configuration, or the scheme of a URL.
    pub remote: String,
    /// As the user wrote it; never with a secret.
    pub place: String,
    /// What was said beforehand, where it was.
    pub quoted: Option<Spend>,
    /// What was sent.
    pub sent: Spend,
    /// What that costs, where a price is known.
    pub money: Option<Money>,
    /// What lies there when the run has ended; `None` where that was not listed, or only in part.
    pub kept: Option<Kept>,
}

/// Money for requests, retrieval and traffic, in exact decimals as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Money {
    /// The entry of the price book.
    pub offer: String,
    /// ISO 4217.
    pub currency: String,
    /// As it was quoted, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<String>,
    /// By what was sent.
    pub actual: String,
}

/// What a remote was sent in a time, all runs together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Month {
    /// The remote.
    pub remote: String,
    /// Runs that ended, and those that were killed after it was written down what they had sent.
    pub runs: u64,
    /// Requests and bytes.
    #[serde(flatten)]
    pub sent: Spend,
    /// The amounts of the runs by currency, each as exact text.
    pub money: Vec<(String, String)>,
}

impl History {
    /// Opens the file at `path`, made with its folder where it is missing; nobody else may read it.
    ///
    /// # Errors
    /// Where it cannot be made or read, or is no history.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let wrong = |source: Box<dyn std::error::Error + Send + Sync>| HistoryError { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| wrong(error.into()))?;
        }
        let open = || -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            schema::create(&mut connection)?;
            Ok(connection)
        };
        let connection = open().map_err(wrong)?;
        private(path).map_err(|error| wrong(error.into()))?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// A run of `command` begins.
    ///
    /// # Errors
    /// What stopped the write.
    pub fn begin(&self, command: &str, started: Timestamp) -> Result<RunId, HistoryError> {
        let insert = "INSERT INTO run (command, started) VALUES (?1, ?2)";
        self.connection.execute(insert, params![command, started.as_nanos()]).map_err(|error| self.wrong(error))?;
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    /// The run goes on and has sent `accounts` so far, which take the place of what was told of it before.
    ///
    /// # Errors
    /// What stopped the write; then nothing of it is written.
    pub fn goes_on(&mut self, run: RunId, accounts: &[Account]) -> Result<(), HistoryError> {
        self.write(run, None, accounts).map_err(|error| self.wrong(error))
    }

    /// The run has ended with the code `exit`, and has sent `accounts` in all.
    ///
    /// # Errors
    /// What stopped the write; then nothing of it is written.
    pub fn end(&mut self, run: RunId, ended: Timestamp, exit: u8, accounts: &[Account]) -> Result<(), HistoryError> {
        self.write(run, Some((ended, exit)), accounts).map_err(|error| self.wrong(error))
    }

    fn write(&mut self, run: RunId, ended: Option<(Timestamp, u8)>, accounts: &[Account]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        if let Some((ended, exit)) = ended {
            let update = "UPDATE run SET ended = ?2, exit = ?3 WHERE id = ?1";
            transaction.execute(update, params![run.0, ended.as_nanos(), exit])?;
        }
        let before = "DELETE FROM request WHERE account IN (SELECT id FROM account WHERE run = ?1)";
        transaction.execute(before, params![run.0])?;
        transaction.execute("DELETE FROM account WHERE run = ?1", params![run.0])?;
        for account in accounts {
            let quoted = account.quoted.as_ref();
            let money = account.money.as_ref();
            transaction.execute(
                "INSERT INTO account (run, remote, place, bytes_in, bytes_out, quoted_in, quoted_out, offer, currency, \
                 quoted, actual, kept_objects, kept_bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                params![
                    run.0,
                    account.remote,
                    account.place,
                    whole(account.sent.bytes_in),
                    whole(account.sent.bytes_out),
                    quoted.map(|quoted| whole(quoted.bytes_in)),
                    quoted.map(|quoted| whole(quoted.bytes_out)),
                    money.map(|money| &money.offer),
                    money.map(|money| &money.currency),
                    money.and_then(|money| money.quoted.as_ref()),
                    money.map(|money| &money.actual),
                    account.kept.map(|kept| whole(kept.objects)),
                    account.kept.map(|kept| whole(kept.bytes)),
                ],
            )?;
            let id = transaction.last_insert_rowid();
            let mut insert =
                transaction.prepare("INSERT INTO request (account, name, quoted, sent) VALUES (?1, ?2, ?3, ?4)")?;
            let mut names: Vec<&str> = account.sent.requests.iter().map(|(name, _)| name).collect();
            names.extend(quoted.iter().flat_map(|quoted| quoted.requests.iter()).map(|(name, _)| name));
            names.sort_unstable();
            names.dedup();
            for name in names {
                let quoted = quoted.map(|quoted| whole(quoted.requests.of(name)));
                insert.execute(params![id, name, quoted, whole(account.sent.requests.of(name))])?;
            }
        }
        transaction.commit()
    }

    /// What each remote was sent by the runs that began from `from` on and before `to`, by name.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Month>, HistoryError> {
        self.read(from, to, None).map_err(|error| self.wrong(error))
    }

    /// [`History::between`], of the runs of one command.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn between_of(&self, command: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Month>, HistoryError> {
        self.read(from, to, Some(command)).map_err(|error| self.wrong(error))
    }

    fn read(&self, from: Timestamp, to: Timestamp, command: Option<&str>) -> rusqlite::Result<Vec<Month>> {
        let during = params![from.as_nanos(), to.as_nanos(), command];
        let mut found = self.connection.prepare(
            "SELECT account.remote, count(DISTINCT run.id), sum(bytes_in), sum(bytes_out) FROM account \
             JOIN run ON run.id = account.run WHERE started >= ?1 AND started < ?2 AND (?3 IS NULL OR command = ?3) GROUP BY 1 ORDER BY 1",
        )?;
        let month = |row: &rusqlite::Row<'_>| {
            let sent = Spend { requests: Requests::default(), bytes_in: count(row, 2)?, bytes_out: count(row, 3)? };
            Ok(Month { remote: row.get(0)?, runs: count(row, 1)?, sent, money: Vec::new() })
        };
        let mut months = found.query_map(during, month)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut each = self.connection.prepare(
            "SELECT account.remote, name, sum(sent) FROM request JOIN account ON account.id = request.account \
             JOIN run ON run.id = account.run WHERE started >= ?1 AND started < ?2 AND (?3 IS NULL OR command = ?3) GROUP BY 1, 2",
        )?;
        let mut rows = each.query(during)?;
        while let Some(row) = rows.next()? {
            let remote: String = row.get(0)?;
            if let Some(month) = months.iter_mut().find(|month| month.remote == remote) {
                month.sent.requests.add(row.get::<_, String>(1)?, count(row, 2)?);
            }
        }
        let mut paid = self.connection.prepare(
            "SELECT account.remote, currency, actual FROM account JOIN run ON run.id = account.run \
             WHERE started >= ?1 AND started < ?2 AND (?3 IS NULL OR command = ?3) AND actual IS NOT NULL ORDER BY account.id",
        )?;
        let mut rows = paid.query(during)?;
        while let Some(row) = rows.next()? {
            let remote: String = row.get(0)?;
            if let Some(month) = months.iter_mut().find(|month| month.remote == remote) {
                month.money.push((row.get(1)?, row.get(2)?));
            }
        }
        Ok(months)
    }

    fn wrong(&self, error: rusqlite::Error) -> HistoryError {
        HistoryError { path: self.path.clone(), source: error.into() }
    }
}

/// SQLite's integers are signed.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0))
}

/// What places there are and what they cost is the user's own business.
fn private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(remote: &str, requests: u64) -> Account {
        let sent =
            Spend { requests: Requests::one("put_object").and("list_objects", requests), bytes_in: 5, bytes_out: 7 };
        let money =
            Money { offer: "o".to_owned(), currency: "USD".to_owned(), quoted: None, actual: "0.00000040".to_owned() };
        let place = format!("{remote}:bucket");
        let kept = Some(Kept { objects: requests, bytes: 100 * requests });
        Account { remote: remote.to_owned(), place, quoted: Some(sent.clone()), sent, money: Some(money), kept }
    }

    #[test]
    fn runs_are_summed_by_remote_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/history.db");
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let mut history = History::open(&path).unwrap();
        let first = history.begin("sync", at(10)).unwrap();
        history.end(first, at(11), 0, &[account("a", 2), account("b", 1)]).unwrap();
        // Another process at the same time, and a run that is killed before it told anything.
        let mut other = History::open(&path).unwrap();
        let killed = history.begin("sync", at(20)).unwrap();
        let second = other.begin("copy", at(20)).unwrap();
        assert_ne!(killed, second);
        other.end(second, at(21), 14, &[account("a", 3)]).unwrap();
        let late = other.begin("sync", at(30)).unwrap();
        other.end(late, at(31), 0, &[account("a", 100)]).unwrap();
        let months = History::open(&path).unwrap().between(at(10), at(30)).unwrap();
        let told: Vec<_> = months.iter().map(|month| (month.remote.as_str(), month.runs)).collect();
        assert_eq!(told, [("a", 2), ("b", 1)]);
        assert_eq!(months[0].sent.requests, Requests::default().and("put_object", 2).and("list_objects", 5));
        assert_eq!((months[0].sent.bytes_in, months[0].sent.bytes_out, months[0].money.len()), (10, 14, 2));
        let left = |before| history.left(at(before)).unwrap();
        let told = |left: &Left| (left.place.clone(), left.at, left.kept.objects);
        let expected = [("a:bucket".to_owned(), at(20), 3), ("b:bucket".to_owned(), at(10), 1)];
        assert_eq!(left(30).iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!(left(31)[0].kept, Kept { objects: 100, bytes: 10_000 });
        assert_eq!(left(10), []);
    }

    #[test]
    fn a_killed_run_has_what_it_told_last() {
        let folder = tempfile::tempdir().unwrap();
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let mut history = History::open(&folder.path().join("history.db")).unwrap();
        let run = history.begin("sync", at(10)).unwrap();
        for requests in [2, 7] {
            history.goes_on(run, &[account("a", requests)]).unwrap();
            let months = history.between(at(10), at(11)).unwrap();
            assert_eq!(months[0].sent.requests, Requests::one("put_object").and("list_objects", requests));
            assert_eq!((months[0].runs, months[0].sent.bytes_in, months[0].money.len()), (1, 5, 1));
        }
        history.end(run, at(12), 0, &[account("a", 9), account("b", 1)]).unwrap();
        let months = history.between(at(10), at(11)).unwrap();
        assert_eq!((months.len(), months[0].sent.requests.of("list_objects")), (2, 9));
    }

    #[test]
    fn what_is_no_history_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let text = "this is no database, but long enough to be read as one";
        fs::write(&path, text).unwrap();
        assert!(History::open(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
