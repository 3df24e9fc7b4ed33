//! List, compare, plan, transfer: the whole river on one page.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{
    SinkExt, Stream, StreamExt,
    channel::mpsc::{self, Sender},
    stream,
};
use serde::Serialize;
use sterna_backends::Result;

use super::{
    drive::drive,
    exempt::Inventory,
    job::{Job, metered},
    republished::{FirstLook, is_republished},
    round::Round,
};
use crate::{
    event::Event,
    index::{Learnt, Shelves},
    list::{Patience, Spool},
    plan::{Item, Totals},
    reuse::{Reuse, Searched},
    spending::Spending,
    transfer::{self, Expense, Outcome, Records, Settings, Stop, StopReason, Work},
};

/// Items of a plan that may wait for transfer.
const AHEAD: usize = 256;

/// Bytes of a plan that are kept off the disk while it waits for consent.
const PLAN_IN_MEMORY: usize = 4 * 1024 * 1024;

/// How often a source is looked at anew that is republished while it is mirrored.
const TRIES: u32 = 3;

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was planned, per destination.
    pub totals: Vec<Totals>,
    /// What was done, per destination.
    pub outcome: Outcome,
    /// What planning sent, and what the plan said that carrying it out would send.
    #[serde(skip)]
    pub quote: Expense,
    /// What of the source was to be mirrored, by the last listing; `None`: it did not end.
    #[serde(skip)]
    pub inventory: Option<Inventory>,
}

/// A plan under way: its items, and its totals once they have ended.
pub struct Planning<S> {
    /// Transfers in byte order of their keys, group by group, then deletes, those of the last group first. An error means
    /// that the source's listing did not end cleanly, or that of the only destination; no delete comes before or after
    /// it. Of several destinations one whose listing breaks off is [`Lost`](crate::plan::Lost): nothing comes for it after that, and no
    /// delete before.
    pub items: S,
    /// Complete once the items have ended.
    pub totals: PlanTotals,
    /// What planning itself has sent so far.
    pub spending: Spending,
}

/// The totals of a plan under way.
#[derive(Clone, Debug, Default)]
pub struct PlanTotals(Arc<Mutex<Vec<Totals>>>);

/// What a plan finds out beside its items, for the run that carries it out.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// What was read of objects that are the same on both sides; `None`: nobody wants to know.
    pub(super) learnt: Option<Arc<Learnt>>,
    pub(super) look: FirstLook,
    /// What the source told, once all listings have ended.
    pub(super) inventory: Arc<Mutex<Option<Inventory>>>,
    pub(super) spending: Spending,
    /// Which destinations it is for, and how long they wait for one another.
    pub(super) round: Round,
    pub(super) patience: Patience,
    /// How many objects earlier rounds of the run have added, by destination; none: there were no such rounds.
    pub(super) added: Vec<u64>,
}

impl PlanTotals {
    /// Per destination; empty before the plan has ended.
    #[must_use]
    pub fn get(&self) -> Vec<Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, totals: &[Totals]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = totals.to_vec();
    }
}

/// Lists, compares and plans; nothing is changed. The same job over the same places gives the same items.
///
/// The index learns nothing from it but what the listings tell: what one comparison learnt would else decide another one,
/// in the run itself or in the one after a dry run. Where there is a [`Grace`](crate::list::Grace), it is noted what is missing at the source.
pub fn plan(job: Job) -> Planning<impl Stream<Item = Result<Item>> + Send> {
    planning(job, Found::default())
}

/// [`plan`], where what it finds out beside its items is set aside.
fn planning(job: Job, mut found: Found) -> Planning<impl Stream<Item = Result<Item>> + Send> {
    let shelves = job.shelves().that_learn_nothing();
    let (job, spending) = metered(job);
    found.spending = spending.clone();
    let totals = PlanTotals::default();
    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut failed = sender.clone();
    let report = totals.clone();
    let observer = Arc::clone(&job.observer);
    let work = async move {
        match decided(job, shelves, found, sender).await {
            Ok(totals) => report.set(&totals),
            Err(error) => {
                let _nobody_listens = failed.send(Err(error)).await;
            }
        }
    };
    // The planner runs whenever the stream is polled, and stops when it is dropped. Boxed, as all of the river that is large:
    // whoever awaits it in a thread of 2 MiB would run out of stack.
    let planner = stream::once(Box::pin(work)).filter_map(|()| async { None });
    let items = stream::select(receiver, planner).inspect(move |item| match item {
        Ok(Item::Action(action)) => observer.on(&Event::Planned { deed: action.deed, bytes: action.bytes() }),
        Ok(Item::Problem(_) | Item::Lost(_)) | Err(_) => {}
    });
    Planning { items, totals, spending }
}

/// Decides, and has what need not be sent copied.
async fn decided(job: Job, shelves: Shelves, found: Found, out: Sender<Result<Item>>) -> Result<Vec<Totals>> {
    let searched =
        |target: &transfer::Target| Searched { store: Arc::clone(&target.store), others: target.searched.clone() };
    let targets: Vec<Searched> = job.targets.iter().map(searched).collect();
    let index = job.index.as_ref().filter(|_| job.reuse);
    let reuse = Reuse::new(index, (&job.source, shelves.clone(), job.checkers), targets)?;
    let observer = Arc::clone(&job.observer);
    let (sender, steps) = mpsc::channel(AHEAD);
    let mut failed = sender.clone();
    let drive = async move {
        if let Err(error) = drive(job, &shelves, &found, sender).await {
            let _nobody_listens = failed.send(Err(error)).await;
        }
    };
    let (totals, ()) = futures::future::join(reuse.run(steps, out), drive).await;
    let totals = totals?;
    observer.on(&Event::PlanEnded);
    Ok(totals)
}

