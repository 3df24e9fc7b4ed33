//! One action, carried out.

use std::{collections::BTreeMap, sync::Arc};

use sterna_backends::{Entry, Error, ErrorKind, Key, Operation, PutRequest, Result, Store, StoreExt};

use super::{Target, Work, budget::Budget, carry::Carriage, parts, precondition::already_done, whole};
use crate::{
    event::{Deed, Event},
    plan::Action,
};

/// What came of an action that did not fail.
pub(super) enum Done {
    /// It was carried out.
    Now,
    /// An earlier run of the same plan had carried it out.
    Before,
}

/// Carries out a transfer, a copy or a touch. Big objects take a slot for each of their parts.
pub(super) async fn act(work: &Arc<Work>, budget: &Arc<Budget>, action: &Action, big: bool) -> Result<Done> {
    let slot = if big { None } else { Some(budget.slot().await?) };
    let target = &work.targets[action.to - 1];
    if work.settings.check_drift && already_done(work, &target.store, action).await? {
        return Ok(Done::Before);
    }
    let (place, key, deed) = (action.to, action.key.clone(), action.deed);
    work.observer.on(&Event::Started { place, key, deed, bytes: action.bytes() });
    let Some(entry) = action.source.clone() else {
        return Err(Error::new(ErrorKind::BadRequest, Operation::Put)
            .at(&action.key)
            .because("the plan names no source"));
    };
    if action.backup.is_some() {
        keep(target, action).await?;
    }
    if action.deed == Deed::Touch {
        return touch(&target.store, &action.key, &entry).await.map(|()| Done::Now);
    }
    let both = [&work.source, &target.store];
    let tagged = work.settings.tags && both.iter().all(|store| store.capabilities().metadata.tags);
    let tags = if tagged && action.deed == Deed::Transfer {
        work.source.tags(&entry.key, entry.version.as_ref()).await?
    } else {
        BTreeMap::new()
    };
    let carriage = Carriage {
        settings: work.settings.clone(),
        tags,
        source: Arc::clone(&work.source),
        target: Arc::clone(&target.store),
        action: action.clone(),
        entry,
        observer: Arc::clone(&work.observer),
    };
    match (action.deed, big) {
        (_, true) => parts::carry(carriage, Arc::clone(budget), &work.records).await?,
        (Deed::Copy, false) => whole::copy(&carriage).await?,
        _ => whole::carry(&carriage, budget).await?,
    };
    drop(slot);
    Ok(Done::Now)
}

/// Sets the time alone.
async fn touch(store: &Arc<dyn Store>, key: &Key, source: &Entry) -> Result<()> {
    store.set_metadata(key, PutRequest { modified: source.modified, ..PutRequest::default() }).await
}

/// Copies what is about to be lost into the backup place.
pub(super) async fn keep(target: &Target, action: &Action) -> Result<()> {
    let (Some(backup), Some(kept)) = (&target.backup, &action.backup) else { return Ok(()) };
    let Some(old) = &action.target else { return Ok(()) };
    let near = target.store.shares_domain(&**backup).then(|| target.store.copy_source(&action.key)).flatten();
    if let Some(mut source) = near {
        source.size = old.size;
        let request = PutRequest { modified: old.modified, size: old.size, ..PutRequest::default() };
        return backup.copy(&source, kept, request).await.map(drop);
    }
    let reader = target.store.read(&action.key, sterna_backends::ReadRequest::default()).await?;
    let request = PutRequest {
        modified: reader.entry.modified,
        metadata: reader.entry.metadata.clone().unwrap_or_default(),
        size: reader.entry.size,
        ..PutRequest::default()
    };
    backup.put(kept, request, reader.body).await.map(drop)
}
