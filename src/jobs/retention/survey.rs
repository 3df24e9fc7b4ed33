//! [`survey`]: what retention says of a mirror, before a run.

use std::sync::Arc;

use sterna_backends::{Result, Store, Timestamp};

use super::{Decision, Retention, Stocktake};
use crate::{
    event::{Observers, Silent},
    list::{Listing, Scope},
    price::Stock,
    sync::Exempt,
};

/// What retention says of a mirror.
#[derive(Clone, Debug)]
pub struct Survey {
    /// For the run: what it is not to mirror, and what it is not to delete.
    pub exempt: Exempt,
    /// At each target, in their order.
    pub targets: Vec<Kept>,
}

/// What retention says of a target.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What goes there.
    pub decision: Decision,
    /// All that it has now.
    pub stock: Stock,
    /// Objects that stay although the source has them no more, lest there be fewer than `keep_last`.
    pub held: usize,
}

/// Lists the source and all targets, and decides. Nothing goes that the source still has and `retention` keeps, and a source
/// that tells less than it should takes no target below `keep_last`.
///
/// # Errors
/// What ended a listing: of a place that is not known nothing goes.
pub async fn survey(
    source: &Arc<dyn Store>,
    targets: &[Arc<dyn Store>],
    scope: &Scope,
    retention: &Retention,
    now: Timestamp,
) -> Result<Survey> {
    let silent: Observers = Arc::new(Silent);
    let mut theirs = Stocktake::default();
    let mut listing = Listing::open(source, scope, 0, Arc::clone(&silent)).by_key();
    while let Some(entry) = listing.next().await? {
        if scope.filter.admits(&entry) {
            theirs.add(retention, &entry);
        }
    }
    let goes = theirs.decide(retention, now);
    let mut exempt = Exempt { passed_over: goes.keys().cloned().collect(), held: Vec::new() };
    let mut kept = Vec::new();
    for target in targets {
        let (mut own, mut stock) = (Stocktake::default(), Stock::default());
        let mut listing = Listing::open(target, scope, 0, Arc::clone(&silent)).by_key().missing_is_empty();
        while let Some(entry) = listing.next().await? {
            stock.add_about(entry.size.unwrap_or(0));
            own.add(retention, &entry);
        }
        let held = own.holds(retention, &theirs, now);
        kept.push(Kept { decision: own.goes(&goes, retention), stock, held: held.len() });
        exempt.held.push(held);
    }
    Ok(Survey { exempt, targets: kept })
}
