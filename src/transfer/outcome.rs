//! What came of a plan.

use serde::Serialize;
use sterna_backends::{Error, ErrorKind, Key};

use super::StopReason;
use crate::{
    event::Deed,
    plan::{Action, Lost},
};

/// Failures kept in full; more are only counted.
const KEPT_FAILURES: usize = 100;

/// What was done, per destination.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// In the order of the destinations.
    pub targets: Vec<TargetOutcome>,
    /// Why the run ended before the plan did.
    pub stopped: Option<StopReason>,
}

/// What was done at one destination.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TargetOutcome {
    /// Objects carried through us.
    pub transferred: u64,
    /// Their bytes.
    pub transferred_bytes: u64,
    /// Objects copied inside the endpoint.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Of those transferred and copied the ones under keys that had nothing.
    pub added: u64,
    /// Objects whose time was set.
    pub touched: u64,
    /// Objects deleted there or moved aside.
    pub deleted: u64,
    /// Objects deleted at the source.
    pub source_deleted: u64,
    /// Actions of an applied plan that were already done.
    pub already_done: u64,
    /// Actions that failed.
    pub failed: u64,
    /// Of those: actions of an applied plan whose objects are no longer as the plan saw them.
    pub drifted: u64,
    /// Deletes that were not carried out because something before them failed.
    pub deletes_held: u64,
    /// Actions of later groups that were not begun because something before them failed, or the run was stopped.
    pub groups_held: u64,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// Why the plan had nothing more for it, and no deletes: its listing broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// One action that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The object.
    pub key: Key,
    /// What was tried.
    pub deed: Deed,
    /// The kind of failure.
    pub kind: ErrorKind,
    /// Whether trying again later may help.
    pub retryable: bool,
    /// The whole error, for people.
    pub message: String,
}

impl Outcome {
    /// Adds what came of a later plan for the same places, as far as it was for those of the `round`, told from 1: what was
    /// done comes to this, and what failed takes the place of this.
    pub fn follow(&mut self, later: Self, round: impl Fn(usize) -> bool) {
        let Self { targets, stopped } = later;
        let targets = self.targets.iter_mut().zip(targets).enumerate().filter(|(at, _)| round(at + 1));
        targets.for_each(|(_, (done, later))| done.follow(later));
        self.stopped = stopped;
    }
}

impl TargetOutcome {
    /// [`Outcome::follow`]. Every count is named, so that a new one cannot be lost here.
    fn follow(&mut self, later: Self) {
        let Self {
            transferred,
            transferred_bytes,
            copied,
            copied_bytes,
            added,
            touched,
            deleted,
            source_deleted,
            already_done,
            failed,
            drifted,
            deletes_held,
            groups_held,
            failures,
            lost,
        } = later;
        self.transferred += transferred;
        self.transferred_bytes += transferred_bytes;
        self.copied += copied;
        self.copied_bytes += copied_bytes;
        self.added += added;
        self.touched += touched;
        self.deleted += deleted;
        self.source_deleted += source_deleted;
        self.already_done += already_done;
        self.failed = failed;
        self.drifted = drifted;
        self.deletes_held = deletes_held;
        self.groups_held = groups_held;
        self.failures = failures;
        self.lost = lost;
    }

    pub(super) fn fail(&mut self, key: &Key, deed: Deed, error: &Error) {
        self.failed += 1;
        if self.failures.len() < KEPT_FAILURES {
            self.failures.push(Failure {
                key: key.clone(),
                deed,
                kind: error.kind(),
                retryable: error.is_retryable(),
                message: error.to_string(),
            });
        }
    }

    /// Whether nothing has failed that deletes rest upon.
    pub(super) fn is_clean(&self) -> bool {
        self.failed == 0 && self.lost.is_none()
    }

    /// Counts what `action` has made.
    pub(super) fn made(&mut self, action: &Action) {
        let is_new = action.target.is_none() && matches!(action.deed, Deed::Transfer | Deed::Copy);
        self.added += u64::from(is_new);
        self.done(action.deed, action.bytes());
    }

    pub(super) fn done(&mut self, deed: Deed, bytes: u64) {
        match deed {
            Deed::Transfer => {
                self.transferred += 1;
                self.transferred_bytes += bytes;
            }
            Deed::Copy => {
                self.copied += 1;
                self.copied_bytes += bytes;
            }
            Deed::Touch => self.touched += 1,
            Deed::Delete | Deed::Backup => self.deleted += 1,
            Deed::DeleteSource => self.source_deleted += 1,
        }
    }
}
