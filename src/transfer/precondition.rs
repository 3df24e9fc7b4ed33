//! What must hold before an action: that both sides are as the plan saw them.

use std::sync::Arc;

use sterna_backends::{Entry, Error, ErrorKind, Key, Operation, Result, Store};

use super::{
    Work,
    act::{carry, old},
    budget::Budget,
};
use crate::{
    compare::{Mode, Policy, Verdict},
    event::Deed,
    index::{Known, learn, settle},
    plan::Action,
};

/// Whether a delete is still to be made; what is overwritten by a backup is kept first.
pub(super) async fn before_delete(work: &Work, budget: &Arc<Budget>, action: &Action) -> Result<bool> {
    let target = &work.targets[action.to - 1];
    if work.settings.check_drift {
        match target.store.stat(&action.key, None).await {
            Ok(now) => check_seen(&target.store, action.target.as_ref(), &now)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    if action.deed == Deed::Backup
        && let Some((kept, big)) = old(work, action)
    {
        carry(work, budget, kept, big).await?;
    }
    Ok(true)
}

/// Whether an object that arrived is still to be deleted at the source; `actions` are its actions at all destinations.
///
/// # Errors
/// `Precondition` where it is another object by now, or where a plan made earlier counted on a copy that is gone.
pub(super) async fn before_source_delete(work: &Work, actions: &[Action]) -> Result<bool> {
    for action in actions {
        let Some(planned) = &action.source else { return Ok(false) };
        match work.source.stat(&planned.key, None).await {
            Ok(now) => check_seen(&work.source, Some(planned), &now)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        if work.settings.check_drift && action.deed == Deed::DeleteSource {
            let store = &work.targets[action.to - 1].store;
            let now = store.stat(&action.key, None).await.map_err(|error| gone_is_drift(error, store, action))?;
            check_seen(store, action.target.as_ref(), &now)?;
        }
    }
    Ok(true)
}

/// Whether an earlier run of the same plan has already done it.
///
/// # Errors
/// `Precondition` where either side is no longer as the plan saw it.
pub(super) async fn already_done(work: &Work, store: &Arc<dyn Store>, action: &Action) -> Result<bool> {
    let Some(planned) = &action.source else { return Ok(false) };
    let mut source = planned.clone();
    match work.source.stat(&planned.key, planned.version.as_ref()).await {
        Ok(now) => {
            check_seen(&work.source, Some(planned), &now)?;
            source.modified = now.modified.or(source.modified);
            now.digests.iter().for_each(|digest| source.digests.set(*digest));
            source.metadata = Some(now.metadata.unwrap_or_default());
        }
        Err(error) if error.kind() == ErrorKind::NotFound && action.delete_source => {
            // A move that was completed: only the destination can tell.
            let now = store.stat(&action.key, None).await.map_err(|error| gone_is_drift(error, store, action))?;
            return Ok(now.size == planned.size);
        }
        Err(error) => return Err(gone_is_drift(error, &work.source, action)),
    }
    let now = match store.stat(&action.key, None).await {
        Ok(now) => now,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NoSuchContainer) => {
            return if action.target.is_none() { Ok(false) } else { Err(drifted(store, &action.key)) };
        }
        Err(error) => return Err(error),
    };
    let unseen = match &action.target {
        None => true,
        Some(_) => check_seen(store, action.target.as_ref(), &now).is_err(),
    };
    if !unseen {
        return Ok(false);
    }
    let mut target = now;
    learn(store, &mut target).await?;
    // The contents alone are the question: what the plan was told to leave alone or to force is decided.
    let mode = if work.policy.mode == Mode::IgnoreTimes { Mode::Default } else { work.policy.mode };
    let policy = Policy { mode, update: false, ignore_existing: false, immutable: false, ..work.policy };
    let sides = (Known::at(0, &work.source, &work.shelves), Known::at(action.to, store, &work.shelves));
    let verdict = settle(&policy, sides, (&mut source, &mut target)).await;
    match verdict.map_err(|unsettled| unsettled.error)? {
        Verdict::Same { .. } => Ok(true),
        _ => Err(drifted(store, &action.key)),
    }
}

/// That what was seen under `key` is no longer there, or another.
pub(super) fn drifted(store: &Arc<dyn Store>, key: &Key) -> Error {
    Error::new(ErrorKind::Precondition, Operation::Stat).of(store.name()).at(key)
}

/// What the plan saw and is no longer there has drifted.
fn gone_is_drift(error: Error, store: &Arc<dyn Store>, action: &Action) -> Error {
    if error.kind() == ErrorKind::NotFound { drifted(store, &action.key).because(error) } else { error }
}

/// That an object is as the plan saw it: size, and every one of tag, version and time that both tell.
pub(super) fn check_seen(store: &Arc<dyn Store>, planned: Option<&Entry>, now: &Entry) -> Result<()> {
    let same = planned.is_some_and(|planned| {
        let agree = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| a.is_none() || b.is_none() || a == b;
        planned.size == now.size
            && agree(&planned.etag, &now.etag)
            && agree(&planned.version, &now.version)
            && (planned.modified.is_none() || now.modified.is_none() || planned.modified == now.modified)
    });
    if same { Ok(()) } else { Err(drifted(store, &now.key)) }
}
