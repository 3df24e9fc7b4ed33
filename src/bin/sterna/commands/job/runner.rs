//! The [`Runner`] of this program: one run of a job, from its lock to its record.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use sterna::{
    backends::{ErrorKind, Timestamp},
    event::Observers,
    history::History,
    jobs::{Failure as Trouble, JobRunId, JobStatus, RunRecord, Runner, Saved, TargetRecord, Trigger, Verdict},
    lease::machine::MachineLock,
    transfer::{Stop, StopReason},
};

use super::{
    carry::{self, Carried},
    log::Log,
    tell,
};
use crate::{
    args::GlobalArgs,
    commands::Several,
    config::Config,
    exit::{Exit, Failure},
    limits::Limits,
    settings, ui,
};

/// Runs jobs by a configuration that was read once, with the settings of the command line.
pub struct ByConfig {
    config: Arc<Config>,
    global: GlobalArgs,
    limits: Limits,
}

/// A run that ended, and what the command exits with.
pub struct Ended {
    pub record: RunRecord,
    pub exit: Exit,
}

#[async_trait]
impl Runner for ByConfig {
    async fn run(&self, job: &Saved, trigger: Trigger, observer: Observers, stop: Stop) -> RunRecord {
        self.ended(job, trigger, observer, stop, false).await.record
    }

    async fn watch(&self, job: &Saved, status: &JobStatus) {
        if Config::interests(job).iter().all(|interest| interest.stale_after.is_none()) {
            return;
        }
        let told = match settings::history(&self.global) {
            Ok(Some(history)) => tell::aged(&self.config, job, status, history).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        told.unwrap_or_else(|failure| ui::complain(&failure.message));
    }
}

impl ByConfig {
    /// Its runs together stay within `limits`.
    pub fn new(config: Arc<Config>, global: GlobalArgs, limits: Limits) -> Self {
        Self { config, global, limits }
    }

    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The settings of the command line, those of the job over them.
    pub fn settings(&self, job: &Saved) -> GlobalArgs {
        GlobalArgs { transfers: job.limits.transfers.or(self.global.transfers), ..self.global.clone() }
    }

    /// The limits of a run of `job`: those of all runs, and its own.
    pub fn limits(&self, job: &Saved) -> Result<Limits, Failure> {
        match &job.limits.bandwidth {
            Some(bandwidth) => self.limits.clone().slower(&format!("bandwidth of job '{}':", job.name), bandwidth),
            None => Ok(self.limits.clone()),
        }
    }

    /// [`Runner::run`], with what the command exits with. With `over_budget` it begins although a budget is spent.
    pub async fn ended(
        &self,
        job: &Saved,
        trigger: Trigger,
        observer: Observers,
        stop: Stop,
        over_budget: bool,
    ) -> Ended {
        let mut begun = match self.begin(job, record(job, trigger, Verdict::Running)) {
            Ok(Some(begun)) => begun,
            Ok(None) => {
                let why = held("another process of this machine runs it already");
                return not_begun(record(job, trigger, Verdict::HeldElsewhere), why, Exit::Temporary);
            }
            Err(failure) => {
                return not_begun(record(job, trigger, Verdict::Failed), trouble(&failure), failure.exit);
            }
        };
        let global = self.settings(job);
        let observer: Observers = match &begun.log {
            Some(log) => Arc::new(Several(vec![Arc::clone(log) as Observers, observer])),
            None => observer,
        };
        let recipients = tell::recipients(&self.config, job);
        tell::begun(job, &recipients).await;
        let carried = match self.limits(job) {
            Ok(limits) => {
                let place = carry::Place { config: &self.config, limits: &limits, global: &global, jobs: &begun.jobs };
                carry::run(place, job, &mut begun.history, (observer, stop), over_budget).await
            }
            Err(failure) => Err(failure),
        };
        let exit = begun.record.take(carried);
        begun.end();
        let found = tell::found(job, &recipients, &begun.history, &begun.record);
        tell::ended(job, &recipients, &found).await;
        Ended { record: begun.record, exit }
    }

