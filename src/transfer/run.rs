//! Actions in, outcome out: the scheduler.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use futures::{Stream, StreamExt, stream};
use sterna_backends::{Deleted, Error, ErrorKind, Key, Operation, Result, Store};
use tokio::task::JoinSet;

use super::{
    Outcome, Records, Settings, Stop, StopReason, TargetOutcome,
    act::{Done, act},
    budget::{Budget, is_big, shared_part},
    claims::Claims,
    departing::departing,
    gate::Gate,
    precondition::{before_delete, before_source_delete},
    room::Room,
};
use crate::{
    compare::Policy,
    event::{Deed, Event, Observers},
    index::Shelves,
    list::Spool,
    plan::{Action, Item, Lost},
};

/// Big objects under way at once; their parts share the slots with everything else.
const BIG_AT_ONCE: usize = 4;

/// Actions that may wait while others pass: big objects for their turn, copies for what they copy.
const MOST_WAITING: usize = 10_000;

/// Objects in flight where neither the user nor the stores name a number.
const TRANSFERS: usize = 16;

/// Deletes at the source gathered before they are made.
pub(super) const SOURCE_DELETES: usize = 1000;

/// One destination.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where the objects go.
    pub store: Arc<dyn Store>,
    /// Where overwritten and deleted ones are kept.
    pub backup: Option<Arc<dyn Store>>,
    /// Other places its store copies from, searched for what is to be sent.
    pub searched: Vec<Arc<dyn Store>>,
}

/// Everything a run needs beside its actions.
#[derive(Clone)]
pub struct Work {
    /// Where the objects come from.
    pub source: Arc<dyn Store>,
    /// Where they go, in the order of the plan's numbers.
    pub targets: Vec<Target>,
    /// Budgets and choices.
    pub settings: Settings,
    /// How the plan compared, for a look at what is already done.
    pub policy: Policy,
    /// Uploads that outlive the process.
    pub records: Records,
    /// Whether the actions come in groups: then a move deletes at the source only when everything has arrived.
    pub ordered: bool,
    /// What is known of the places, the source first; what is learnt goes there.
    pub shelves: Shelves,
    /// Who wants to know.
    pub observer: Observers,
    /// Ends the run cleanly.
    pub stop: Stop,
}

impl Work {
    /// See [`shared_part`]; `None` for what goes to one destination only.
    pub(super) fn shared_part(&self, action: &Action) -> Option<u64> {
        let targets = self.targets.iter().map(|target| target.store.capabilities());
        (action.readers > 1).then(|| shared_part(&self.settings, targets, action.bytes())).flatten()
    }
}

/// Carries out `actions`. An error of the stream itself ends the run: what was begun is finished, no delete is made.
///
/// # Errors
/// What ended the stream. Failures of single actions are in the [`Outcome`].
pub async fn run(work: Work, actions: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
    let slots = slots(&work.settings, &work.source, &work.targets);
    let runner = Runner {
        budget: Arc::new(Budget::new(slots, work.settings.memory)),
        slots,
        outcome: Outcome { targets: work.targets.iter().map(|_| TargetOutcome::default()).collect(), stopped: None },
        deletes: work.targets.iter().map(|_| Vec::new()).collect(),
        gates: work.targets.iter().map(|_| Gate::new()).collect(),
        rooms: work.targets.iter().map(|_| Some(Room::new())).collect(),
        source_deletes: Vec::new(),
        tasks: JoinSet::new(),
        big: 0,
        waiting: VecDeque::new(),
        claims: Claims::default(),
        given_up: HashMap::new(),
        work: Arc::new(work),
    };
    runner.drive(actions).await
}

/// Requests in flight.
pub(super) fn slots(settings: &Settings, source: &Arc<dyn Store>, targets: &[Target]) -> usize {
    let suits = |store: &Arc<dyn Store>| store.capabilities().transfers;
    let suiting = || targets.iter().map(|target| suits(&target.store)).chain([suits(source)]).max();
    settings.transfers.or_else(suiting).unwrap_or(TRANSFERS).max(1)
}

