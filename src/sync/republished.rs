//! Whether the source was published anew while it was mirrored.

use std::sync::{Arc, Mutex, PoisonError};

use sterna_backends::Result;

use super::{job::Job, river::Summary};
use crate::{
    event::{Event, Silent},
    list::{Generation, Listing},
};

/// What the source told of its later groups before anything else of it was listed.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstLook(Arc<Mutex<Option<Generation>>>);

impl FirstLook {
    pub(super) fn get(&self) -> Option<Generation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, generation: Option<Generation>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = generation;
    }
}

/// Whether what did not come about may come about from the source as it is now: it has other indexes than at the beginning.
pub(super) async fn is_republished(job: &Job, summary: &Summary, first: Option<Generation>) -> bool {
    if summary.outcome.stopped.is_some() || first.is_none() {
        return false;
    }
    if summary.totals.iter().any(|totals| totals.withheld.is_some()) {
        return true;
    }
    let failed = summary.outcome.targets.iter().any(|target| target.failed > 0);
    // Where it cannot be looked at, the failures stand for themselves.
    let changed = failed && later_groups(job).await.is_ok_and(|now| now != first);
    if changed {
        job.observer.on(&Event::Republished);
    }
    changed
}

/// What the source tells of the objects that are published after others; `None` where none are.
pub(super) async fn later_groups(job: &Job) -> Result<Option<Generation>> {
    if !job.groups.is_ordered() {
        return Ok(None);
    }
    let mut generation = Generation::default();
    let mut listing = Listing::open(&job.source, &job.scope, 0, Arc::new(Silent)).by_key();
    while let Some(entry) = listing.next().await? {
        let is_mirrored = job.scope.filter.admits(&entry) && job.exempt.hears(&entry.key);
        if is_mirrored && job.groups.of(&entry.key) > 0 {
            generation.add(&entry);
        }
    }
    Ok(Some(generation))
}
