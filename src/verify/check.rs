//! `check`: what differs between a source and its copies, with which evidence.

use std::sync::Arc;

use futures::StreamExt;
use serde::Serialize;
use sterna_backends::{Algorithm, Entry, Error, Key, Result, Store};

use crate::{
    compare::{Evidence, Policy, Reason, Verdict},
    event::{Event, Observers},
    index::{self, Index, Known, Shelves, settle},
    list::{Listing, Merge, Merged, Row, Scope},
};

/// How places are checked.
#[derive(Clone)]
pub struct CheckSettings {
    /// What of them.
    pub scope: Scope,
    /// How they are compared.
    pub policy: Policy,
    /// Read every object on both sides.
    pub download: bool,
    /// Extra objects at the destination are no difference.
    pub one_way: bool,
    /// What is known from earlier runs, and for later ones.
    pub index: Option<Index>,
    /// Pairs looked at together.
    pub checkers: usize,
}

/// What was found under one key.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The key.
    pub key: Key,
    /// Which destination, from 1.
    pub place: usize,
    /// What it is.
    #[serde(flatten)]
    pub finding: Findings,
}

/// What can be found.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Findings {
    /// The same on both sides.
    Match {
        /// On what that rests.
        evidence: Evidence,
    },
    /// Not the same.
    Differs {
        /// In what.
        reason: Reason,
    },
    /// Not at the destination.
    MissingAtDestination,
    /// Not at the source.
    MissingAtSource,
    /// Could not be compared.
    Error {
        /// Why.
        message: String,
    },
}

/// How much of each was found, for one destination.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Checked {
    /// Matches by a digest.
    pub proven: u64,
    /// Matches by size and time.
    pub likely: u64,
    /// Matches by size alone.
    pub unproven: u64,
    /// Differing objects.
    pub differing: u64,
    /// Objects that are not at the destination.
    pub missing_at_destination: u64,
    /// Objects that are not at the source.
    pub missing_at_source: u64,
    /// Objects that could not be compared.
    pub errors: u64,
}

impl Checked {
    /// Whether anything differs or could not be compared.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.differing + self.missing_at_destination + self.missing_at_source + self.errors > 0
    }

    fn add(&mut self, finding: &Findings) {
        let count = match finding {
            Findings::Match { evidence: Evidence::Proven(_) } => &mut self.proven,
            Findings::Match { evidence: Evidence::Likely } => &mut self.likely,
            Findings::Match { evidence: Evidence::Unproven } => &mut self.unproven,
            Findings::Differs { .. } => &mut self.differing,
            Findings::MissingAtDestination => &mut self.missing_at_destination,
            Findings::MissingAtSource => &mut self.missing_at_source,
            Findings::Error { .. } => &mut self.errors,
        };
        *count += 1;
    }
}

/// Compares `source` with each of `targets` and hands every finding to `tell`, in byte order of the keys.
///
/// # Errors
/// What ended one of the listings; then the counts would be worth nothing.
pub async fn check(
    source: &Arc<dyn Store>,
    targets: &[Arc<dyn Store>],
    settings: &CheckSettings,
    observer: &Observers,
    mut tell: impl FnMut(Finding),
) -> Result<Vec<Checked>> {
    let listings = [source].into_iter().chain(targets).enumerate();
    let merge = Merge::new(
        listings
            .map(|(place, store)| Listing::open(store, &settings.scope, place, Arc::clone(observer)).by_key())
            .collect(),
    );
    let shelves = Shelves::of(settings.index.as_ref(), [source].into_iter().chain(targets));
    let rows = index::rows(merge, shelves.walks(settings.scope.is_everything()));
    let shelves = &shelves;
    let compare = |told: Result<Merged>| async move {
        Ok::<_, Error>(match told?.row()? {
            Some(row) => compare_row((source, targets, shelves), settings, observer, row).await,
            None => Vec::new(),
        })
    };
    let mut findings = std::pin::pin!(rows.map(compare).buffered(settings.checkers.max(1)));
    let mut checked = vec![Checked::default(); targets.len()];
    while let Some(found) = findings.next().await {
        for finding in found? {
            checked[finding.place - 1].add(&finding.finding);
            tell(finding);
        }
    }
    Ok(checked)
}

async fn compare_row(
    (source, targets, shelves): (&Arc<dyn Store>, &[Arc<dyn Store>], &Shelves),
    settings: &CheckSettings,
    observer: &Observers,
    row: Row,
) -> Vec<Finding> {
    let mut entries = row.entries.into_iter();
    let mut mine = entries.next().flatten();
    let admits = |entry: &Entry| settings.scope.filter.admits(entry);
    let source = Known::at(0, source, shelves);
    let mut findings = Vec::new();
    if mine.as_ref().is_some_and(|mine| !admits(mine)) {
        return findings;
    }
    for (at, (theirs, target)) in entries.zip(targets).enumerate() {
        let theirs = theirs.filter(|theirs| mine.is_some() || admits(theirs));
        let finding = match (&mut mine, theirs) {
            (Some(mine), Some(theirs)) => {
                let mut asked = mine.clone();
                let pair = (source, Known::at(at + 1, target, shelves));
                let compared = compare_pair(pair, settings, observer, (&mut asked, theirs)).await;
                // What was read for one need not be read for the next; another may be cut in another way.
                let whole = asked.digests.iter().filter(|digest| index::ALL.contains(&digest.algorithm()));
                whole.for_each(|digest| mine.digests.add(*digest));
                compared.unwrap_or_else(|error| Findings::Error { message: error.to_string() })
            }
            (Some(_), None) => Findings::MissingAtDestination,
            (None, Some(_)) if !settings.one_way => Findings::MissingAtSource,
            (None, _) => continue,
        };
        findings.push(Finding { key: row.key.clone(), place: at + 1, finding });
    }
    findings
}

pub(super) async fn compare_pair(
    (source, target): (Known<'_>, Known<'_>),
    settings: &CheckSettings,
    observer: &Observers,
    (mine, mut theirs): (&mut Entry, Entry),
) -> Result<Findings> {
    if settings.download && mine.size == theirs.size {
        let (key, bytes) = (mine.key.clone(), mine.size.unwrap_or_default().saturating_mul(2));
        observer.on(&Event::Reading { key: key.clone(), bytes });
        // What the listings say is set aside: the bytes themselves are asked.
        mine.digests = sterna_backends::Digests::new();
        theirs.digests = sterna_backends::Digests::new();
        let near = index::digest(source.store, source.shelf, mine, Algorithm::Sha256);
        let far = index::digest(target.store, target.shelf, &mut theirs, Algorithm::Sha256);
        let read = futures::future::try_join(near, far).await;
        read.inspect_err(|error| {
            observer.on(&Event::Unread { key: key.clone(), kind: error.kind(), message: error.to_string() });
        })?;
        observer.on(&Event::Read { key, bytes });
    }
    let verdict = settle(&settings.policy, (source, target), (mine, &mut theirs)).await;
    Ok(match verdict.map_err(|unsettled| unsettled.error)? {
        Verdict::Same { evidence, .. } => Findings::Match { evidence },
        Verdict::Differs(reason) | Verdict::Immutable(reason) => Findings::Differs { reason },
        Verdict::Kept | Verdict::Ask(_) => Findings::Match { evidence: Evidence::Unproven },
    })
}
