//! What a run has done so far, for bars, JSON lines and the last word.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde::Serialize;
use sterna_backends::Key;

use crate::event::{Deed, Event, Observer};

/// The present state of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Objects listed, all places together.
    pub listed: u64,
    /// What listings passed over.
    pub skipped: u64,
    /// Of these, what may be files and has a name that no key can be.
    pub nameless: u64,
    /// Objects with something to do.
    pub planned: u64,
    /// Their bytes.
    pub planned_bytes: u64,
    /// Whether `planned` is final.
    pub plan_ended: bool,
    /// Objects done, by deed.
    pub transferred: u64,
    /// Copied inside the endpoint.
    pub copied: u64,
    /// Times set.
    pub touched: u64,
    /// Deleted or moved aside at the destination.
    pub deleted: u64,
    /// Deleted at the source.
    pub source_deleted: u64,
    /// Read for their digests.
    pub read: u64,
    /// Bytes of finished objects.
    pub bytes_done: u64,
    /// Bytes that have passed, those of unfinished objects included; what is sent twice counts twice.
    pub bytes_passed: u64,
    /// Bytes that did not have to be sent again.
    pub bytes_resumed: u64,
    /// Matches by size alone.
    pub unproven: u64,
    /// Failures.
    pub failed: u64,
    /// Objects under way.
    #[serde(skip)]
    pub under: BTreeMap<(usize, Key), Under>,
}

/// An object under way.
#[derive(Clone, Copy, Debug)]
pub struct Under {
    /// Its bytes.
    pub size: u64,
    /// Those that have passed.
    pub passed: u64,
    /// Since when.
    pub since: Instant,
}

impl Tally {
    fn start(&mut self, object: (usize, Key), size: u64) {
        self.under.insert(object, Under { size, passed: 0, since: Instant::now() });
    }
}

/// A fold over the events of a run.
#[derive(Debug, Default)]
pub struct Summary(Mutex<Tally>);

impl Summary {
    /// The present state.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        // Counts stay counts even where a thread that held them panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Summary {
    fn on(&self, event: &Event) {
        let mut tally = self.lock();
        match event {
            Event::Listed { objects, .. } => tally.listed += objects,
            Event::Skipped { nameless, .. } => {
                tally.skipped += 1;
                tally.nameless += u64::from(*nameless);
            }
            Event::Planned { bytes, .. } => {
                tally.planned += 1;
                tally.planned_bytes += bytes;
            }
            Event::PlanEnded => tally.plan_ended = true,
            Event::Unproven { .. } => tally.unproven += 1,
            Event::Started { place, key, bytes, .. } => {
                tally.start((*place, key.clone()), *bytes);
            }
            Event::Reading { key, bytes } => {
                tally.planned += 1;
                tally.planned_bytes += bytes;
                tally.start((0, key.clone()), *bytes);
            }
            Event::Read { key, bytes } => {
                tally.under.remove(&(0, key.clone()));
                tally.bytes_passed += bytes;
                tally.bytes_done += bytes;
                tally.read += 1;
            }
            Event::Lost { .. } => tally.failed += 1,
            Event::Unread { key, .. } => {
                tally.under.remove(&(0, key.clone()));
                tally.failed += 1;
            }
            Event::Bytes { place, key, bytes } => {
                tally.bytes_passed += bytes;
                if let Some(under) = tally.under.get_mut(&(*place, key.clone())) {
                    under.passed += bytes;
                }
            }
            Event::Finished { place, key, deed, bytes, gone: _ } => {
                tally.under.remove(&(*place, key.clone()));
                tally.bytes_done += bytes;
                let count = match deed {
                    Deed::Transfer => &mut tally.transferred,
                    Deed::Copy => &mut tally.copied,
                    Deed::Touch => &mut tally.touched,
                    Deed::Delete | Deed::Backup => &mut tally.deleted,
                    Deed::DeleteSource => &mut tally.source_deleted,
                };
                *count += 1;
            }
            Event::Failed { place, key, .. } => {
                tally.under.remove(&(*place, key.clone()));
                tally.failed += 1;
            }
            Event::Resumed { bytes, .. } => tally.bytes_resumed += bytes,
            Event::DeletesBlocked { .. }
            | Event::LeftBehind { .. }
            | Event::GroupsHeld { .. }
            | Event::Republished
            | Event::Waiting { .. } => {}
        }
    }
}
