//! One action, carried out.

use std::{collections::BTreeMap, sync::Arc};

use sterna_backends::{Digests, Entry, Error, ErrorKind, Operation, PutRequest, Result};

use super::{
    Settings, Target, Work,
    again::{describe_again, touched_bytes},
    budget::{Budget, is_big},
    carry::{Carriage, lists_less},
    parts,
    precondition::already_done,
    whole,
};
use crate::{
    event::{Deed, Event},
    index::{ALL, learn},
    plan::{self, Action},
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
    // Where a copy was tried, what is there now is that copy.
    let tried = action.deed == Deed::Transfer && action.origin.is_some();
    if work.settings.check_drift && !tried && already_done(work, &target.store, action).await? {
        return Ok(Done::Before);
    }
    let (place, key, deed) = (action.to, action.key.clone(), action.deed);
    work.observer.on(&Event::Started { place, key, deed, bytes: action.bytes() });
    let Some(entry) = action.source.clone() else {
        return Err(Error::new(ErrorKind::BadRequest, Operation::Put)
            .at(&action.key)
            .because("the plan names no source"));
    };
    let entry = described(work, action, entry).await?;
    let slot = match old(work, action) {
        Some((kept, true)) => {
            // Its parts take slots of their own; who holds one meanwhile would wait for himself.
            drop(slot);
            carry(work, budget, kept, true).await?;
            if big { None } else { Some(budget.slot().await?) }
        }
        Some((kept, false)) => {
            carry(work, budget, kept, false).await?;
            slot
        }
        None => slot,
    };
    if action.deed == Deed::Touch {
        let request = PutRequest { modified: entry.modified, ..PutRequest::default() };
        let told = describe_again(&*target.store, &action.key, touched_bytes(action), request).await;
        return told.map(|()| Done::Now);
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
        fan: Some(Arc::clone(&budget.fan)),
        part: work.shared_part(action),
        remembered: work.shelves.get(0).is_some() || work.shelves.get(action.to).is_some(),
        source: Arc::clone(&work.source),
        target: Arc::clone(&target.store),
        action: action.clone(),
        entry,
        observer: Arc::clone(&work.observer),
    };
    let entry = carriage.entry.clone();
    let stored = carry(work, budget, carriage, big).await?;
    drop(slot);
    remember(work, action, &entry, &stored);
    Ok(Done::Now)
}

/// The source's object with its metadata, where a copy of another object is to carry them and the listing told none.
async fn described(work: &Work, action: &Action, mut entry: Entry) -> Result<Entry> {
    let told_less = lists_less(work.source.capabilities());
    if action.deed == Deed::Copy && action.origin.is_some() && told_less && entry.metadata.is_none() {
        learn(&work.source, &mut entry).await?;
    }
    Ok(entry)
}

/// Notes for later runs what has passed: the same content lies on both sides.
fn remember(work: &Work, action: &Action, source: &Entry, stored: &Entry) {
    // How an object was cut is its own affair.
    let content =
        |entry: &Entry| entry.digests.iter().filter(|digest| ALL.contains(&digest.algorithm())).copied().collect();
    let (read, written): (Digests, Digests) = (content(source), content(stored));
    let all: Digests = read.iter().chain(written.iter()).copied().collect();
    for (at, entry) in [(0, source), (action.to, stored)] {
        if let Some(shelf) = work.shelves.get(at) {
            shelf.remember(entry, &entry.digests.iter().chain(all.iter()).copied().collect());
        }
    }
}

/// One of the four roads.
pub(super) async fn carry(work: &Work, budget: &Arc<Budget>, carriage: Carriage, big: bool) -> Result<Entry> {
    match (carriage.action.deed, big) {
        // Boxed, or every small object would carry the room of a large one.
        (_, true) => Box::pin(parts::carry(carriage, Arc::clone(budget), &work.records)).await,
        (Deed::Copy, false) => whole::copy(&carriage).await,
        _ => whole::carry(&carriage, budget).await,
    }
}

/// The action that moves aside what `action` is about to lose, and whether that takes parts.
pub(super) fn aside(settings: &Settings, target: &Target, action: &Action) -> Option<(Action, bool)> {
    let (backup, kept, old) = (target.backup.as_ref()?, action.backup.as_ref()?, action.target.as_ref()?);
    let can = (target.store.capabilities(), backup.capabilities());
    let near = plan::Target::new(can.0, can.1).copies.is_some_and(|most| old.size.is_some_and(|size| size <= most));
    let moved = Action {
        deed: if near { Deed::Copy } else { Deed::Transfer },
        key: kept.clone(),
        source: Some(old.clone()),
        origin: None,
        readers: 1,
        target: None,
        backup: None,
        metadata: None,
        delete_source: false,
        ..action.clone()
    };
    let big = is_big(settings, can, moved.deed, moved.bytes());
    Some((moved, big))
}

/// What `action` is about to lose, on its way into the backup place, and whether that takes parts.
pub(super) fn old(work: &Work, action: &Action) -> Option<(Carriage, bool)> {
    let target = &work.targets[action.to - 1];
    let (moved, big) = aside(&work.settings, target, action)?;
    let (backup, old) = (target.backup.as_ref()?, moved.source.clone()?);
    let carriage = Carriage {
        settings: work.settings.clone(),
        tags: BTreeMap::new(),
        fan: None,
        part: None,
        remembered: false,
        source: Arc::clone(&target.store),
        target: Arc::clone(backup),
        action: moved,
        entry: old,
        // The bytes of a backup are in no plan's total.
        observer: Arc::new(|_: &Event| {}),
    };
    Some((carriage, big))
}
