//! The stage between deciding and doing.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
    sync::Arc,
};

use futures::{FutureExt, SinkExt, Stream, StreamExt, channel::mpsc::Sender, stream};
use sterna_backends::{CopySource, Digests, Entry, Error, ErrorKind, Key, Operation, Result, Store};

use super::{
    ledger::Ledger,
    order::{order, whole},
};
use crate::{
    event::Deed,
    index::{self, Index, Known, Shelves, Twins},
    list::Spool,
    plan::{Action, Item, Lost, Origin, Totals},
};

/// Bytes of actions that wait for the end of a listing, kept off the disk.
const IN_MEMORY: usize = 2 * 1024 * 1024;

/// Objects to be overwritten that are put into order together.
const ORDERED: usize = 10_000;

/// What the planner says.
pub enum Step {
    /// What follows for one key: at most one item a destination.
    Items(Vec<Item>),
    /// The listing of that destination, from 1, has ended.
    Listed(usize),
    /// That of this destination holds the others up: what follows for it comes after all that is theirs.
    Behind(usize),
    /// That of this destination broke off; nothing follows for it.
    Lost(Lost),
    /// The plan has ended; what it counted.
    Ended(Vec<Totals>),
}

/// A destination, and where its contents may lie already.
pub struct Searched {
    /// The destination.
    pub store: Arc<dyn Store>,
    /// Other places it can copy from.
    pub others: Vec<Arc<dyn Store>>,
}

/// The stage: what has to be known of the places.
pub struct Reuse {
    source: Arc<dyn Store>,
    shelves: Shelves,
    checkers: usize,
    targets: Vec<Option<Target>>,
    aside: Option<Aside>,
    /// The same for destinations that were left behind, each by itself.
    behind: BTreeMap<usize, Aside>,
    /// Lost destinations, from 1, and what was set aside for them.
    lost: BTreeMap<usize, Totals>,
}

/// What waits until the listings of all destinations have ended.
struct Aside {
    /// Destinations whose listing goes on.
    open: BTreeSet<usize>,
    /// New objects.
    fresh: Spool<Action>,
    /// Objects that overwrite others.
    over: Spool<Action>,
    /// Objects whose time is set.
    touches: Spool<Action>,
}

impl Aside {
    fn new(open: BTreeSet<usize>) -> Self {
        let spool = || Spool::new(IN_MEMORY);
        Self { open, fresh: spool(), over: spool(), touches: spool() }
    }
}

/// A destination that can copy what it has.
struct Target {
    store: Arc<dyn Store>,
    twins: Twins,
    ledger: Ledger,
    /// Largest copy, in bytes.
    largest: u64,
    reused: u64,
    reused_bytes: u64,
}

impl Reuse {
    /// For these places: the source, and each destination with the others that are searched for its contents. Without
    /// an index every item passes as it is.
    ///
    /// # Errors
    /// Where there is no room for the account of what is written.
    pub fn new(
        index: Option<&Index>,
        (source, shelves, checkers): (&Arc<dyn Store>, Shelves, usize),
        targets: impl IntoIterator<Item = Searched>,
    ) -> Result<Self> {
        let target = |searched: Searched| match (index, searched.store.capabilities().largest_copy()) {
            (Some(index), Some(largest)) => Target::new(index, searched, largest).map(Some),
            _ => Ok(None),
        };
        let targets: Vec<Option<Target>> = targets.into_iter().map(target).collect::<Result<_>>()?;
        let open: BTreeSet<usize> = (1..=targets.len()).filter(|to| targets[to - 1].is_some()).collect();
        let aside = Some(Aside::new(open)).filter(|aside| !aside.open.is_empty());
        Ok(Self {
            source: Arc::clone(source),
            shelves,
            checkers: checkers.max(1),
            targets,
            aside,
            behind: BTreeMap::new(),
            lost: BTreeMap::new(),
        })
    }

