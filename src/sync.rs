//! The whole river on one page: list, compare, plan, transfer.
//!
//! [`plan`] turns two or more places into a stream of [`Item`]s; [`sync`] pours that stream straight into
//! [`transfer`]; [`apply`] pours a stream that was written down earlier.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{
    SinkExt, Stream, StreamExt,
    channel::mpsc::{self, Sender},
    stream,
};
use serde::Serialize;
use sterna_backends::{Entry, Error, ErrorKind, Operation, Result, Store};

use crate::{
    compare::{Evidence, Policy, Reason, Verdict},
    event::{Event, Observers},
    index::{Index, Known, Learnt, Shelves, rows, settle},
    list::{Listing, Merge, Row, Scope, Spool},
    plan::{
        Action, Census, Decision, Header, Intent, Item, MaxDelete, MetadataRules, Planner, Target, Totals, losses,
        permit,
    },
    reuse::{Reuse, Searched, Step},
    transfer::{self, Outcome, Records, Settings, Stop, Work},
};

/// Bytes of planned deletes that are kept off the disk.
const DELETES_IN_MEMORY: usize = 4 * 1024 * 1024;

/// Items of a plan that may wait for transfer.
const AHEAD: usize = 256;

/// What is to be made of which places.
#[derive(Clone)]
pub struct Job {
    /// Copy, sync or move.
    pub intent: Intent,
    /// Where the objects come from.
    pub source: Arc<dyn Store>,
    /// Where they go.
    pub targets: Vec<transfer::Target>,
    /// Added to the key of what goes to a backup place.
    pub suffix: String,
    /// What of them.
    pub scope: Scope,
    /// How objects are compared.
    pub policy: Policy,
    /// How many deletes are allowed.
    pub max_delete: MaxDelete,
    /// Metadata by rule.
    pub rules: MetadataRules,
    /// Pairs that are looked at together where a comparison needs more than the listings tell.
    pub checkers: usize,
    /// What is known from earlier runs, and for later ones.
    pub index: Option<Index>,
    /// Copy what already lies at a destination under another key; takes an index.
    pub reuse: bool,
    /// Who wants to know.
    pub observer: Observers,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was planned, per destination.
    pub totals: Vec<Totals>,
    /// What was done, per destination.
    pub outcome: Outcome,
}

/// A plan under way: its items, and its totals once they have ended.
pub struct Planning<S> {
    /// Transfers in byte order of their keys, then deletes. An error means that a listing did not end cleanly; no
    /// delete comes before or after it.
    pub items: S,
    /// Complete once the items have ended.
    pub totals: PlanTotals,
}

/// The totals of a plan under way.
#[derive(Clone, Debug, Default)]
pub struct PlanTotals(Arc<Mutex<Vec<Totals>>>);

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

impl Job {
    /// What is known of its places, the source first.
    fn shelves(&self) -> Shelves {
        Shelves::of(
            self.index.as_ref(),
            [&self.source].into_iter().chain(self.targets.iter().map(|target| &target.store)),
        )
    }

    /// The first line of the plan; its totals are still to come. `names` are the places as the user wrote them.
    #[must_use]
    pub fn header(&self, source: String, destinations: Vec<String>, backup_dir: Option<String>) -> Header {
        let source_can = self.source.capabilities();
        let lost = |target: &transfer::Target| losses(source_can, target.store.capabilities());
        let mut losses: Vec<String> = self.targets.iter().flat_map(lost).collect();
        losses.sort();
        losses.dedup();
        Header {
            sterna_plan: crate::plan::VERSION,
            intent: self.intent,
            source,
            destinations,
            backup_dir,
            policy: self.policy,
            losses,
            totals: self.targets.iter().map(|_| Totals::default()).collect(),
        }
    }
}

/// Lists, compares and plans; nothing is changed. The same job over the same places gives the same items.
///
/// The index learns nothing from it but what the listings tell: what one comparison learnt would else decide another one,
/// in the run itself or in the one after a dry run.
pub fn plan(job: Job) -> Planning<impl Stream<Item = Result<Item>> + Send> {
    planning(job, None)
}

/// [`plan`], where what it learns of objects that are the same on both sides is set aside in `learnt`.
fn planning(job: Job, learnt: Option<Arc<Learnt>>) -> Planning<impl Stream<Item = Result<Item>> + Send> {
    let shelves = job.shelves().that_learn_nothing();
    let totals = PlanTotals::default();
    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut failed = sender.clone();
    let report = totals.clone();
    let observer = Arc::clone(&job.observer);
    let work = async move {
        match decided(job, (shelves, learnt), sender).await {
            Ok(totals) => report.set(&totals),
            Err(error) => {
                let _nobody_listens = failed.send(Err(error)).await;
            }
        }
    };
    // The planner runs whenever the stream is polled, and stops when it is dropped.
    let planner = stream::once(work).filter_map(|()| async { None });
    let items = stream::select(receiver, planner).inspect(move |item| match item {
        Ok(Item::Action(action)) => observer.on(&Event::Planned { deed: action.deed, bytes: action.bytes() }),
        Ok(Item::Problem(_)) | Err(_) => {}
    });
    Planning { items, totals }
}

