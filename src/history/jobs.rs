//! The runs of saved jobs: written when they begin and when they end, and read by whoever shows them.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Row, Transaction, TransactionBehavior, params, types::Type};
use serde::{Serialize, de::DeserializeOwned};
use sterna_backends::Timestamp;

use super::{
    History, HistoryError, count,
    record::{Cost, Holdings, InStep, JobRunId, RunRecord, TargetRecord, Trigger, Verdict},
    whole,
};

impl History {
    /// A run of `job` begins. Earlier ones of it that have no end are told as [`Verdict::Killed`]: whoever begins one
    /// holds the job's lock, so none of them is alive.
    ///
    /// # Errors
    /// What stopped the write; then nothing of it is written.
    pub fn begin_job(
        &mut self,
        job: &str,
        trigger: Trigger,
        began: Timestamp,
        log: Option<&Path>,
    ) -> Result<JobRunId, HistoryError> {
        self.transact(|transaction| {
            bury(transaction, job, began)?;
            transaction.execute(
                "INSERT INTO job_run (job, cause, began, verdict, whole, log) VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                params![
                    job,
                    trigger.name(),
                    began.as_nanos(),
                    Verdict::Running.name(),
                    log.map(|log| log.to_string_lossy())
                ],
            )?;
            Ok(JobRunId(transaction.last_insert_rowid()))
        })
    }

    /// The run has ended as `record` says.
    ///
    /// # Errors
    /// What stopped the write; then nothing of it is written.
    pub fn end_job(&mut self, record: &RunRecord) -> Result<(), HistoryError> {
        self.transact(|transaction| {
            transaction.execute(
                "UPDATE job_run SET ended = ?2, verdict = ?3, failure = ?4, tip = ?5, whole = ?6, log = ?7 WHERE id = ?1",
                params![
                    record.id.0,
                    record.ended.map(Timestamp::as_nanos),
                    record.verdict.name(),
                    record.failure.as_ref().map(text),
                    record.tip,
                    record.full,
                    record.log.as_ref().map(|log| log.to_string_lossy()),
                ],
            )?;
            let mut insert = transaction.prepare(
                "INSERT INTO job_target (run, at, place, verdict, written, bytes, deleted, failure, currency, amount, \
                 objects, stored) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            for (at, target) in (0_i64..).zip(&record.targets) {
                insert.execute(params![
                    record.id.0,
                    at,
                    target.place,
                    target.verdict.name(),
                    whole(target.written),
                    whole(target.bytes),
                    whole(target.deleted),
                    target.failure.as_ref().map(text),
                    target.cost.as_ref().map(|cost| &cost.currency),
                    target.cost.as_ref().map(|cost| &cost.amount),
                    target.holds.map(|holds| whole(holds.objects)),
                    target.holds.map(|holds| whole(holds.bytes)),
                ])?;
            }
            Ok(())
        })
    }

    /// Tells the runs of `job` that have no end as killed; for whoever holds the job's lock. How many there were.
    ///
    /// # Errors
    /// What stopped the write.
    pub fn bury_jobs(&mut self, job: &str, now: Timestamp) -> Result<usize, HistoryError> {
        self.transact(|transaction| bury(transaction, job, now))
    }

    /// The last `most` runs, the latest first: of one job or of all.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn job_runs(&self, job: Option<&str>, most: usize) -> Result<Vec<RunRecord>, HistoryError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.job_records("(?1 IS NULL OR job = ?1) ORDER BY id DESC LIMIT ?2", params![job, most])
    }

    /// The runs that began at `from` or later, the latest first: of one job or of all.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn job_runs_since(&self, job: Option<&str>, from: Timestamp) -> Result<Vec<RunRecord>, HistoryError> {
        let (filter, values) =
            ("(?1 IS NULL OR job = ?1) AND began >= ?2 ORDER BY id DESC", params![job, from.as_nanos()]);
        self.job_records(filter, values)
    }

    /// One run.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn job_run(&self, id: JobRunId) -> Result<Option<RunRecord>, HistoryError> {
        Ok(self.job_records("id = ?1", params![id.0])?.pop())
    }

    /// When each target of `job` was last seen to hold what its source holds, and what that was.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn last_in_step(&self, job: &str) -> Result<BTreeMap<String, InStep>, HistoryError> {
        let read = || {
            // Beside max() SQLite gives the other columns of the same row.
            let mut select = self.connection.prepare(
                "SELECT place, max(began), objects, stored FROM job_target JOIN job_run ON job_run.id = job_target.run \
                 WHERE job = ?1 AND job_target.verdict IN ('in_step', 'changed') GROUP BY place",
            )?;
            let row = |row: &Row<'_>| {
                let in_step = InStep { at: Timestamp::from_nanos(row.get(1)?), holds: holdings(row, 2)? };
                Ok((row.get(0)?, in_step))
            };
            select.query_map([job], row)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.wrong(error))
    }

    /// The last run of `job` that compared everything and found or left every target in step.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn last_full(&self, job: &str) -> Result<Option<RunRecord>, HistoryError> {
        let filter = "job = ?1 AND whole = 1 AND verdict IN ('in_step', 'changed') ORDER BY id DESC LIMIT 1";
        Ok(self.job_records(filter, params![job])?.pop())
    }

    /// Holds `job` back from `since` on, until [`History::resume_job`]; the first word counts.
    ///
    /// # Errors
    /// What stopped the write.
    pub fn pause_job(&self, job: &str, since: Timestamp) -> Result<(), HistoryError> {
        let insert = "INSERT INTO job_pause (job, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection.execute(insert, params![job, since.as_nanos()]).map_err(|error| self.wrong(error))?;
        Ok(())
    }

    /// Lets `job` run again; whether it was held back.
    ///
    /// # Errors
    /// What stopped the write.
    pub fn resume_job(&self, job: &str) -> Result<bool, HistoryError> {
        let delete = "DELETE FROM job_pause WHERE job = ?1";
        Ok(self.connection.execute(delete, [job]).map_err(|error| self.wrong(error))? > 0)
    }

    /// The jobs that are held back, and since when.
    ///
    /// # Errors
    /// What stopped the read.
    pub fn paused_jobs(&self) -> Result<BTreeMap<String, Timestamp>, HistoryError> {
        let read = || {
            let mut select = self.connection.prepare("SELECT job, since FROM job_pause")?;
            let row = |row: &Row<'_>| Ok((row.get(0)?, Timestamp::from_nanos(row.get(1)?)));
            select.query_map([], row)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.wrong(error))
    }

    fn job_records(&self, filter: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<RunRecord>, HistoryError> {
        let read = || {
            let columns = "id, job, cause, began, ended, verdict, failure, tip, whole, log";
            let mut select = self.connection.prepare(&format!("SELECT {columns} FROM job_run WHERE {filter}"))?;
            let mut records = select.query_map(values, record)?.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut select = self.connection.prepare(
                "SELECT place, verdict, written, bytes, deleted, failure, currency, amount, objects, stored FROM job_target \
                 WHERE run = ?1 ORDER BY at",
            )?;
            for record in &mut records {
                record.targets = select.query_map([record.id.0], target)?.collect::<rusqlite::Result<_>>()?;
            }
            Ok(records)
        };
        read().map_err(|error| self.wrong(error))
    }

    fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, HistoryError> {
        let path = self.path.clone();
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let done = begun.and_then(|transaction| {
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        done.map_err(|error| HistoryError { path, source: error.into() })
    }
}

fn bury(transaction: &Transaction<'_>, job: &str, now: Timestamp) -> rusqlite::Result<usize> {
    let update = "UPDATE job_run SET ended = ?2, verdict = ?3 WHERE job = ?1 AND ended IS NULL";
    transaction.execute(update, params![job, now.as_nanos(), Verdict::Killed.name()])
}

/// A run without its targets.
fn record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: JobRunId(row.get(0)?),
        job: row.get(1)?,
        trigger: word(row, 2, Trigger::named)?,
        began: Timestamp::from_nanos(row.get(3)?),
        ended: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_nanos),
        verdict: word(row, 5, Verdict::named)?,
        failure: value(row, 6)?,
        tip: row.get(7)?,
        full: row.get(8)?,
        log: row.get::<_, Option<String>>(9)?.map(Into::into),
        targets: Vec::new(),
    })
}

