//! A run that need not look at everything: the source's index is the one of the last full run, and every target has it.

use std::time::Duration;

use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sterna::{
    backends::{Digest, ErrorKind, Key, ReadRequest, Result, Store, Timestamp},
    history::{History, HistoryError},
    jobs::{RunRecord, Saved},
};

/// Bytes of an index; a larger one is none.
const LARGEST: usize = 1 << 20;

/// How long an index that stays the same is believed where the job does not say: a day.
const FULL_EVERY: Duration = Duration::from_secs(24 * 3600);

/// After how long everything is looked at although the index is the same.
pub fn every(job: &Saved) -> Duration {
    job.full_every.unwrap_or(FULL_EVERY)
}

/// The object whose content stands for all that `job` mirrors; `None` where its profile knows none.
pub fn key(job: &Saved) -> Option<Key> {
    let name = match job.profile.as_deref()? {
        // The digest of the index that names every package by its own.
        "haiku-repo" => "repo.sha256",
        // It names the other files of `repodata/` by their digests, and those every package.
        "rpm" => "repodata/repomd.xml",
        _ => return None,
    };
    Key::new(name).ok()
}

/// What stands there; `None` where there is nothing, or more than an index has.
pub async fn read(store: &dyn Store, key: &Key) -> Result<Option<Vec<u8>>> {
    let mut chunks = match store.read(key, ReadRequest::default()).await {
        Ok(reader) => reader.body.chunks(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NoSuchContainer) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// The tip of a source: what its index holds, and how the job is configured; with either another it is another.
pub fn of(job: &Saved, index: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{job:?}\0"));
    digest.update(index);
    format!("sha256:{}", Digest::Sha256(digest.finalize().into()).hex())
}

/// The tip that the targets are in step with, by the last run; `None` where it is time for a full one.
pub fn known(history: &History, job: &Saved, now: Timestamp) -> Result<Option<String>, HistoryError> {
    // The first is the run under way.
    let runs = history.job_runs(Some(&job.name), 2)?;
    let last = runs.get(1).filter(|run| run.verdict.is_success());
    let full = history.last_full(&job.name)?;
    let every = every(job);
    let recent = |run: &RunRecord| {
        let age = u64::try_from(now.seconds().saturating_sub(run.began.seconds())).unwrap_or(u64::MAX);
        age < every.as_secs()
    };
    let recent = full.as_ref().is_some_and(recent);
    Ok(last.filter(|_| recent).and_then(|run| run.tip.clone()))
}