    /// Takes steps, and sends items on; the totals are the plan's in the end. What is sent, and in which order, depends
    /// on the steps alone.
    ///
    /// # Errors
    /// What the steps end in; `Cancelled` where nobody listens.
    pub async fn run(
        mut self,
        steps: impl Stream<Item = Result<Step>>,
        mut out: Sender<Result<Item>>,
    ) -> Result<Vec<Totals>> {
        let mut steps = std::pin::pin!(steps);
        let mut pending = Vec::new();
        loop {
            let step = match steps.next().now_or_never() {
                Some(step) => step,
                // Nothing waits longer than the planner does.
                None => {
                    self.pass(std::mem::take(&mut pending), &mut out).await?;
                    steps.next().await
                }
            };
            match step.transpose()? {
                Some(Step::Items(items)) => {
                    for item in items {
                        pending.extend(self.hold(item)?);
                    }
                    if pending.len() >= self.together() {
                        self.pass(std::mem::take(&mut pending), &mut out).await?;
                    }
                }
                Some(Step::Listed(to)) => {
                    self.pass(std::mem::take(&mut pending), &mut out).await?;
                    self.release(to, &mut out).await?;
                }
                Some(Step::Behind(to)) => {
                    self.pass(std::mem::take(&mut pending), &mut out).await?;
                    self.release(to, &mut out).await?;
                    if self.targets[to - 1].is_some() {
                        self.behind.insert(to, Aside::new([to].into()));
                    }
                }
                Some(Step::Lost(lost)) => {
                    self.pass(std::mem::take(&mut pending), &mut out).await?;
                    let to = lost.to;
                    self.lost.insert(to, Totals::default());
                    send(&mut out, Item::Lost(lost)).await?;
                    self.release(to, &mut out).await?;
                }
                Some(Step::Ended(mut totals)) => {
                    self.pass(pending, &mut out).await?;
                    self.lost.iter().for_each(|(to, dropped)| totals[to - 1].take_out(dropped));
                    for (totals, target) in totals.iter_mut().zip(&self.targets) {
                        if let Some(target) = target {
                            totals.reuse(target.reused, target.reused_bytes);
                        }
                    }
                    return Ok(totals);
                }
                None => return Err(Error::new(ErrorKind::Cancelled, Operation::List)),
            }
        }
    }

    /// Items whose looks are made together.
    fn together(&self) -> usize {
        4 * self.checkers
    }

    /// Sets an action aside that cannot be decided on yet.
    fn hold(&mut self, item: Item) -> Result<Option<Item>> {
        let Item::Action(action) = &item else { return Ok(Some(item)) };
        let Some(aside) = self.behind.get_mut(&action.to).or(self.aside.as_mut()) else { return Ok(Some(item)) };
        let copies = self.targets.get(action.to - 1).and_then(Option::as_ref);
        // What overwrites comes last, copied or not; what goes to several destinations stays together.
        let aside = match (&action.target, action.deed) {
            (None, Deed::Transfer) => &mut aside.fresh,
            (Some(_), _) if copies.is_some() && writes(action) => &mut aside.over,
            // It makes another version of what may be copied.
            (Some(_), Deed::Touch) if copies.is_some() => &mut aside.touches,
            _ => return Ok(Some(item)),
        };
        aside.push(action)?;
        Ok(None)
    }

    /// Decides on what was set aside, once all listings have ended: new objects first, while everything that lies there
    /// is still there; then those that overwrite, each before what it copies from is overwritten; then those whose time
    /// is set.
    async fn release(&mut self, to: usize, out: &mut Sender<Result<Item>>) -> Result<()> {
        let Some(Aside { fresh, over, touches, .. }) = self.ended(to) else { return Ok(()) };
        let (mut fresh, mut over, mut touches) =
            (fresh.read()?.peekable(), over.read()?.peekable(), touches.read()?.peekable());
        while let Some(batch) = batch(&mut fresh, self.together())? {
            let batch = self.without_lost(batch);
            self.pass(batch.into_iter().map(item).collect(), out).await?;
        }
        while let Some(mut ordered) = batch(&mut over, ORDERED)? {
            ordered = self.without_lost(ordered);
            ordered = self.ordered(ordered).await;
            let mut ordered = ordered.into_iter().map(Ok).peekable();
            while let Some(batch) = batch(&mut ordered, self.together())? {
                self.pass(batch.into_iter().map(item).collect(), out).await?;
            }
        }
        while let Some(batch) = batch(&mut touches, self.together())? {
            let batch = self.without_lost(batch);
            self.pass(batch.into_iter().map(item).collect(), out).await?;
        }
        Ok(())
    }

    /// What need not wait any more, now that the listing of that destination has ended.
    fn ended(&mut self, to: usize) -> Option<Aside> {
        if let Some(aside) = self.behind.remove(&to) {
            return Some(aside);
        }
        let aside = self.aside.as_mut()?;
        aside.open.remove(&to);
        if aside.open.is_empty() { self.aside.take() } else { None }
    }

    /// Actions whose destinations are still there.
    fn without_lost(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        actions.retain(|action| match self.lost.get_mut(&action.to) {
            Some(dropped) => {
                dropped.add_action(action);
                false
            }
            None => true,
        });
        actions
    }

    /// Actions in the order in which they are best made.
    async fn ordered(&self, actions: Vec<Action>) -> Vec<Action> {
        let reads = actions.into_iter().map(|action| async move {
            match self.target(&action) {
                Some(target) => target.read(self.source(), action).await,
                None => action,
            }
        });
        let actions: Vec<Action> = stream::iter(reads).buffered(self.checkers).collect().await;
        order(&actions).into_iter().map(|at| actions[at].clone()).collect()
    }

