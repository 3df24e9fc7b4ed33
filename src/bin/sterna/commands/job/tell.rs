//! Who is told of a run, and of the age of targets. Whatever comes of that is complained about and changes nothing else.

use std::time::Duration;

use sterna::{
    backends::Timestamp,
    history::{History, HistoryError},
    jobs::{
        JobStatus, RunRecord, Saved,
        notify::{self, Aging, Recipient, Told, Undelivered},
    },
};

use super::show;
use crate::{config::Config, exit::Failure, ui};

/// What there is to tell of a run that has ended, found out while the history is at hand.
pub struct Ended {
    runs: Vec<RunRecord>,
    aged: Option<(JobStatus, Aging)>,
}

/// Who is told of `job`; who cannot be is complained about.
pub fn recipients(config: &Config, job: &Saved) -> Vec<Recipient> {
    let (recipients, lost) = config.recipients(job);
    lost.iter().for_each(|lost| ui::complain(lost));
    recipients
}

/// That a run begins.
pub async fn begun(job: &Saved, recipients: &[Recipient]) {
    complain(job, notify::begun(recipients).await);
}

/// What there is to tell of `run`, the last one of `job`. What it says of the age of targets nobody else tells any more.
pub fn found(job: &Saved, recipients: &[Recipient], history: &History, run: &RunRecord) -> Ended {
    let aged = || {
        let status = show::state(history, job)?;
        let aging = noted(job, &status, history)?;
        Ok::<_, Failure>((status, aging))
    };
    let aged = aged().map_err(|failure| ui::complain(&failure.message)).ok();
    Ended { runs: since(recipients, history, run), aged }
}

/// That a run has ended.
pub async fn ended(job: &Saved, recipients: &[Recipient], ended: &Ended) {
    let told = |recipient| {
        let told = Told::of(recipient, &job.source, &ended.runs);
        match &ended.aged {
            Some((status, aging)) => told.and(recipient, aging, status),
            None => told,
        }
    };
    let told: Vec<_> = recipients.iter().map(told).collect();
    complain(job, notify::deliver(recipients, &told).await);
}

/// What the age of the targets is, though no run has ended.
///
/// # Errors
/// What stopped the history.
pub async fn aged(config: &Config, job: &Saved, status: &JobStatus, history: History) -> Result<(), Failure> {
    let aging = noted(job, status, &history)?;
    drop(history);
    if Config::interests(job).iter().all(|interest| aging.told(interest).is_empty()) {
        return Ok(());
    }
    // Only now: whoever keeps a secret may be asked for it.
    let recipients = recipients(config, job);
    let told: Vec<_> = recipients.iter().map(|recipient| Told::default().and(recipient, &aging, status)).collect();
    complain(job, notify::deliver(&recipients, &told).await);
    Ok(())
}

fn noted(job: &Saved, status: &JobStatus, history: &History) -> Result<Aging, HistoryError> {
    let mut aging = Aging::of(history, status, Timestamp::now())?;
    aging.note(history, &Config::interests(job))?;
    Ok(aging)
}

/// The runs from which it follows what of `run`, the last of them, was told before, in the order in which they ended.
fn since(recipients: &[Recipient], history: &History, run: &RunRecord) -> Vec<RunRecord> {
    let Some(reach) = recipients.iter().map(|recipient| recipient.interest.quiet).max() else { return Vec::new() };
    // Twice as far, since what was told at the near end hangs on what was told before it.
    let runs = history.job_runs_since(Some(&run.job), before(run.began, reach.saturating_mul(2)));
    let mut runs = runs.unwrap_or_else(|error| {
        ui::complain(&error.to_string());
        vec![run.clone()]
    });
    runs.reverse();
    runs
}

fn before(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
}

fn complain(job: &Saved, undelivered: Vec<Undelivered>) {
    undelivered.iter().for_each(|one| ui::complain(&format!("job.{}: {one}", job.name)));
}
