//! What a plan will send, before anything is sent: the requests and bytes of each place. Nothing is asked of any store.
//!
//! It follows what [`act`](super::act) and [`run`](super::run) do, call by call, and uses what they use to decide. Where
//! nothing fails and nothing changes meanwhile, a run sends exactly that; less where an upload is gone on with that an
//! earlier run left. What several destinations read together counts once, though one that is too slow reads by itself; what
//! several processes at once make of one upload nobody can say.

use std::{collections::HashMap, sync::Arc};

use sterna_backends::{Called, Capabilities, Deleted, Key, Requests, Spend, Store, Turn};

use super::{
    Settings, Target,
    act::aside,
    adopt, again,
    budget::{cut, is_big, shared_part},
    carry::lists_less,
    deletes::SOURCE_DELETES,
    departing::departing,
    parts,
    run::slots,
};
use crate::{
    event::Deed,
    plan::{Action, Item},
    price::{Change, Stock},
};

/// What a run costs at each of its places, before prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expense {
    /// The source.
    pub source: Outlay,
    /// The destinations, in their order.
    pub targets: Vec<Outlay>,
    /// The places for what is overwritten and deleted, one for each destination; a destination that keeps it itself has what
    /// that costs with its own.
    pub backups: Vec<Outlay>,
}

/// What a run costs at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlay {
    /// What passes between us and the place.
    pub sent: Spend,
    /// What that changes of what is kept there.
    pub change: Change,
    /// What is kept there before, as far as it was listed; `None`: it was not.
    pub kept: Option<Stock>,
}

impl Outlay {
    /// Adds what another try, or another part of the run, takes at the same place.
    pub fn add(&mut self, later: &Self) {
        let Self { sent, change, kept } = later;
        self.sent.add(sent);
        self.change.add(change);
        self.kept = self.kept.take().or_else(|| kept.clone());
    }
}

impl Expense {
    fn of(targets: usize) -> Self {
        Self {
            source: Outlay::default(),
            targets: vec![Outlay::default(); targets],
            backups: vec![Outlay::default(); targets],
        }
    }

    /// Adds what another try over the same places takes.
    pub fn follow(&mut self, later: &Self) {
        let Self { source, targets, backups } = later;
        self.source.add(source);
        self.targets.iter_mut().zip(targets).for_each(|(outlay, later)| outlay.add(later));
        self.backups.iter_mut().zip(backups).for_each(|(outlay, later)| outlay.add(later));
    }

    fn at(&mut self, side: Side) -> &mut Outlay {
        match side {
            Side::Source => &mut self.source,
            Side::Target(at) => &mut self.targets[at],
            Side::Backup(at) => &mut self.backups[at],
        }
    }
}

/// A place of the run; destinations from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Source,
    Target(usize),
    Backup(usize),
}

/// Counts a plan item by item.
pub struct Forecast {
    source: Arc<dyn Store>,
    targets: Vec<Target>,
    settings: Settings,
    /// Whether uploads that another process left are looked for.
    adopts: bool,
    slots: u64,
    expense: Expense,
    puts: HashMap<Side, u64>,
    deletes: Vec<Vec<Deleted>>,
    /// Objects that are read for several destinations, and how many of these are still to come.
    shared: HashMap<Key, usize>,
    /// Objects that are deleted at the source once they have arrived at so many more destinations.
    arriving: HashMap<Key, usize>,
    arrived: Vec<Deleted>,
}

impl Forecast {
    /// Of a run with these places and settings; `adopts`: whether it keeps records of its uploads.
    #[must_use]
    pub fn new(source: Arc<dyn Store>, targets: Vec<Target>, settings: Settings, adopts: bool) -> Self {
        let slots = slots(&settings, &source, &targets) as u64;
        let (expense, deletes) = (Expense::of(targets.len()), targets.iter().map(|_| Vec::new()).collect());
        let (puts, shared, arriving, arrived) = (HashMap::new(), HashMap::new(), HashMap::new(), Vec::new());
        Self { source, targets, settings, adopts, slots, expense, puts, deletes, shared, arriving, arrived }
    }

    /// Counts the next line of the plan.
    pub fn take(&mut self, item: &Item) {
        let Item::Action(action) = item else { return };
        let to = Side::Target(action.to - 1);
        match action.deed {
            Deed::Transfer | Deed::Copy | Deed::Touch => self.act(action, to),
            Deed::Delete | Deed::Backup => self.delete(action),
            Deed::DeleteSource => self.delete_source(action),
        }
        if action.delete_source && action.deed != Deed::DeleteSource {
            self.delete_source(action);
        }
    }