    /// Sends `items` on, in their order, those as copies that need not be sent. The looks are made together; what is
    /// decided depends on the account alone.
    async fn pass(&mut self, items: Vec<Item>, out: &mut Sender<Result<Item>>) -> Result<()> {
        let this = &*self;
        let scouts = items.into_iter().map(|item| async move {
            match item {
                Item::Action(action) => match this.target(&action).filter(|target| target.may_copy(&action)) {
                    Some(target) => Scouted::Maybe(Box::new(target.scout(this.source(), *action).await)),
                    None => Scouted::As(Item::Action(action)),
                },
                other @ (Item::Problem(_) | Item::Lost(_)) => Scouted::As(other),
            }
        });
        let scouted: Vec<Scouted> = stream::iter(scouts).buffered(self.checkers).collect().await;
        let source = Known::at(0, &self.source, &self.shelves);
        let mut passed = Vec::with_capacity(scouted.len());
        for scouted in scouted {
            passed.push(match scouted {
                Scouted::As(item) => {
                    if let Item::Action(action) = &item
                        && let Some(target) = self.target(action).filter(|_| writes(action))
                    {
                        target.ledger.note(&action.key).map_err(broken)?;
                    }
                    item
                }
                Scouted::Maybe(scouted) => {
                    let (action, candidate) = *scouted;
                    match self.targets.get_mut(action.to - 1).and_then(Option::as_mut) {
                        Some(target) => item(target.settle(source, action, candidate).await?),
                        None => item(action),
                    }
                }
            });
        }
        count_readers(&mut passed);
        for item in passed {
            send(out, item).await?;
        }
        Ok(())
    }

    fn source(&self) -> Known<'_> {
        Known::at(0, &self.source, &self.shelves)
    }

    fn target(&self, action: &Action) -> Option<&Target> {
        self.targets.get(action.to - 1)?.as_ref()
    }
}

async fn send(out: &mut Sender<Result<Item>>, item: Item) -> Result<()> {
    out.send(Ok(item)).await.map_err(|_| Error::new(ErrorKind::Cancelled, Operation::List))
}

/// Whether it leaves other bytes under its key.
fn writes(action: &Action) -> bool {
    matches!(action.deed, Deed::Transfer | Deed::Copy)
}

fn item(action: Action) -> Item {
    Item::Action(Box::new(action))
}

/// The next actions: at most so many, and those of one key together.
fn batch<I: Iterator<Item = Result<Action>>>(actions: &mut Peekable<I>, most: usize) -> Result<Option<Vec<Action>>> {
    let mut batch: Vec<Action> = Vec::new();
    while let Some(next) = actions.peek() {
        let same = matches!((next, batch.last()), (Ok(next), Some(last)) if next.key == last.key);
        if batch.len() >= most && !same {
            break;
        }
        batch.extend(actions.next().transpose()?);
    }
    Ok(Some(batch).filter(|batch| !batch.is_empty()))
}

/// Notes at each transfer to how many destinations the object goes: they stand together.
fn count_readers(items: &mut [Item]) {
    let key = |item: &Item| match item {
        Item::Action(action) if action.deed == Deed::Transfer => Some(action.key.clone()),
        Item::Action(_) | Item::Problem(_) | Item::Lost(_) => None,
    };
    let same = |a: &Item, b: &Item| match (a, b) {
        (Item::Action(a), Item::Action(b)) => a.key == b.key,
        _ => false,
    };
    for together in items.chunk_by_mut(same) {
        let readers = together.iter().filter_map(key).count();
        for item in together {
            if let Item::Action(action) = item
                && action.deed == Deed::Transfer
            {
                action.readers = readers;
            }
        }
    }
}

enum Scouted {
    As(Item),
    Maybe(Box<(Action, Candidate)>),
}

/// A candidate: which of the places searched, and the object.
type Candidate = Option<(usize, Entry)>;

impl Target {
    fn new(index: &Index, Searched { store, others }: Searched, largest: u64) -> Result<Self> {
        Ok(Self {
            twins: Twins::of(index, [Arc::clone(&store)].into_iter().chain(others)),
            store,
            ledger: Ledger::new().map_err(broken)?,
            largest,
            reused: 0,
            reused_bytes: 0,
        })
    }

    /// Whether a copy would do as well.
    fn may_copy(&self, action: &Action) -> bool {
        let size = action.bytes();
        action.deed == Deed::Transfer && size > 0 && size <= self.largest
    }

