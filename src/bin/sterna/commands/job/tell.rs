//! Who is told of a run. Whatever comes of that is complained about and changes nothing else.

use std::time::Duration;

use sterna::{
    backends::Timestamp,
    history::History,
    jobs::{
        RunRecord, Saved,
        notify::{self, Recipient, Undelivered},
    },
};

use crate::ui;

/// That a run begins.
pub async fn begun(job: &Saved, recipients: &[Recipient]) {
    complain(job, notify::begun(recipients).await);
}

/// The runs from which it follows what of `run`, the last of them, was told before, in the order in which they ended.
pub fn since(job: &Saved, recipients: &[Recipient], history: &History, run: &RunRecord) -> Vec<RunRecord> {
    let reach = |recipient: &Recipient| recipient.quiet.max(recipient.stale_after.unwrap_or_default());
    let Some(reach) = recipients.iter().map(reach).max() else { return Vec::new() };
    // Twice as far, since what was told at the near end hangs on what was told before it.
    let runs = history.job_runs_since(Some(&job.name), before(run.began, reach.saturating_mul(2)));
    let mut runs = runs.unwrap_or_else(|error| {
        ui::complain(&error.to_string());
        vec![run.clone()]
    });
    runs.reverse();
    runs
}

/// What came of the last of `runs`.
pub async fn ended(job: &Saved, recipients: &[Recipient], runs: &[RunRecord]) {
    complain(job, notify::deliver(recipients, &job.source, runs).await);
}

fn before(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
}

fn complain(job: &Saved, undelivered: Vec<Undelivered>) {
    undelivered.iter().for_each(|one| ui::complain(&format!("job.{}: {one}", job.name)));
}
