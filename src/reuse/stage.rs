//! The stage between deciding and doing.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
    sync::Arc,
};

use futures::{FutureExt, SinkExt, Stream, StreamExt, channel::mpsc::Sender, future::join_all, stream};
use sterna_backends::{Error, ErrorKind, Operation, Result, Store, StoreExt};

use super::{
    order::order,
    target::{Scouted, Target, learn},
};
use crate::{
    event::Deed,
    index::{Index, Known, Shelves},
    list::Spool,
    plan::{Action, Item, Lost, Totals},
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
        let target = |searched: Searched| match index {
            // What comes from the destination's own endpoint is copied from there.
            Some(index) if !source.shares_domain(&*searched.store) => Target::new(index, searched),
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
        let Some(aside) = self.aside.as_mut() else { return Ok(Some(item)) };
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
        let sizes = self.sizes(&actions).await;
        let reads = actions.into_iter().map(|mut action| {
            let known = sizes[action.to - 1].contains(&action.bytes());
            async move {
                if let Some(entry) = action.source.as_mut().filter(|_| known) {
                    learn(self.source(), entry).await;
                }
                action
            }
        });
        let actions: Vec<Action> = stream::iter(reads).buffered(self.checkers).collect().await;
        order(&actions).into_iter().map(|at| actions[at].clone()).collect()
    }

    /// The sizes of `actions` that may become copies of which something is known to lie there, destination by destination.
    async fn sizes<'a>(&self, actions: impl IntoIterator<Item = &'a Action>) -> Vec<BTreeSet<u64>> {
        let mut sizes = vec![BTreeSet::new(); self.targets.len()];
        for action in actions.into_iter().filter(|action| self.copying(action).is_some()) {
            sizes[action.to - 1].insert(action.bytes());
        }
        let asked = self.targets.iter().zip(sizes).map(|(target, sizes)| async move {
            match target {
                Some(target) => target.twins.sizes(sizes).await,
                None => sizes,
            }
        });
        join_all(asked).await
    }

    /// Sends `items` on, in their order, those as copies that need not be sent. The looks are made together; what is
    /// decided depends on the account alone.
    async fn pass(&mut self, items: Vec<Item>, out: &mut Sender<Result<Item>>) -> Result<()> {
        let actions =
            items.iter().filter_map(|item| if let Item::Action(action) = item { Some(&**action) } else { None });
        let sizes = self.sizes(actions).await;
        let met: Vec<Met> = items.into_iter().map(|item| self.meet(item, &sizes)).collect::<Result<_>>()?;
        let this = &*self;
        let scouts = met.into_iter().map(|mut met| async move {
            if let Met::Maybe(scouted) = &mut met
                && let Some(target) = this.target(&scouted.action)
            {
                target.scout(this.source(), scouted).await;
            }
            met
        });
        let scouted: Vec<Met> = stream::iter(scouts).buffered(self.checkers).collect().await;
        let mut passed = Vec::with_capacity(scouted.len());
        for met in scouted {
            passed.push(match met {
                Met::As(item) => {
                    if let Item::Action(action) = &item
                        && let Some(target) = self.target(action).filter(|_| writes(action))
                    {
                        target.note(action)?;
                    }
                    item
                }
                Met::Maybe(scouted) => match self.targets.get_mut(scouted.action.to - 1).and_then(Option::as_mut) {
                    Some(target) => item(target.settle(*scouted)?),
                    None => item(scouted.action),
                },
            });
        }
        count_readers(&mut passed);
        for item in passed {
            send(out, item).await?;
        }
        Ok(())
    }

    /// Whether `item` may become a copy, and what of; in the order of the plan.
    fn meet(&self, item: Item, sizes: &[BTreeSet<u64>]) -> Result<Met> {
        match item {
            Item::Action(action) => match self.copying(&action) {
                Some(target) => {
                    let known = sizes[action.to - 1].contains(&action.bytes());
                    target.meet(self.source(), *action, known).map(|scouted| Met::Maybe(Box::new(scouted)))
                }
                None => Ok(Met::As(Item::Action(action))),
            },
            other @ (Item::Problem(_) | Item::Lost(_)) => Ok(Met::As(other)),
        }
    }

    /// The destination of `action`, if a copy there would do as well.
    fn copying(&self, action: &Action) -> Option<&Target> {
        self.target(action).filter(|target| target.may_copy(action))
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

enum Met {
    As(Item),
    Maybe(Box<Scouted>),
}