fn target(row: &Row<'_>) -> rusqlite::Result<TargetRecord> {
    let currency: Option<String> = row.get(6)?;
    let amount: Option<String> = row.get(7)?;
    Ok(TargetRecord {
        place: row.get(0)?,
        verdict: word(row, 1, Verdict::named)?,
        written: count(row, 2)?,
        bytes: count(row, 3)?,
        deleted: count(row, 4)?,
        failure: value(row, 5)?,
        cost: currency.zip(amount).map(|(currency, amount)| Cost { currency, amount }),
        holds: holdings(row, 8)?,
    })
}

/// What lies at a target, in the column `at` and the next one.
fn holdings(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Holdings>> {
    let known = row.get::<_, Option<i64>>(at)?.is_some();
    Ok(if known { Some(Holdings { objects: count(row, at)?, bytes: count(row, at + 1)? }) } else { None })
}

fn word<T>(row: &Row<'_>, column: usize, named: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    let unknown = || format!("nobody knows the word '{word}'").into();
    named(&word).ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown()))
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("its keys are texts, and nothing of it can fail")
}

fn value<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
    };
    text.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use sterna_backends::ErrorKind;

    use super::{super::record::Failure, *};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn a_run_is_read_as_it_was_written_and_a_killed_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let mut history = History::open(&path).unwrap();
        let killed = history.begin_job("ports", Trigger::Schedule, at(10), None).unwrap();
        let other = history.begin_job("images", Trigger::Hand, at(11), None).unwrap();
        let log = Path::new("/var/log/ports/2.jsonl");
        let id = history.begin_job("ports", Trigger::CatchUp, at(20), Some(log)).unwrap();
        let found = history.job_run(killed).unwrap().unwrap();
        assert_eq!((found.verdict, found.ended), (Verdict::Killed, Some(at(20))));
        assert_eq!(history.job_run(other).unwrap().unwrap().verdict, Verdict::Running, "another job's is left alone");

        let failure = Failure { kind: ErrorKind::Denied, message: "no".to_owned(), advice: Some("ask".to_owned()) };
        let good = TargetRecord {
            written: 3,
            bytes: 7,
            deleted: 1,
            holds: Some(Holdings { objects: 9, bytes: 21 }),
            cost: Some(Cost { currency: "USD".to_owned(), amount: "0.00001".to_owned() }),
            ..TargetRecord::nothing("b2:a", Verdict::Changed)
        };
        let bad = TargetRecord { failure: Some(failure), ..TargetRecord::nothing("wasabi:a", Verdict::Failed) };
        let targets = vec![good, bad];
        let record = RunRecord {
            job: "ports".to_owned(),
            id,
            began: at(20),
            ended: Some(at(25)),
            trigger: Trigger::CatchUp,
            verdict: RunRecord::worst(&targets),
            failure: None,
            targets,
            tip: Some("sha256:00".to_owned()),
            full: true,
            log: Some(log.to_owned()),
        };
        history.end_job(&record).unwrap();
        let history = History::open(&path).unwrap();
        assert_eq!(history.job_run(id).unwrap(), Some(record.clone()));
        assert_eq!(history.job_runs(Some("ports"), 1).unwrap(), std::slice::from_ref(&record));
        assert_eq!(history.job_runs_since(None, at(11)).unwrap().len(), 2);
        assert_eq!(
            history.last_in_step("ports").unwrap(),
            BTreeMap::from([(
                "b2:a".to_owned(),
                InStep { at: at(20), holds: Some(Holdings { objects: 9, bytes: 21 }) }
            )])
        );
        assert_eq!(history.last_full("ports").unwrap(), None, "one target failed");
    }

    #[test]
    fn a_job_is_paused_once() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(&folder.path().join("history.db")).unwrap();
        history.pause_job("ports", at(1)).unwrap();
        history.pause_job("ports", at(2)).unwrap();
        assert_eq!(history.paused_jobs().unwrap(), BTreeMap::from([("ports".to_owned(), at(1))]));
        assert!(history.resume_job("ports").unwrap());
        assert!(!history.resume_job("ports").unwrap());
    }
}