    /// What is counted so far, with what has gathered and is not sent yet.
    #[must_use]
    pub fn so_far(&self) -> Expense {
        let mut expense = self.expense.clone();
        for (at, batch) in self.deletes.iter().enumerate() {
            expense.targets[at].sent.requests.extend(&deletes(&self.targets[at].store, batch), 1);
        }
        expense.source.sent.requests.extend(&deletes(&self.source, &self.arrived), 1);
        expense
    }

    fn store(&self, side: Side) -> Arc<dyn Store> {
        match side {
            Side::Source => Arc::clone(&self.source),
            Side::Target(at) => Arc::clone(&self.targets[at].store),
            // A destination without a backup place has no backups.
            Side::Backup(at) => Arc::clone(self.targets[at].backup.as_ref().unwrap_or(&self.targets[at].store)),
        }
    }

    fn call(&mut self, side: Side, call: &Called<'_>, times: u64) {
        let requests: Requests = self.store(side).requests(call);
        self.expense.at(side).sent.requests.extend(&requests, times);
    }

    fn act(&mut self, action: &Action, to: Side) {
        if self.settings.check_drift {
            self.call(Side::Source, &Called::Stat, 1);
            self.call(to, &Called::Stat, 1);
        }
        let (source, target) = (Arc::clone(&self.source), self.store(to));
        let can = (source.capabilities(), target.capabilities());
        if action.deed == Deed::Copy && action.origin.is_some() && told_less(action, can.0) {
            self.call(Side::Source, &Called::Stat, 1);
        }
        self.keep_old(action);
        if action.deed == Deed::Touch {
            return self.touch(action, to);
        }
        let tagged = self.settings.tags && can.0.metadata.tags && can.1.metadata.tags;
        if tagged && action.deed == Deed::Transfer {
            self.call(Side::Source, &Called::Tags, 1);
        }
        let shared = shared_part(&self.settings, &self.targets, action);
        let big = match action.deed {
            Deed::Transfer if action.readers > 1 => shared.is_some(),
            deed => is_big(&self.settings, can, deed, action.bytes()),
        };
        self.carry(action, (Side::Source, to), big, shared);
    }

    /// As [`again`] does it.
    fn touch(&mut self, action: &Action, to: Side) {
        let store = self.store(to);
        let (can, bytes) = (store.capabilities(), again::touched_bytes(action));
        let (Some(part), Some(own)) = (again::part_size(can, bytes), store.copy_source(&action.key)) else {
            return self.call(to, &Called::SetMetadata, 1);
        };
        self.call(to, &Called::Stat, 1);
        self.call(to, &Called::Tags, u64::from(can.metadata.tags));
        self.call(to, &Called::Begin, 1);
        self.call(to, &Called::CopyPart(&own), bytes.div_ceil(part));
        self.call(to, &Called::Complete, 1);
    }

    /// What is overwritten or deleted goes into the backup place first.
    fn keep_old(&mut self, action: &Action) {
        let at = action.to - 1;
        if let Some((moved, big)) = aside(&self.settings, &self.targets[at], action) {
            let target = &self.targets[at];
            let beside = target.backup.as_ref().is_some_and(|backup| Arc::ptr_eq(backup, &target.store));
            let backup = if beside { Side::Target(at) } else { Side::Backup(at) };
            self.carry(&moved, (Side::Target(at), backup), big, None);
        }
    }

    /// What is kept no more once that is done of `action`.
    fn departs(&mut self, action: &Action, deed: Deed, side: Side) {
        if let Some(gone) = departing(action, deed, self.store(side).capabilities()) {
            self.expense.at(side).change.gone.add(gone.size, gone.stored);
        }
    }

    fn carry(&mut self, action: &Action, (from, to): (Side, Side), big: bool, shared: Option<u64>) {
        let (source, target) = (self.store(from), self.store(to));
        self.expense.at(to).change.added.add_about(action.bytes());
        self.departs(action, action.deed, to);
        let can = (source.capabilities(), target.capabilities());
        if big && action.origin.is_none() && told_less(action, can.0) {
            self.call(from, &Called::Stat, 1);
        }
        let bytes = action.bytes();
        let parts = match cut(&self.settings, can, action.deed, bytes, shared).filter(|_| big) {
            Some(part) => bytes.div_ceil(part).max(1),
            None => 0,
        };
        if parts > 0 {
            let worth = can.1.multipart.is_some_and(|ability| adopt::is_worth_it(can.0, &ability, action.deed, bytes));
            self.call(to, &Called::Begun, u64::from(self.adopts && worth));
            self.call(to, &Called::Begin, 1);
            self.call(to, &Called::Complete, 1);
        }
        match action.deed {
            Deed::Copy => self.copy(action, &source, to, parts),
            _ => self.send(action, (from, to), parts),
        }
    }