struct Runner {
    work: Arc<Work>,
    budget: Arc<Budget>,
    slots: usize,
    outcome: Outcome,
    tasks: JoinSet<Finished>,
    big: usize,
    /// Big objects whose turn has not come; small ones pass them.
    waiting: VecDeque<Action>,
    claims: Claims,
    /// Destinations at which nothing can succeed, and how the run ends if that is so at all of them.
    given_up: HashMap<usize, Option<StopReason>>,
    /// What is of a later group, by destination.
    gates: Vec<Gate>,
    deletes: Vec<Vec<Action>>,
    /// What waits for the deletes to make room; `None`: they have.
    rooms: Vec<Option<Room>>,
    source_deletes: Vec<Action>,
}

struct Finished {
    action: Action,
    big: bool,
    result: Result<Done>,
}

impl Runner {
    async fn drive(mut self, actions: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
        let mut actions = std::pin::pin!(actions);
        let mut ended: Result<()> = Ok(());
        loop {
            if let Some(reason) = self.work.stop.reason() {
                self.outcome.stopped = Some(reason);
                break;
            }
            let item = tokio::select! {
                biased;
                Some(finished) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.finished(finished);
                    // With one destination what has arrived has arrived everywhere.
                    let at_once = self.work.targets.len() == 1 && !self.work.ordered;
                    if at_once && self.source_deletes.len() >= SOURCE_DELETES {
                        self.delete_sources().await;
                    }
                    continue;
                }
                item = actions.next(), if self.has_room() => item,
            };
            match item {
                Some(Ok(item)) => {
                    if let Err(error) = self.take(item).await {
                        ended = Err(error);
                        break;
                    }
                }
                Some(Err(error)) => {
                    ended = Err(error);
                    break;
                }
                None => break,
            }
        }
        self.drain().await;
        // What was under way when the plan ended may have met a full disk.
        if let Some(reason @ (StopReason::Fatal | StopReason::Capped | StopReason::Unreachable)) =
            self.work.stop.reason()
        {
            self.outcome.stopped = Some(reason);
        }
        let deletes = ended.is_ok() && self.outcome.stopped.is_none();
        for at in 0..self.deletes.len() {
            if deletes {
                self.delete_at(at).await;
            } else {
                let held = std::mem::take(&mut self.deletes[at]);
                self.hold(at, held.len() as u64);
            }
            self.fill_room(at).await;
            self.hold_groups(at);
        }
        self.delete_sources_in_order().await;
        ended.map(|()| self.outcome)
    }

    fn has_room(&self) -> bool {
        // Big objects have coordinators of their own beside the slots.
        self.tasks.len() < self.slots + BIG_AT_ONCE && self.waiting.len() + self.claims.waiting() < MOST_WAITING
    }

    /// Takes up an item, or keeps it for later.
    ///
    /// # Errors
    /// Where there is no room to keep it.
    async fn take(&mut self, mut item: Item) -> Result<()> {
        if let Item::Action(action) = &mut item {
            match action.deed {
                Deed::Delete | Deed::Backup if !self.given_up.contains_key(&action.to) => {
                    self.take_delete((**action).clone()).await;
                    return Ok(());
                }
                Deed::DeleteSource if !self.given_up.contains_key(&action.to) => {
                    self.source_deletes.push((**action).clone());
                    return Ok(());
                }
                _ => {}
            }
        }
        if let Item::Lost(lost) = item {
            self.lose(lost);
            return Ok(());
        }
        let gate = &mut self.gates[item.to() - 1];
        if gate.lets_pass(item.group()) {
            self.admit(item);
            return Ok(());
        }
        if let Item::Action(action) = &mut item {
            // The destinations come to it at different times, and each reads it for itself.
            self.budget.leave(action);
            action.readers = 1;
        }
        gate.keep(&item)?;
        self.open_gates();
        Ok(())
    }

    async fn take_delete(&mut self, action: Action) {
        let at = action.to - 1;
        // What names others goes before them.
        if self.deletes[at].last().is_some_and(|last| last.group != action.group) {
            self.drain().await;
            self.delete_at(at).await;
        }
        self.deletes[at].push(action);
        self.flush_deletes_if_full().await;
    }

    /// Begins what waited for others and need not wait any more.
    fn open_gates(&mut self) {
        for at in 0..self.gates.len() {
            while self.work.stop.reason().is_none() && self.has_room() {
                let nothing_blocked = self.rooms[at].as_ref().is_none_or(Room::is_empty);
                let sound = self.outcome.targets[at].is_clean() && nothing_blocked;
                match self.gates[at].next(sound) {
                    Ok(Some(item)) => self.admit(item),
                    Ok(None) => break,
                    // What it was cannot be said any more; nothing after it is begun.
                    Err(_) => self.outcome.targets[at].failed += 1,
                }
            }
        }
    }

    /// Counts what waits for ever: something before it failed, or the run was stopped.
    fn hold_groups(&mut self, at: usize) {
        let objects = self.gates[at].waiting();
        if objects > 0 {
            self.outcome.targets[at].groups_held += objects;
            self.work.observer.on(&Event::GroupsHeld { place: at + 1, objects });
        }
    }

    /// Begins an item whose group has come.
    fn admit(&mut self, item: Item) {
        let at = item.to() - 1;
        self.gates[at].begin();
        let action = match item {
            Item::Action(action) => *action,
            Item::Problem(problem) => {
                let error = Error::unsupported(Operation::Put, problem.problem).at(&problem.key);
                self.failed(problem.to, &problem.key, Deed::Transfer, &error);
                return self.gates[at].end();
            }
            Item::Lost(lost) => {
                self.lose(lost);
                return self.gates[at].end();
            }
        };
        if self.given_up.contains_key(&action.to) {
            self.outcome.targets[at].failed += 1;
            self.budget.leave(&action);
            return self.gates[at].end();
        }
        if self.work.settings.max_transfer.is_some_and(|most| self.work.stop.take(action.bytes()) > most) {
            return self.work.stop.stop(StopReason::MaxTransfer);
        }
        self.start(action);
    }

    fn start(&mut self, action: Action) {
        if let Some(action) = self.claims.take(action) {
            self.begin(action);
        }
    }

    fn begin(&mut self, action: Action) {
        let target = self.work.targets[action.to - 1].store.capabilities();
        let can = (self.work.source.capabilities(), target);
        let big = match action.deed {
            Deed::Transfer if action.readers > 1 => self.work.shared_part(&action).is_some(),
            deed => is_big(&self.work.settings, can, deed, action.bytes()),
        };
        if big && self.big >= BIG_AT_ONCE {
            return self.waiting.push_back(action);
        }
        self.spawn(action, big);
    }

    fn spawn(&mut self, action: Action, big: bool) {
        self.big += usize::from(big);
        let (work, budget) = (Arc::clone(&self.work), Arc::clone(&self.budget));
        self.tasks.spawn(async move {
            let result = act(&work, &budget, &action, big).await;
            Finished { action, big, result }
        });
    }

    fn finished(&mut self, joined: std::result::Result<Finished, tokio::task::JoinError>) {
        let Finished { action, big, result } = match joined {
            Ok(finished) => finished,
            Err(panic) => {
                // A task that panicked has lost its action; the run cannot vouch for anything any more.
                if let Ok(panic) = panic.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
                return;
            }
        };
        self.big -= usize::from(big);
        if big
            && self.work.stop.reason().is_none()
            && let Some(next) = self.waiting.pop_front()
        {
            self.spawn(next, true);
        }
        if result.is_err() && action.deed == Deed::Copy && action.origin.is_some() {
            // What was to be copied is not there, or is no longer what it was: it is sent after all.
            let freed = self.claims.release_origin(&action);
            self.begin(Action { deed: Deed::Transfer, ..action });
            return freed.into_iter().for_each(|action| self.start(action));
        }
        self.budget.leave(&action);
        self.gates[action.to - 1].end();
        let freed = self.claims.release(&action);
        match result {
            Ok(done) => {
                let outcome = &mut self.outcome.targets[action.to - 1];
                match done {
                    Done::Now => outcome.done(action.deed, action.bytes()),
                    Done::Before => outcome.already_done += 1,
                }
                let (place, key, deed) = (action.to, action.key.clone(), action.deed);
                let can = self.work.targets[place - 1].store.capabilities();
                // What was done before cost an earlier run what it cost.
                let gone = departing(&action, deed, can).filter(|_| matches!(done, Done::Now));
                self.work.observer.on(&Event::Finished { place, key, deed, bytes: action.bytes(), gone });
                if action.delete_source {
                    self.source_deletes.push(action);
                }
            }
            Err(error) => {
                let room = self.rooms[action.to - 1].as_mut().filter(|_| Room::is_for(&action, &error));
                if room.is_none_or(|room| room.wait(&action).is_err()) {
                    self.failed(action.to, &action.key, action.deed, &error);
                }
            }
        }
        if self.work.stop.reason().is_none() {
            freed.into_iter().for_each(|action| self.start(action));
        }
        self.open_gates();
    }

    fn failed(&mut self, to: usize, key: &Key, deed: Deed, error: &Error) {
        let outcome = &mut self.outcome.targets[to - 1];
        outcome.fail(key, deed, error);
        if self.work.settings.check_drift && error.kind() == ErrorKind::Precondition {
            outcome.drifted += 1;
        }
        self.work.observer.on(&Event::failed(to, key, deed, error));
        match error.kind() {
            ErrorKind::Full | ErrorKind::NoSuchContainer | ErrorKind::Config => {
                self.give_up(to, Some(StopReason::Fatal));
            }
            ErrorKind::Capped => self.give_up(to, Some(StopReason::Capped)),
            ErrorKind::Unreachable => self.give_up(to, Some(StopReason::Unreachable)),
            _ => {}
        }
    }

    /// The plan has nothing more for a destination.
    fn lose(&mut self, lost: Lost) {
        let to = lost.to;
        self.outcome.targets[to - 1].lost = Some(lost);
        self.give_up(to, None);
    }

    /// Nothing can succeed at destination `to` any more; the run ends with the last one.
    fn give_up(&mut self, to: usize, reason: Option<StopReason>) {
        let known = self.given_up.entry(to).or_default();
        *known = reason.or(*known);
        let all = self.given_up.len() == self.work.targets.len();
        if all && let Some(reason) = reason.or_else(|| self.given_up.values().find_map(|reason| *reason)) {
            self.work.stop.stop(reason);
        }
    }

    async fn drain(&mut self) {
        while let Some(finished) = self.tasks.join_next().await {
            self.finished(finished);
        }
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
    async fn delete_at(&mut self, at: usize) {
        let mut actions = std::mem::take(&mut self.deletes[at]);
        if let Some(room) = self.rooms[at].as_mut().filter(|room| !room.is_empty()) {
            let count = actions.len() as u64;
            match room.sift(actions) {
                Ok(helping) => actions = helping,
                Err(_) => return self.hold(at, count),
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
    async fn fill_room(&mut self, at: usize) {
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
                Err(_) => {
                    self.outcome.targets[at].failed += 1;
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
                Err(_) => self.outcome.targets[at].failed += 1,
            }
        }
        self.delete_at(at).await;
    }

    fn hold(&mut self, at: usize, count: u64) {
        if count == 0 {
            return;
        }
        self.outcome.targets[at].deletes_held += count;
        let why = "something before them failed, or the run was stopped".to_owned();
        self.work.observer.on(&Event::DeletesBlocked { place: at + 1, objects: count, why });
    }

    /// Where there are groups, nothing is deleted at the source before everything has arrived, and then what names others
    /// before them.
    async fn delete_sources_in_order(&mut self) {
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
    async fn delete_sources(&mut self) {
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