    /// Learns the content of the source's object, if something there is as large.
    async fn read(&self, source: Known<'_>, mut action: Action) -> Action {
        if let Some(entry) = &mut action.source
            && let Some(size) = entry.size
            && self.twins.has_size(size).await
        {
            learn(source, entry).await;
        }
        action
    }

    /// Looks for the content at the destination.
    async fn scout(&self, source: Known<'_>, action: Action) -> (Action, Candidate) {
        let mut action = self.read(source, action).await;
        let Some(entry) = &mut action.source else { return (action, None) };
        // What this run has written stands in the account.
        let ours = |found: &Entry| found.key == action.key || self.ledger.wrote(&found.key).unwrap_or(true);
        let suits = |at: usize, found: &Entry| at != 0 || !ours(found);
        let mut candidate = self.twins.find(entry, suits).await;
        if candidate.is_none()
            && let Some(size) = entry.size
            && self.twins.has_size(size).await
            && learn_rest(source, entry).await
        {
            candidate = self.twins.find(entry, suits).await;
        }
        (action, candidate)
    }

    /// A copy, if the candidate will still be there when its turn comes, or if the content is on its way already.
    async fn settle(&mut self, source: Known<'_>, mut action: Action, candidate: Candidate) -> Result<Action> {
        let Some(mut entry) = action.source.take() else { return Ok(action) };
        let size = entry.size.unwrap_or_default();
        let mut origin = None;
        if let Some((at, found)) = candidate {
            let inside = (at == 0).then(|| found.key.clone());
            // Another name of a file changes its stamp: what was copied once is copied on from its copy.
            let stamped = found.stamp.is_some() && self.ledger.twin(size, &entry.digests).map_err(broken)?.is_some();
            let gone = stamped
                || match &inside {
                    Some(key) => self.ledger.wrote(key).map_err(broken)?,
                    None => false,
                };
            origin = self.origin(at, &found, &entry, inside).filter(|_| !gone);
        }
        if origin.is_none() && self.ledger.has_size(size).map_err(broken)? {
            learn(source, &mut entry).await;
            for mut unread in self.ledger.take_unread(size).map_err(broken)? {
                learn(source, &mut unread).await;
                self.ledger.know(&unread).map_err(broken)?;
            }
            if let Some(twin) = self.ledger.twin(size, &entry.digests).map_err(broken)? {
                let at = self.store.copy_source(&twin);
                origin = at.map(|at| Origin {
                    at: CopySource { size: Some(size), ..at },
                    digests: content(&entry),
                    inside: Some(twin),
                    seen: None,
                });
            }
        }
        self.ledger.write(&Entry { key: action.key.clone(), ..entry.clone() }).map_err(broken)?;
        action.source = Some(entry);
        if origin.is_some() {
            action.deed = Deed::Copy;
            action.origin = origin;
            self.reused += 1;
            self.reused_bytes += size;
        }
        Ok(action)
    }

    /// How the destination's store finds `found`, and only while it is still the same.
    fn origin(&self, at: usize, found: &Entry, entry: &Entry, inside: Option<Key>) -> Option<Origin> {
        let mut source = self.twins.store(at)?.copy_source(&found.key)?;
        let domain = self.store.capabilities().copy.as_ref().map(|copy| copy.domain.as_str());
        source.if_match.clone_from(&found.etag);
        source.version.clone_from(&found.version);
        source.size = found.size;
        let seen = Entry { digests: Digests::new(), metadata: None, ..found.clone() };
        (domain == Some(source.domain.as_str())).then_some(Origin {
            at: source,
            digests: content(entry),
            inside,
            seen: Some(seen),
        })
    }
}

/// What says what the content is, to be written down with the plan.
fn content(entry: &Entry) -> Digests {
    whole(&entry.digests).collect()
}

/// Adds the digests of the object's content, where reading it costs no request. What cannot be read stays unknown: the
/// transfer will say why.
async fn learn(source: Known<'_>, entry: &mut Entry) {
    if whole(&entry.digests).next().is_none() && source.store.capabilities().cheap_read {
        let _stays_unknown = index::digests(source.store, entry, &index::ALL).await;
    }
}

/// As [`learn`], where only some of the digests are known: what lies there may be known by another. Whether any was added.
async fn learn_rest(source: Known<'_>, entry: &mut Entry) -> bool {
    let known: Digests = content(entry);
    let missing: Vec<_> = index::ALL.into_iter().filter(|kind| known.get(*kind).is_none()).collect();
    if missing.is_empty() || missing.len() == index::ALL.len() || !source.store.capabilities().cheap_read {
        return false;
    }
    index::digests(source.store, entry, &missing).await.is_ok()
}

fn broken(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Full, Operation::List).because(error)
}
