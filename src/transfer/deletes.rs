//! The deletes of a run: they wait for what stands before them, and are not made where any of that failed.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, stream};
use sterna_backends::{Deleted, Error, ErrorKind, Key, Operation, Result, Store};

use super::{
    departing::departing,
    precondition::{before_delete, before_source_delete},
    run::Runner,
};
use crate::{
    event::{Deed, Event},
    list::Spool,
    plan::Action,
};

/// Deletes at the source gathered before they are made.
pub(super) const SOURCE_DELETES: usize = 1000;

impl Runner {
    pub(super) async fn take_delete(&mut self, action: Action) {
        let at = action.to - 1;
        // What names others goes before them.
        if self.deletes[at].last().is_some_and(|last| last.group != action.group) {
            self.drain().await;
            self.delete_at(at).await;
        }
        self.deletes[at].push(action);
        self.flush_deletes_if_full().await;
    }

    /// Deletes wait for everything before them, and are not made where anything failed.
    async fn flush_deletes_if_full(&mut self) {
        let batch = |runner: &Self, at: usize| runner.work.targets[at].store.capabilities().deleted_together();
        for at in 0..self.deletes.len() {
            if self.deletes[at].len() >= batch(self, at) {
                self.drain().await;
                self.delete_at(at).await;
            }
        }
    }

    /// Deletes what has gathered; where something waits for room, only what makes it.
    pub(super) async fn delete_at(&mut self, at: usize) {
        let mut actions = std::mem::take(&mut self.deletes[at]);
        if let Some(room) = self.rooms[at].as_mut().filter(|room| !room.is_empty()) {
            let count = actions.len() as u64;
            match room.sift(actions) {
                Ok(helping) => actions = helping,
                Err(error) => {
                    self.broken(at, error);
                    return self.hold(at, count);
                }
            }
        }
        if actions.is_empty() {
            return;
        }
        if !self.outcome.targets[at].is_clean() || self.work.stop.reason().is_some() {
            return self.hold(at, actions.len() as u64);
        }
        let looks = actions.into_iter().map(|action| {
            let (work, budget) = (Arc::clone(&self.work), Arc::clone(&self.budget));
            async move { (before_delete(&work, &budget, &action).await, action) }
        });
        let looked: Vec<_> = stream::iter(looks).buffered(self.slots).collect().await;
        let mut ready = Vec::with_capacity(looked.len());
        for (still, action) in looked {
            match still {
                Ok(true) => ready.push(action),
                Ok(false) => self.outcome.targets[at].already_done += 1,
                Err(error) => self.failed(at + 1, &action.key, action.deed, &error),
            }
        }
        let store = Arc::clone(&self.work.targets[at].store);
        self.delete_batch(&store, ready, None).await;
    }

    /// Carries out what waited for room, then the deletes that were set aside meanwhile.
    pub(super) async fn fill_room(&mut self, at: usize) {
        let Some(room) = self.rooms[at].take().filter(|room| !room.is_empty()) else { return };
        let outcome = &self.outcome.targets[at];
        let made = outcome.deleted > 0 && outcome.is_clean();
        let (blocked, others) = room.open();
        let waiting = others.len();
        for action in queue(blocked) {
            let action = match action {
                Ok(action) if made && self.work.stop.reason().is_none() => action,
                Ok(action) => {
                    let error = in_the_way(&self.work.targets[at].store, &action.key);
                    self.failed(at + 1, &action.key, action.deed, &error);
                    continue;
                }
                Err(error) => {
                    self.broken(at, error);
                    break;
                }
            };
            while !self.has_room() {
                let Some(finished) = self.tasks.join_next().await else { break };
                self.finished(finished);
            }
            self.gates[at].begin();
            self.start(action);
        }
        self.drain().await;
        if !self.outcome.targets[at].is_clean() || self.work.stop.reason().is_some() {
            return self.hold(at, waiting);
        }
        for action in queue(others) {
            match action {
                Ok(action) => self.take_delete(action).await,
                Err(error) => self.broken(at, error),
            }
        }
        self.delete_at(at).await;
    }