/// Decides, and has what need not be sent copied.
async fn decided(
    job: Job,
    (shelves, learnt): (Shelves, Option<Arc<Learnt>>),
    out: Sender<Result<Item>>,
) -> Result<Vec<Totals>> {
    let searched =
        |target: &transfer::Target| Searched { store: Arc::clone(&target.store), others: target.searched.clone() };
    let targets: Vec<Searched> = job.targets.iter().map(searched).collect();
    let index = job.index.as_ref().filter(|_| job.reuse);
    let reuse = Reuse::new(index, (&job.source, shelves.clone(), job.checkers), targets)?;
    let observer = Arc::clone(&job.observer);
    let (sender, steps) = mpsc::channel(AHEAD);
    let mut failed = sender.clone();
    let drive = async move {
        if let Err(error) = drive(job, (&shelves, learnt.as_deref()), sender).await {
            let _nobody_listens = failed.send(Err(error)).await;
        }
    };
    let (totals, ()) = futures::future::join(reuse.run(steps, out), drive).await;
    let totals = totals?;
    observer.on(&Event::PlanEnded);
    Ok(totals)
}

/// Lists, compares, plans and carries out. What it had to read of objects that are the same is remembered at its end.
///
/// # Errors
/// What ended a listing; failures of single objects are in the [`Summary`].
pub async fn sync(
    job: Job,
    settings: Settings,
    records: Records,
    stop: Stop,
    mut tee: impl FnMut(&Item) -> Result<()> + Send,
) -> Result<Summary> {
    let work = Work {
        source: Arc::clone(&job.source),
        targets: job.targets.clone(),
        settings,
        policy: job.policy,
        records,
        shelves: job.shelves(),
        observer: Arc::clone(&job.observer),
        stop,
    };
    let (index, learnt) = (job.index.clone(), Arc::new(Learnt::nothing()));
    let planning = planning(job, index.as_ref().map(|_| Arc::clone(&learnt)));
    let totals = planning.totals.clone();
    let items = planning.items.map(move |item| {
        let item = item?;
        tee(&item)?;
        Ok(item)
    });
    let outcome = transfer::run(work, items).await?;
    // Who stops a run does not wait for its memory.
    if let (Some(index), Some(learnt), None) = (index, Arc::into_inner(learnt), outcome.stopped) {
        let _panicked = tokio::task::spawn_blocking(move || learnt.remember(&index)).await;
    }
    Ok(Summary { totals: totals.get(), outcome })
}

/// Carries out a plan that was written down earlier; what has drifted since is refused, object by object.
///
/// # Errors
/// What ended the stream of items.
pub async fn apply(work: Work, items: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
    let settings = Settings { check_drift: true, ..work.settings.clone() };
    transfer::run(Work { settings, ..work }, items).await
}

/// A row of the merged listings with its verdicts, one a destination.
struct Judged {
    ended: Arc<[bool]>,
    source: Option<Entry>,
    targets: Vec<(Option<Entry>, Result<Verdict>)>,
}

async fn drive(job: Job, (shelves, learnt): (&Shelves, Option<&Learnt>), mut out: Sender<Result<Step>>) -> Result<()> {
    let targets = job.targets.iter().map(|target| facts(&job, target)).collect();
    let mut planner = Planner::new(job.intent, targets, job.rules.clone());
    let mut extras: Vec<Spool<Action>> = job.targets.iter().map(|_| Spool::new(DELETES_IN_MEMORY)).collect();
    let mut census = vec![Census { source: 0, target: 0, extra: 0 }; job.targets.len()];

    told(&job).await;
    let mut listed = vec![false; job.targets.len()];
    let merge = Merge::new(listings(&job));
    let rows = rows(merge, shelves.walks(job.scope.is_everything()));
    let judged = rows.map(|row: Result<Row>| async { Ok::<_, Error>(judge_row(&job, (shelves, learnt), row?).await) });
    let mut judged = std::pin::pin!(judged.buffered(job.checkers.max(1)));
    while let Some(row) = judged.next().await {
        let row = row?;
        let now_ended = Arc::clone(&row.ended);
        let items = decide(&job, &mut planner, row, &mut extras, &mut census)?;
        if !items.is_empty() {
            say(&mut out, Step::Items(items)).await?;
        }
        for to in 1..=job.targets.len() {
            if now_ended[to] && !std::mem::replace(&mut listed[to - 1], true) {
                told(&job).await;
                say(&mut out, Step::Listed(to)).await?;
            }
        }
    }
    told(&job).await;
    for to in 1..=job.targets.len() {
        say(&mut out, Step::Listed(to)).await?;
    }
    // Both listings have ended cleanly; only now deletes may be spoken of.
    for (at, extra) in extras.into_iter().enumerate() {
        if extra.is_empty() {
            continue;
        }
        if let Err(why) = permit(job.max_delete, census[at]) {
            let event = Event::DeletesBlocked { place: at + 1, objects: extra.len(), why: why.clone() };
            job.observer.on(&event);
            planner.totals_mut()[at].deletes_blocked = Some(why);
            continue;
        }
        for action in extra.read()? {
            let action = action?;
            if planner.is_another_case(at + 1, &action.key) {
                continue;
            }
            planner.totals_mut()[at].deletes += 1;
            say(&mut out, Step::Items(vec![Item::Action(Box::new(action))])).await?;
        }
    }
    say(&mut out, Step::Ended(planner.totals().to_vec())).await
}

