//! The JSON interface, `/api/v1`. Its shapes are documented in `docs/jobs.md`.

use serde::Serialize;
use sterna_backends::Timestamp;

use crate::jobs::{JobStatus, RunRecord, daemon::Snapshot};

/// `/api/v1/jobs`.
#[derive(Serialize)]
pub(super) struct Everything<'a> {
    /// The version of sterna.
    pub version: &'a str,
    /// When this was said.
    pub now: Timestamp,
    /// Whether the daemon is about to end.
    pub draining: bool,
    /// The configuration that was not taken.
    pub refused: Option<Refused<'a>>,
    /// Every job.
    pub jobs: &'a [JobStatus],
}

/// A configuration that was not taken.
#[derive(Serialize)]
pub(super) struct Refused<'a> {
    at: Timestamp,
    why: &'a str,
}

impl<'a> Everything<'a> {
    pub(super) fn of(version: &'a str, now: Timestamp, snapshot: &'a Snapshot, jobs: &'a [JobStatus]) -> Self {
        let refused = snapshot.refused.as_ref().map(|refused| Refused { at: refused.at, why: &refused.why });
        Self { version, now, draining: snapshot.draining, refused, jobs }
    }
}

/// `/api/v1/jobs/NAME/runs`.
#[derive(Serialize)]
pub(super) struct Runs<'a> {
    /// The latest first.
    pub runs: &'a [RunRecord],
}