/// Who decides whether a plan is carried out: told what was planned and what that has cost and will cost, earlier looks at the
/// same places included.
pub type Consent<'a> = &'a (dyn Fn(&[Totals], &Expense) -> bool + Send + Sync);

/// Lists, compares, plans and carries out. A source that is republished meanwhile is listed anew, a few times, and of several
/// destinations one for which the others had no [patience](Job::patience) is made after them. What had to be read of objects
/// that are the same is remembered at the end.
///
/// # Errors
/// What ended a listing; failures of single objects are in the [`Summary`].
pub async fn sync(
    job: Job,
    settings: Settings,
    records: Records,
    stop: Stop,
    tee: impl FnMut(&Item) -> Result<()> + Send,
) -> Result<Summary> {
    sync_with(job, settings, records, stop, None, tee).await
}

/// [`sync`], where each plan is complete before anything of it is done, and nothing is done without `consent`: then the run has
/// stopped for [`StopReason::OverBudget`].
///
/// # Errors
/// As [`sync`]; where there is no room to keep the plan.
pub async fn sync_with(
    job: Job,
    settings: Settings,
    records: Records,
    stop: Stop,
    consent: Option<Consent<'_>>,
    mut tee: impl FnMut(&Item) -> Result<()> + Send,
) -> Result<Summary> {
    let mut summary: Option<Summary> = None;
    let (mut round, mut tries) = (Round::default(), 1);
    loop {
        let work = job.work(settings.clone(), records.clone(), stop.clone());
        let mut forecast = job.forecast(settings.clone(), &records);
        let learnt = job.index.as_ref().map(|_| Arc::new(Learnt::nothing()));
        let patience = if consent.is_some() { Patience::default() } else { round.patience(&job) };
        let (this, waits) = (round.clone(), patience.clone());
        let before = summary.iter().flat_map(|summary| &summary.outcome.targets);
        let added = before.map(|target| target.added).collect();
        let found = Found { learnt: learnt.clone(), round: this, patience: waits, added, ..Found::default() };
        let (look, inventory) = (found.look.clone(), Arc::clone(&found.inventory));
        let planning = planning(job.clone(), found);
        let (totals, spending) = (planning.totals.clone(), planning.spending);
        let items = planning.items.map(|item| {
            let item = item?;
            forecast.take(&item);
            tee(&item)?;
            Ok(item)
        });
        let items = match consent {
            None => items.left_stream(),
            Some(consent) => {
                let plan = set_aside(items).await?;
                let mut planned = Summary::of(totals.get(), Outcome::default(), spending.with(forecast.so_far()));
                if let Some(summary) = &summary {
                    planned = summary.clone().followed(planned, &round);
                }
                if !consent(&planned.totals, &planned.quote) {
                    stop.stop(StopReason::OverBudget);
                }
                stream::iter(plan.read()?).right_stream()
            }
        };
        let outcome = Box::pin(transfer::run(work, items)).await?;
        // Who stops a run does not wait for its memory.
        if let (Some(index), Some(learnt), None) = (&job.index, learnt.and_then(Arc::into_inner), outcome.stopped) {
            let index = index.clone();
            let _panicked = tokio::task::spawn_blocking(move || learnt.remember(&index)).await;
        }
        let mut now = Summary::of(totals.get(), outcome, spending.with(forecast.so_far()));
        now.inventory = inventory.lock().unwrap_or_else(PoisonError::into_inner).take();
        let again = tries < TRIES && is_republished(&job, &now, look.get()).await;
        let stopped = now.outcome.stopped.is_some();
        let so_far = match summary.take() {
            Some(summary) => summary.followed(now, &round),
            None => now,
        };
        (round, tries) = match Round::of_those_behind(&job, &patience).filter(|_| !stopped && !again) {
            _ if again => (round, tries + 1),
            Some(behind) => (behind, 1),
            None => return Ok(so_far),
        };
        summary = Some(so_far);
    }
}

/// All of a plan, on the disk where it is long.
async fn set_aside(items: impl Stream<Item = Result<Item>>) -> Result<Spool<Item>> {
    let mut items = std::pin::pin!(items);
    let mut plan = Spool::new(PLAN_IN_MEMORY);
    while let Some(item) = items.next().await {
        plan.push(&item?)?;
    }
    Ok(plan)
}

impl Summary {
    const fn of(totals: Vec<Totals>, outcome: Outcome, quote: Expense) -> Self {
        Self { totals, outcome, quote, inventory: None }
    }

    /// With what came of a later look at the source and the destinations of that `round`.
    fn followed(mut self, later: Self, round: &Round) -> Self {
        let Self { totals, outcome, quote, inventory } = later;
        let totals = self.totals.iter_mut().zip(totals).enumerate().filter(|(at, _)| round.takes(at + 1));
        totals.for_each(|(_, (totals, later))| totals.follow(later));
        self.outcome.follow(outcome, |to| round.takes(to));
        self.quote.follow(&quote);
        self.inventory = inventory;
        self
    }
}

/// Carries out the plan of `job` that was just made, as a whole.
///
/// # Errors
/// What ended the stream of items.
pub async fn carry_out(
    job: &Job,
    settings: Settings,
    records: Records,
    stop: Stop,
    items: impl Stream<Item = Result<Item>>,
) -> Result<Outcome> {
    Box::pin(transfer::run(job.work(settings, records, stop), items)).await
}

/// Carries out a plan that was written down earlier; what has drifted since is refused, object by object.
///
/// # Errors
/// What ended the stream of items.
pub async fn apply(work: Work, items: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
    let settings = Settings { check_drift: true, ..work.settings.clone() };
    Box::pin(transfer::run(Work { settings, ..work }, items)).await
}
