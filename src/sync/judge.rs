//! A row of the merged listings -> a verdict for each destination.

use sterna_backends::Entry;

use super::job::Job;
use crate::{
    compare::{Reason, Verdict},
    index::{Known, Learnt, Shelves, Unsettled, settle},
    list::{Patience, Row},
};

/// A row with its verdicts, one a destination.
pub(super) struct Verdicts {
    pub(super) source: Option<Entry>,
    pub(super) targets: Vec<(Option<Entry>, Result<Verdict, Unsettled>)>,
}

pub(super) async fn judge_row(
    job: &Job,
    (shelves, learnt): (&Shelves, Option<&Learnt>),
    patience: &Patience,
    row: Row,
) -> Verdicts {
    let mut entries = row.entries.into_iter();
    let source = entries.next().flatten();
    let admits = |entry: &Entry| job.scope.filter.admits(entry);
    if source.as_ref().is_some_and(|source| !admits(source)) {
        // Out of the filter's bounds: neither compared nor missed.
        let targets = job.targets.iter().map(|_| (None, Ok(Verdict::Kept))).collect();
        return Verdicts { source: None, targets };
    }
    let mut source = source.filter(|source| job.exempt.hears(&source.key));
    let mut targets = Vec::with_capacity(job.targets.len());
    for (at, (theirs, target)) in entries.zip(&job.targets).enumerate() {
        let theirs = theirs.filter(|theirs| source.is_some() || admits(theirs));
        let judged = match (&mut source, theirs) {
            (Some(mine), Some(mut theirs)) => {
                let known = |at, store| Known::at(at, store, shelves).awaited(patience, at);
                let sides = (known(0, &job.source), known(at + 1, &target.store));
                let told = (mine.digests.clone(), theirs.digests.clone());
                let verdict = settle(&job.policy, sides, (mine, &mut theirs)).await;
                // Of what is left as it is nobody else will tell the index.
                if let (Some(learnt), Ok(Verdict::Same { touch: false, .. })) = (learnt, &verdict) {
                    learnt.keep(shelves.get(0), mine, &told.0);
                    learnt.keep(shelves.get(at + 1), &theirs, &told.1);
                }
                (Some(theirs), verdict)
            }
            (_, theirs) => (theirs, Ok(Verdict::Differs(Reason::Missing))),
        };
        targets.push(judged);
    }
    Verdicts { source, targets }
}