    /// Takes the lock of this machine and writes down that the run begins; `None` where another process has the lock.
    fn begin(&self, job: &Saved, mut record: RunRecord) -> Result<Option<Begun>, Failure> {
        let jobs = settings::jobs()?;
        let Some(lock) = MachineLock::take(&lock(&jobs, &job.name))? else { return Ok(None) };
        let history = settings::history(&self.global)?;
        let mut history = history
            .ok_or_else(|| Failure::usage("a job needs the history to know what came of it; leave out --no-history"))?;
        let log = match Log::create(&jobs.join(&job.name), record.began) {
            Ok((log, path)) => {
                record.log = Some(path);
                Some(Arc::new(log))
            }
            Err(error) => {
                ui::complain(&format!("{}: no log is written: {error}", job.name));
                None
            }
        };
        let id = history.begin_job(&job.name, record.trigger, record.began, record.log.as_deref());
        record.id = id?;
        Ok(Some(Begun { _lock: lock, jobs, history, log, record }))
    }
}

/// The record of a run of `job` that begins now.
fn record(job: &Saved, trigger: Trigger, verdict: Verdict) -> RunRecord {
    RunRecord {
        job: job.name.clone(),
        id: JobRunId(0),
        began: Timestamp::now(),
        ended: None,
        trigger,
        verdict,
        failure: None,
        targets: job.targets.iter().map(|place| TargetRecord::nothing(place, verdict)).collect(),
        tip: None,
        full: false,
        log: None,
    }
}

/// A run that ended before it was written down.
fn not_begun(record: RunRecord, why: Trouble, exit: Exit) -> Ended {
    let record = RunRecord { ended: Some(Timestamp::now()), failure: Some(why), ..record };
    Ended { record, exit }
}

/// The file whose lock says that a job is at work on this machine.
pub fn lock(jobs: &std::path::Path, job: &str) -> PathBuf {
    jobs.join(format!("{job}.lock"))
}

/// A run under way.
struct Begun {
    _lock: MachineLock,
    jobs: PathBuf,
    history: History,
    log: Option<Arc<Log>>,
    record: RunRecord,
}

impl Begun {
    fn end(&mut self) {
        self.record.ended = Some(Timestamp::now());
        if let Some(log) = &self.log {
            log.end(&self.record);
        }
        if let Err(error) = self.history.end_job(&self.record) {
            ui::complain(&error.to_string());
        }
    }
}

/// What a run is to be recorded as.
trait Take {
    fn take(&mut self, carried: Result<Carried, Failure>) -> Exit;
}

impl Take for RunRecord {
    fn take(&mut self, carried: Result<Carried, Failure>) -> Exit {
        match carried {
            Ok(Carried { targets, failure, tip, full, exit }) => {
                self.verdict = Self::worst(&targets);
                (self.targets, self.failure, self.tip, self.full) = (targets, failure, tip, full);
                exit
            }
            Err(failure) => {
                let verdict = if failure.exit == Exit::OverBudget { Verdict::Skipped } else { Verdict::Failed };
                self.verdict = verdict;
                self.targets.iter_mut().for_each(|target| target.verdict = verdict);
                self.failure = Some(trouble(&failure));
                failure.exit
            }
        }
    }
}

/// That somebody else is at work.
pub(super) fn held(why: impl Into<String>) -> Trouble {
    Trouble::new(ErrorKind::Exists, why).advise("nothing: the run that is under way does the work")
}

/// What the history keeps of a failure.
pub(super) fn trouble(failure: &Failure) -> Trouble {
    let trouble = Trouble::new(failure.kind, failure.message.as_str());
    match failure.exit {
        Exit::OverBudget => {
            trouble.advise("wait for the next month, raise the budget, or begin it by 'job run --over-budget'")
        }
        _ => trouble,
    }
}

/// Ends a run cleanly when somebody interrupts; at once when he does it again. Never comes back before the second time.
pub(super) async fn interrupts(stop: &Stop) {
    ui::interrupted().await;
    ui::complain("interrupted; what was begun is finished (again: at once), the next run goes on from here");
    stop.stop(StopReason::Asked);
    ui::interrupted().await;
}
