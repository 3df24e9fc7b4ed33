//! Who carries out a job.

use async_trait::async_trait;

use super::{JobStatus, RunRecord, Saved, Trigger};
use crate::{event::Observers, transfer::Stop};

/// Carries out saved jobs, one run a call. One run of a job is made at a time: a second one ends at once as
/// [`HeldElsewhere`](super::Verdict::HeldElsewhere), whichever process or machine has the first.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs `job` to its end and gives what came of it, which is in the history by then. What the run does goes to
    /// `observer` beside its log. After `stop` what was begun is finished and nothing new is taken up; a run whose future
    /// is dropped is told as killed by the next one, and loses nothing else.
    ///
    /// It does not ask whether the job is paused or due: who calls it decides that.
    async fn run(&self, job: &Saved, trigger: Trigger, observer: Observers, stop: Stop) -> RunRecord;

    /// Looks whether targets of the job that stands as `status` says have not been in step for too long, or are in step again, and tells
    /// who wants to hear it; what was told already it tells again after a while only. To be called now and then, since a
    /// job that no longer runs, or hangs, has no run that could tell it.
    async fn watch(&self, job: &Saved, status: &JobStatus);
}
