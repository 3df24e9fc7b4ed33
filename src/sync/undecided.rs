//! What a plan cannot say before all listings have ended.

use sterna_backends::Result;

use super::job::Job;
use crate::{
    list::{Absences, Generation, Spool},
    plan::{Action, Census, Intent, Item},
    transfer,
};

/// Bytes of planned deletes that are kept off the disk.
pub(super) const DELETES_IN_MEMORY: usize = 4 * 1024 * 1024;

/// Bytes of one later group that are kept off the disk.
const GROUP_IN_MEMORY: usize = 1024 * 1024;

/// What is decided and not yet planned.
pub(super) struct Undecided {
    /// The later groups, each with what follows key by key.
    pub(super) groups: Vec<Spool<Vec<Item>>>,
    /// Deletes, by destination and group.
    pub(super) extras: Vec<Vec<Spool<Action>>>,
    pub(super) census: Vec<Census>,
    pub(super) absences: Vec<Option<Absences>>,
    /// What the listing told of the later groups of the source.
    pub(super) seen: Generation,
}

impl Undecided {
    pub(super) fn new(job: &Job) -> Result<Self> {
        let spools = || (0..job.groups.count()).map(|_| Spool::new(DELETES_IN_MEMORY)).collect();
        let absences = |target: &transfer::Target| {
            let grace = job.grace.as_ref().filter(|_| job.intent == Intent::Sync);
            grace.map(|grace| Absences::open(grace, &*job.source, &*target.store)).transpose()
        };
        Ok(Self {
            groups: (1..job.groups.count()).map(|_| Spool::new(GROUP_IN_MEMORY)).collect(),
            extras: job.targets.iter().map(|_| spools()).collect(),
            census: vec![Census { source: 0, target: 0, extra: 0 }; job.targets.len()],
            absences: job.targets.iter().map(absences).collect::<Result<_>>()?,
            seen: Generation::default(),
        })
    }

    /// What of `items`, those of one key, may be planned now; the rest is set aside.
    pub(super) fn set_aside(&mut self, items: Vec<Item>) -> Result<Vec<Item>> {
        match items.first().map_or(0, Item::group) {
            0 => Ok(items),
            group => {
                self.groups[group - 1].push(&items)?;
                Ok(Vec::new())
            }
        }
    }
}
