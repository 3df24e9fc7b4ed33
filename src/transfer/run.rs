//! Actions in, outcome out: the scheduler.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures::{Stream, StreamExt};
use sterna_backends::{Error, ErrorKind, Key, Operation, Result, Store};
use tokio::task::JoinSet;

use super::{
    Outcome, Records, Settings, Stop, StopReason, TargetOutcome,
    act::{Done, act},
    budget::{Budget, is_big, shared_part},
    claims::Claims,
    deletes::SOURCE_DELETES,
    departing::departing,
    gate::Gate,
    room::Room,
};
use crate::{
    compare::Policy,
    event::{Deed, Event, Observers},
    index::Shelves,
    plan::{Action, Item, Lost},
};

/// Big objects under way at once; their parts share the slots with everything else.
const BIG_AT_ONCE: usize = 4;

/// Actions that may wait while others pass: big objects for their turn, copies for what they copy.
const MOST_WAITING: usize = 10_000;

/// Objects in flight where neither the user nor the stores name a number.
const TRANSFERS: usize = 16;

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
    /// See [`shared_part`].
    pub(super) fn shared_part(&self, action: &Action) -> Option<u64> {
        shared_part(&self.settings, &self.targets, action)
    }
}

/// Carries out `actions`. An error of the stream itself ends the run: what was begun is finished, no delete is made. So does what
/// was set aside on the disk and cannot be had again.
///
/// # Errors
/// What ended the stream, or the run. Failures of single actions are in the [`Outcome`].
pub async fn run(work: Work, actions: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
    Runner::new(work).drive(actions).await
}

impl Runner {
    pub(super) fn new(work: Work) -> Self {
        let slots = slots(&work.settings, &work.source, &work.targets);
        Self {
            budget: Arc::new(Budget::new(slots, work.settings.memory)),
            slots,
            outcome: Outcome {
                targets: work.targets.iter().map(|_| TargetOutcome::default()).collect(),
                stopped: None,
            },
            deletes: work.targets.iter().map(|_| Vec::new()).collect(),
            gates: work.targets.iter().map(|_| Gate::new()).collect(),
            rooms: work.targets.iter().map(|_| Some(Room::new())).collect(),
            source_deletes: Vec::new(),
            tasks: JoinSet::new(),
            big: 0,
            waiting: VecDeque::new(),
            claims: Claims::default(),
            given_up: HashMap::new(),
            broken: None,
            work: Arc::new(work),
        }
    }
}

/// Requests in flight.
pub(super) fn slots(settings: &Settings, source: &Arc<dyn Store>, targets: &[Target]) -> usize {
    let suits = |store: &Arc<dyn Store>| store.capabilities().transfers;
    let suiting = || targets.iter().map(|target| suits(&target.store)).chain([suits(source)]).max();
    settings.transfers.or_else(suiting).unwrap_or(TRANSFERS).max(1)
}

pub(super) struct Runner {
    pub(super) work: Arc<Work>,
    pub(super) budget: Arc<Budget>,
    pub(super) slots: usize,
    pub(super) outcome: Outcome,
    pub(super) tasks: JoinSet<Finished>,
    big: usize,
    /// Big objects whose turn has not come; small ones pass them.
    waiting: VecDeque<Action>,
    claims: Claims,
    /// Destinations at which nothing can succeed, and how the run ends if that is so at all of them.
    given_up: HashMap<usize, Option<StopReason>>,
    /// What is of a later group, by destination.
    pub(super) gates: Vec<Gate>,
    pub(super) deletes: Vec<Vec<Action>>,
    /// What waits for the deletes to make room; `None`: they have.
    pub(super) rooms: Vec<Option<Room>>,
    pub(super) source_deletes: Vec<Action>,
    /// Why what was set aside cannot be had again.
    broken: Option<Error>,
}

pub(super) struct Finished {
    action: Action,
    big: bool,
    result: Result<Done>,
}

impl Runner {
    pub(super) async fn drive(mut self, actions: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
        let mut actions = std::pin::pin!(actions);
        let mut ended: Result<()> = Ok(());
        loop {
            if let Some(reason) = self.work.stop.reason() {
                self.outcome.stopped = Some(reason);
                break;
            }
            if self.broken.is_some() {
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
        if !self.waiting.is_empty() {
            self.leave_undone();
        }
        // What was under way when the plan ended may have met a full disk.
        if let Some(reason @ (StopReason::Fatal | StopReason::Capped | StopReason::Unreachable)) =
            self.work.stop.reason()
        {
            self.outcome.stopped = Some(reason);
        }
        let deletes = ended.is_ok() && self.broken.is_none() && self.outcome.stopped.is_none();
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
        ended?;
        self.broken.map_or(Ok(self.outcome), Err)
    }

    pub(super) fn has_room(&self) -> bool {
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

    /// Begins what waited for others and need not wait any more.
    fn open_gates(&mut self) {
        for at in 0..self.gates.len() {
            while self.work.stop.reason().is_none() && self.has_room() {
                let nothing_blocked = self.rooms[at].as_ref().is_none_or(Room::is_empty);
                let sound = self.outcome.targets[at].is_clean() && nothing_blocked;
                match self.gates[at].next(sound) {
                    Ok(Some(item)) => self.admit(item),
                    Ok(None) => break,
                    Err(error) => self.broken(at, error),
                }
            }
        }
    }

    /// Counts what waits for ever: something before it failed, or the run was stopped.
    fn hold_groups(&mut self, at: usize) {
        let objects = self.gates[at].waiting();
        if objects > 0 {
            self.leave_undone();
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
            self.work.stop.stop(StopReason::MaxTransfer);
            return self.leave_undone();
        }
        self.start(action);
    }

    pub(super) fn start(&mut self, action: Action) {
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

    pub(super) fn finished(&mut self, joined: std::result::Result<Finished, tokio::task::JoinError>) {
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
        let stopped = self.work.stop.reason().is_some();
        let may_be_sent = action.deed == Deed::Copy && action.origin.is_some();
        if result.is_err() && may_be_sent && !stopped {
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
                    Done::Now => outcome.made(&action),
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
            // It would be sent after all, and nothing new is taken up.
            Err(_) if may_be_sent && stopped => self.leave_undone(),
            Err(error) => {
                let room = self.rooms[action.to - 1].as_mut().filter(|_| Room::is_for(&action, &error));
                if let Err(error) = room.map_or(Err(error), |room| room.wait(&action)) {
                    self.failed(action.to, &action.key, action.deed, &error);
                }
            }
        }
        if self.work.stop.reason().is_none() {
            freed.into_iter().for_each(|action| self.start(action));
        } else if !freed.is_empty() {
            self.leave_undone();
        }
        self.open_gates();
    }

    /// Something is not done; where that is so because the run was stopped, that is how it ended.
    pub(super) fn leave_undone(&mut self) {
        if let Some(reason) = self.work.stop.reason() {
            self.outcome.stopped.get_or_insert(reason);
        }
    }

    pub(super) fn failed(&mut self, to: usize, key: &Key, deed: Deed, error: &Error) {
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

    /// What was set aside for a destination cannot be had again, and what it was cannot be said: nothing after it is begun,
    /// and the run ends with that error.
    pub(super) fn broken(&mut self, at: usize, error: Error) {
        self.outcome.targets[at].failed += 1;
        self.broken.get_or_insert(error);
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

    pub(super) async fn drain(&mut self) {
        while let Some(finished) = self.tasks.join_next().await {
            self.finished(finished);
        }
    }
}