    pub(super) fn hold(&mut self, at: usize, count: u64) {
        if count == 0 {
            return;
        }
        self.leave_undone();
        self.outcome.targets[at].deletes_held += count;
        let why = "something before them failed, or the run was stopped".to_owned();
        self.work.observer.on(&Event::DeletesBlocked { place: at + 1, objects: count, why });
    }

    /// Where there are groups, nothing is deleted at the source before everything has arrived, and then what names others
    /// before them.
    pub(super) async fn delete_sources_in_order(&mut self) {
        if !self.work.ordered {
            return self.delete_sources().await;
        }
        let mut rest = std::mem::take(&mut self.source_deletes);
        while let Some(last) = rest.iter().map(|action| action.group).max() {
            if self.outcome.stopped.is_some() || self.outcome.targets.iter().any(|target| target.failed > 0) {
                let held = rest.len() as u64;
                return self.hold(rest[0].to - 1, held);
            }
            (self.source_deletes, rest) = rest.into_iter().partition(|action| action.group == last);
            self.delete_sources().await;
        }
    }

    /// What has arrived everywhere is deleted at the source, if it is still what was sent.
    pub(super) async fn delete_sources(&mut self) {
        let actions = std::mem::take(&mut self.source_deletes);
        let mut arrived: BTreeMap<Key, Vec<Action>> = BTreeMap::new();
        for action in actions {
            let key = action.source.as_ref().map_or_else(|| action.key.clone(), |source| source.key.clone());
            arrived.entry(key).or_default().push(action);
        }
        let several = self.work.targets.len();
        let everywhere = arrived.into_values().filter(|actions| actions.len() == several);
        let work = Arc::clone(&self.work);
        let looks = everywhere.map(|actions| {
            let work = Arc::clone(&work);
            async move { (before_source_delete(&work, &actions).await, actions) }
        });
        let looked: Vec<_> = stream::iter(looks).buffered(self.slots).collect().await;
        let mut ready = Vec::with_capacity(looked.len());
        for (still, actions) in looked {
            let Some(action) = actions.into_iter().next() else { continue };
            match still {
                Ok(true) => ready.push(action),
                Ok(false) if action.deed == Deed::DeleteSource => self.outcome.targets[action.to - 1].already_done += 1,
                Ok(false) => {}
                Err(error) => self.failed(action.to, &action.key, Deed::DeleteSource, &error),
            }
        }
        let source = Arc::clone(&self.work.source);
        self.delete_batch(&source, ready, Some(Deed::DeleteSource)).await;
    }

    async fn delete_batch(&mut self, store: &Arc<dyn Store>, actions: Vec<Action>, deed: Option<Deed>) {
        let at_source = deed == Some(Deed::DeleteSource);
        for batch in actions.chunks(store.capabilities().deleted_together()) {
            let key = |action: &Action| match &action.source {
                Some(source) if at_source => source.key.clone(),
                _ => action.key.clone(),
            };
            let targets: Vec<Deleted> = batch.iter().map(|action| key(action).into()).collect();
            let results = store.delete(&targets).await;
            for (action, result) in batch.iter().zip(results) {
                let deed = deed.unwrap_or(action.deed);
                match result {
                    Ok(()) => {
                        self.outcome.targets[action.to - 1].done(deed, 0);
                        let (place, key) = (action.to, action.key.clone());
                        let gone = departing(action, deed, store.capabilities());
                        self.work.observer.on(&Event::Finished { place, key, deed, bytes: 0, gone });
                    }
                    Err(error) => self.failed(action.to, &action.key, deed, &error),
                }
            }
        }
    }
}

/// What was set aside, in order; an error where it cannot be read back.
fn queue(set_aside: Spool<Action>) -> Box<dyn Iterator<Item = Result<Action>> + Send> {
    match set_aside.read() {
        Ok(actions) => Box::new(actions),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

fn in_the_way(store: &Arc<dyn Store>, key: &Key) -> Error {
    let why =
        "a file stands where a directory is needed, or a directory where the file is to lie, and no delete made room";
    Error::new(ErrorKind::Exists, Operation::Put).of(store.name()).at(key).because(why)
}