async fn say(out: &mut Sender<Result<Step>>, step: Step) -> Result<()> {
    out.send(Ok(step)).await.map_err(|_| Error::new(ErrorKind::Cancelled, Operation::List))
}

/// What was told so far, by listings and by earlier runs, can be asked of the index.
async fn told(job: &Job) {
    if let Some(index) = &job.index {
        index.flush().await;
    }
}

fn facts(job: &Job, target: &transfer::Target) -> Target {
    let mut facts = Target::new(job.source.capabilities(), target.store.capabilities());
    facts.backup = target.backup.is_some();
    facts.suffix.clone_from(&job.suffix);
    facts
}

fn listings(job: &Job) -> Vec<Listing> {
    let source = Listing::open(&job.source, &job.scope, 0, Arc::clone(&job.observer)).by_key();
    let targets = job.targets.iter().enumerate().map(|(at, target)| {
        let scope = Scope { filter: Arc::clone(&job.scope.filter), ..Scope::default() };
        // What is not there yet will be made.
        Listing::open(&target.store, &scope, at + 1, Arc::clone(&job.observer)).by_key().missing_is_empty()
    });
    [source].into_iter().chain(targets).collect()
}

async fn judge_row(job: &Job, (shelves, learnt): (&Shelves, Option<&Learnt>), row: Row) -> Judged {
    let ended = row.ended;
    let mut entries = row.entries.into_iter();
    let mut source = entries.next().flatten();
    let admits = |entry: &Entry| job.scope.filter.admits(entry);
    if source.as_ref().is_some_and(|source| !admits(source)) {
        // Out of the filter's bounds: neither compared nor missed.
        return Judged {
            ended,
            source: None,
            targets: job.targets.iter().map(|_| (None, Ok(Verdict::Kept))).collect(),
        };
    }
    let mut targets = Vec::with_capacity(job.targets.len());
    for (at, (theirs, target)) in entries.zip(&job.targets).enumerate() {
        let theirs = theirs.filter(|theirs| source.is_some() || admits(theirs));
        let judged = match (&mut source, theirs) {
            (Some(mine), Some(mut theirs)) => {
                let sides = (Known::at(0, &job.source, shelves), Known::at(at + 1, &target.store, shelves));
                let told = (mine.digests.clone(), theirs.digests.clone());
                let verdict = settle(&job.policy, sides, (mine, &mut theirs)).await;
                // Of what is left as it is nobody else will tell the index.
                if let (Some(learnt), Ok(Verdict::Same { touch: false, .. })) = (learnt, &verdict) {
                    learnt.keep(shelves.get(0), mine, &told.0);
                    learnt.keep(shelves.get(at + 1), &theirs, &told.1);
                }
                (Some(theirs), verdict)
            }
            (_, theirs) => (theirs, Ok(Verdict::Differs(Reason::Missing))),
        };
        targets.push(judged);
    }
    Judged { ended, source, targets }
}

fn decide(
    job: &Job,
    planner: &mut Planner,
    row: Judged,
    extras: &mut [Spool<Action>],
    census: &mut [Census],
) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    if let Some(source) = &row.source {
        planner.source_key(&source.key);
    }
    for (at, (theirs, verdict)) in row.targets.into_iter().enumerate() {
        let to = at + 1;
        census[at].source += u64::from(row.source.is_some());
        census[at].target += u64::from(theirs.is_some());
        census[at].extra += u64::from(row.source.is_none() && theirs.is_some());
        let decision = match (&row.source, theirs) {
            (Some(source), theirs) => match planner.refuse(to, &source.key) {
                Some(refused) => refused,
                None => match verdict {
                    Err(error) if ends_all(error.kind()) => return Err(error),
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        planner.fails(to, &source.key, error.to_string())
                    }
                    // It vanished while it was looked at: at the destination it is missing, at the source the
                    // transfer will find out.
                    verdict => {
                        let verdict = verdict.unwrap_or(Verdict::Differs(Reason::Missing));
                        if matches!(verdict, Verdict::Same { evidence: Evidence::Unproven, .. }) {
                            job.observer.on(&Event::Unproven { key: source.key.clone() });
                        }
                        planner.source_has(to, source, theirs.as_ref(), verdict)
                    }
                },
            },
            (None, Some(theirs)) => planner.source_lacks(to, &theirs),
            (None, None) => Decision::Nothing,
        };
        match decision {
            Decision::Nothing => {}
            Decision::Now(item) => items.push(item),
            Decision::Last(action) => extras[at].push(&action)?,
        }
    }
    if let Some(source) = &row.source {
        planner.source_done(&source.key);
    }
    Ok(items)
}

/// Failures of one object after which no other can be compared either.
fn ends_all(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Cancelled | ErrorKind::NoSuchContainer | ErrorKind::Config)
}
