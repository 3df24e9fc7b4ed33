//! What is to be made of which places.

use std::{sync::Arc, time::Duration};

use sterna_backends::{Store, VersionScope};

use super::{exempt::Exempt, round::Round};
use crate::{
    compare::Policy,
    event::Observers,
    index::{Index, Shelves},
    list::{Grace, Listing, Scope},
    plan::{Groups, Header, Intent, MaxDelete, MetadataRules, Target, Totals, losses},
    spending::Spending,
    transfer::{self, Forecast, Records, Settings, Stop, Work},
};

/// What is to be made of which places.
#[derive(Clone)]
pub struct Job {
    /// Copy, sync or move.
    pub intent: Intent,
    /// Where the objects come from.
    pub source: Arc<dyn Store>,
    /// Where they go.
    pub targets: Vec<transfer::Target>,
    /// Added to the key of what goes to a backup place.
    pub suffix: String,
    /// What of them.
    pub scope: Scope,
    /// How objects are compared.
    pub policy: Policy,
    /// Where the source has not the last word.
    pub exempt: Arc<Exempt>,
    /// In which order objects become visible, and in the opposite one go.
    pub groups: Groups,
    /// How many deletes are allowed.
    pub max_delete: MaxDelete,
    /// How long what the source no longer has stays at the destinations; `None`: it goes at once.
    pub grace: Option<Grace>,
    /// Metadata by rule.
    pub rules: MetadataRules,
    /// Pairs that are looked at together where a comparison needs more than the listings tell.
    pub checkers: usize,
    /// What is known from earlier runs, and for later ones.
    pub index: Option<Index>,
    /// Of several destinations, how long the others wait in all for one that tells more slowly what it holds, beyond what the
    /// source and the fastest of them take; it is made after them then, by itself. `None`: as long as it takes. A plan that
    /// is only made, or is complete before it is carried out, waits for all; so does a move, for which nothing is done
    /// before it is known everywhere.
    pub patience: Option<Duration>,
    /// Copy what already lies at a destination under another key; takes an index.
    pub reuse: bool,
    /// Who wants to know.
    pub observer: Observers,
}

impl Job {
    /// What is known of its places, the source first.
    pub(super) fn shelves(&self) -> Shelves {
        Shelves::of(
            self.index.as_ref(),
            [&self.source].into_iter().chain(self.targets.iter().map(|target| &target.store)),
        )
    }

    /// What carrying it out takes.
    pub(super) fn work(&self, settings: Settings, records: Records, stop: Stop) -> Work {
        Work {
            source: Arc::clone(&self.source),
            targets: self.targets.clone(),
            settings,
            policy: self.policy,
            records,
            ordered: self.groups.is_ordered(),
            shelves: self.shelves(),
            observer: Arc::clone(&self.observer),
            stop,
        }
    }

    /// Counts what carrying out the plan will send, item by item.
    #[must_use]
    pub fn forecast(&self, settings: Settings, records: &Records) -> Forecast {
        Forecast::new(Arc::clone(&self.source), self.targets.clone(), settings, records.are_kept())
    }

    /// The first line of the plan; its totals are still to come. `names` are the places as the user wrote them.
    #[must_use]
    pub fn header(&self, source: String, destinations: Vec<String>, backup_dir: Option<String>) -> Header {
        let source_can = self.source.capabilities();
        let lost = |target: &transfer::Target| losses(source_can, target.store.capabilities());
        let mut losses: Vec<String> = self.targets.iter().flat_map(lost).collect();
        losses.sort();
        losses.dedup();
        Header {
            sterna_plan: crate::plan::VERSION,
            intent: self.intent,
            source,
            earlier: self.scope.versions != VersionScope::Latest,
            destinations,
            backup_dir,
            groups: if self.groups.is_ordered() { self.groups.names() } else { Vec::new() },
            policy: self.policy,
            losses,
            totals: self.targets.iter().map(|_| Totals::default()).collect(),
        }
    }
}

/// The job over the same places, each call counted.
pub(super) fn metered(mut job: Job) -> (Job, Spending) {
    let mut spending = Spending::default();
    job.source = spending.meter(&job.source);
    for target in &mut job.targets {
        target.store = spending.meter(&target.store);
        target.searched = target.searched.iter().map(|searched| spending.beside(searched)).collect();
    }
    (job, spending)
}

pub(super) fn facts(job: &Job, target: &transfer::Target) -> Target {
    let mut facts = Target::new(job.source.capabilities(), target.store.capabilities());
    facts.backup = target.backup.is_some();
    facts.suffix.clone_from(&job.suffix);
    facts
}

pub(super) fn listings(job: &Job, round: &Round) -> Vec<Listing> {
    let source = Listing::open(&job.source, &job.scope, 0, Arc::clone(&job.observer)).by_key();
    let targets = job.targets.iter().enumerate().map(|(at, target)| {
        if !round.takes(at + 1) {
            return Listing::nothing(at + 1);
        }
        let scope = Scope { filter: Arc::clone(&job.scope.filter), ..Scope::default() };
        // What is not there yet will be made.
        Listing::open(&target.store, &scope, at + 1, Arc::clone(&job.observer)).by_key().missing_is_empty()
    });
    [source].into_iter().chain(targets).collect()
}