    fn send(&mut self, action: &Action, (from, to): (Side, Side), parts: u64) {
        let bytes = action.bytes();
        if self.reads(action, from) {
            self.call(from, &Called::Read, parts.max(1));
            self.expense.at(from).sent.bytes_in += bytes;
        }
        self.expense.at(to).sent.bytes_out += bytes;
        let at_once = self.slots.min(parts::AT_ONCE as u64);
        for nth in 0..parts {
            self.call(to, &Called::PutPart { turn: Turn { nth, at_once } }, 1);
        }
        if parts == 0 {
            let puts = self.puts.entry(to).or_default();
            let turn = Turn { nth: *puts, at_once: self.slots };
            *puts += 1;
            self.call(to, &Called::Put { key: &action.key, replaces: action.target.is_some(), turn }, 1);
        }
    }

    /// Whether the reading of what is sent was not counted yet, for another destination.
    fn reads(&mut self, action: &Action, from: Side) -> bool {
        let Some(source) = action.source.as_ref().filter(|_| action.readers > 1 && from == Side::Source) else {
            return true;
        };
        match self.shared.remove(&source.key) {
            None => drop(self.shared.insert(source.key.clone(), action.readers - 1)),
            Some(left) => {
                if left > 1 {
                    self.shared.insert(source.key.clone(), left - 1);
                }
                return false;
            }
        }
        true
    }

    fn copy(&mut self, action: &Action, source: &Arc<dyn Store>, to: Side, parts: u64) {
        let Some(entry) = &action.source else { return };
        if action.origin.as_ref().is_some_and(|origin| origin.to_look_at().is_some()) {
            self.call(to, &Called::Stat, parts.max(1));
        }
        let own = || {
            let mut own = source.copy_source(&entry.key)?;
            own.version.clone_from(&entry.version);
            Some(own)
        };
        let Some(copied) = action.origin.as_ref().map_or_else(own, |origin| Some(origin.at.clone())) else { return };
        if parts > 0 {
            return self.call(to, &Called::CopyPart(&copied), parts);
        }
        let call = Called::Copy {
            source: &copied,
            key: &action.key,
            replaces: action.target.is_some(),
            replaces_metadata: action.metadata.is_some() || action.origin.is_some(),
            dated: entry.modified.is_some(),
        };
        self.call(to, &call, 1);
    }

    fn delete(&mut self, action: &Action) {
        let at = action.to - 1;
        if self.settings.check_drift {
            self.call(Side::Target(at), &Called::Stat, 1);
        }
        if action.deed == Deed::Backup {
            self.keep_old(action);
        }
        self.departs(action, action.deed, Side::Target(at));
        self.deletes[at].push(action.key.clone().into());
        let store = Arc::clone(&self.targets[at].store);
        if self.deletes[at].len() >= store.capabilities().deleted_together() {
            let batch = std::mem::take(&mut self.deletes[at]);
            self.expense.targets[at].sent.requests.extend(&deletes(&store, &batch), 1);
        }
    }

    fn delete_source(&mut self, action: &Action) {
        let Some(source) = &action.source else { return };
        self.call(Side::Source, &Called::Stat, 1);
        if self.settings.check_drift && action.deed == Deed::DeleteSource {
            self.call(Side::Target(action.to - 1), &Called::Stat, 1);
        }
        let left = self.arriving.remove(&source.key).unwrap_or(self.targets.len());
        if left > 1 {
            self.arriving.insert(source.key.clone(), left - 1);
            return;
        }
        self.departs(action, Deed::DeleteSource, Side::Source);
        self.arrived.push(source.key.clone().into());
        if self.arrived.len() >= SOURCE_DELETES {
            let batch = std::mem::take(&mut self.arrived);
            self.expense.source.sent.requests.extend(&deletes(&self.source, &batch), 1);
        }
    }
}

/// Whether a stat is to tell what the listing did not.
fn told_less(action: &Action, source: &Capabilities) -> bool {
    lists_less(source) && action.source.as_ref().is_some_and(|entry| entry.metadata.is_none())
}

/// In as many calls as the run makes of them.
fn deletes(store: &Arc<dyn Store>, targets: &[Deleted]) -> Requests {
    let mut requests = Requests::default();
    for batch in targets.chunks(store.capabilities().deleted_together()) {
        requests.extend(&store.requests(&Called::Delete(batch)), 1);
    }
    requests
}
