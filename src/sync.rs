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
    compare::{Evidence, Policy, Reason, Verdict, Which},
    event::{Event, Observers, Silent},
    index::{Index, Known, Learnt, Shelves, Unsettled, rows, settle},
    list::{Absences, Generation, Grace, Listing, Merge, Merged, Row, Scope, Spool},
    plan::{
        Action, Census, Decision, Groups, Header, Intent, Item, Lost, MaxDelete, MetadataRules, Planner, Target,
        Totals, losses, permit,
    },
    reuse::{Reuse, Searched, Step},
    spending::Spending,
    transfer::{self, Expense, Forecast, Outcome, Records, Settings, Stop, Work},
};

/// Bytes of planned deletes that are kept off the disk.
const DELETES_IN_MEMORY: usize = 4 * 1024 * 1024;

/// Bytes of one later group that are kept off the disk.
const GROUP_IN_MEMORY: usize = 1024 * 1024;

/// Items of a plan that may wait for transfer.
const AHEAD: usize = 256;

/// How often a source is looked at anew that is republished while it is mirrored.
const TRIES: u32 = 3;

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
    /// In which order objects become visible, and in the opposite one go.
    pub groups: Groups,
    /// How many deletes are allowed.
    pub max_delete: MaxDelete,
    /// How long what the source no longer has stays at the destinations; `None`: it goes at once.
    pub grace: Option<Grace>,
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
    /// What planning sent, and what the plan said that carrying it out would send.
    #[serde(skip)]
    pub quote: Expense,
}

/// A plan under way: its items, and its totals once they have ended.
pub struct Planning<S> {
    /// Transfers in byte order of their keys, group by group, then deletes, those of the last group first. An error means
    /// that the source's listing did not end cleanly, or that of the only destination; no delete comes before or after
    /// it. Of several destinations one whose listing breaks off is [`Lost`]: nothing comes for it after that, and no
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
struct Found {
    /// What was read of objects that are the same on both sides; `None`: nobody wants to know.
    learnt: Option<Arc<Learnt>>,
    look: FirstLook,
}

/// What the source told of its later groups before anything else of it was listed.
#[derive(Clone, Debug, Default)]
struct FirstLook(Arc<Mutex<Option<Generation>>>);

impl FirstLook {
    fn get(&self) -> Option<Generation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, generation: Option<Generation>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = generation;
    }
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

impl Job {
    /// What is known of its places, the source first.
    fn shelves(&self) -> Shelves {
        Shelves::of(
            self.index.as_ref(),
            [&self.source].into_iter().chain(self.targets.iter().map(|target| &target.store)),
        )
    }

    /// What carrying it out takes.
    fn work(&self, settings: Settings, records: Records, stop: Stop) -> Work {
        Work {
            source: Arc::clone(&self.source),
            targets: self.targets.clone(),
            settings,
            policy: self.policy,
            records,
            ordered: self.groups.is_ordered(),
            shelves: self.shelves(),
            observer: Arc::clone(&self.observer),
            stop,
        }
    }

    /// Counts what carrying out the plan will send, item by item.
    #[must_use]
    pub fn forecast(&self, settings: Settings, records: &Records) -> Forecast {
        Forecast::new(Arc::clone(&self.source), self.targets.clone(), settings, records.are_kept())
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
            groups: if self.groups.is_ordered() { self.groups.names() } else { Vec::new() },
            policy: self.policy,
            losses,
            totals: self.targets.iter().map(|_| Totals::default()).collect(),
        }
    }
}

/// Lists, compares and plans; nothing is changed. The same job over the same places gives the same items.
///
/// The index learns nothing from it but what the listings tell: what one comparison learnt would else decide another one,
/// in the run itself or in the one after a dry run. Where there is a [`Grace`], it is noted what is missing at the source.
pub fn plan(job: Job) -> Planning<impl Stream<Item = Result<Item>> + Send> {
    planning(job, Found::default())
}

/// [`plan`], where what it finds out beside its items is set aside.
fn planning(job: Job, found: Found) -> Planning<impl Stream<Item = Result<Item>> + Send> {
    let shelves = job.shelves().that_learn_nothing();
    let (job, spending) = metered(job);
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
    // The planner runs whenever the stream is polled, and stops when it is dropped.
    let planner = stream::once(work).filter_map(|()| async { None });
    let items = stream::select(receiver, planner).inspect(move |item| match item {
        Ok(Item::Action(action)) => observer.on(&Event::Planned { deed: action.deed, bytes: action.bytes() }),
        Ok(Item::Problem(_) | Item::Lost(_)) | Err(_) => {}
    });
    Planning { items, totals, spending }
}

/// The job over the same places, each call counted.
fn metered(mut job: Job) -> (Job, Spending) {
    let mut spending = Spending::default();
    job.source = spending.meter(&job.source);
    for target in &mut job.targets {
        target.store = spending.meter(&target.store);
        target.searched = target.searched.iter().map(|searched| spending.beside(searched)).collect();
    }
    (job, spending)
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

/// Lists, compares, plans and carries out. A source that is republished meanwhile is listed anew, a few times. What had to be
/// read of objects that are the same is remembered at the end.
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
    let mut summary: Option<Summary> = None;
    for tries in 1..=TRIES {
        let work = job.work(settings.clone(), records.clone(), stop.clone());
        let mut forecast = job.forecast(settings.clone(), &records);
        let learnt = job.index.as_ref().map(|_| Arc::new(Learnt::nothing()));
        let found = Found { learnt: learnt.clone(), look: FirstLook::default() };
        let look = found.look.clone();
        let planning = planning(job.clone(), found);
        let (totals, spending) = (planning.totals.clone(), planning.spending);
        let items = planning.items.map(|item| {
            let item = item?;
            forecast.take(&item);
            tee(&item)?;
            Ok(item)
        });
        let outcome = transfer::run(work, items).await?;
        // Who stops a run does not wait for its memory.
        if let (Some(index), Some(learnt), None) = (&job.index, learnt.and_then(Arc::into_inner), outcome.stopped) {
            let index = index.clone();
            let _panicked = tokio::task::spawn_blocking(move || learnt.remember(&index)).await;
        }
        let now = Summary { totals: totals.get(), outcome, quote: spending.with(forecast.so_far()) };
        let again = tries < TRIES && is_republished(&job, &now, look.get()).await;
        match &mut summary {
            Some(summary) => summary.follow(now),
            None => summary = Some(now),
        }
        if !again {
            break;
        }
    }
    Ok(summary.expect("TRIES is not 0"))
}

impl Summary {
    fn follow(&mut self, later: Self) {
        self.totals.iter_mut().zip(later.totals).for_each(|(totals, later)| totals.follow(later));
        self.outcome.follow(later.outcome);
        self.quote.follow(&later.quote);
    }
}

/// Whether what did not come about may come about from the source as it is now: it has other indexes than at the beginning.
async fn is_republished(job: &Job, summary: &Summary, first: Option<Generation>) -> bool {
    if summary.outcome.stopped.is_some() || first.is_none() {
        return false;
    }
    if summary.totals.iter().any(|totals| totals.withheld.is_some()) {
        return true;
    }
    let failed = summary.outcome.targets.iter().any(|target| target.failed > 0);
    // Where it cannot be looked at, the failures stand for themselves.
    let changed = failed && later_groups(job).await.is_ok_and(|now| now != first);
    if changed {
        job.observer.on(&Event::Republished);
    }
    changed
}

/// What the source tells of the objects that are published after others; `None` where none are.
async fn later_groups(job: &Job) -> Result<Option<Generation>> {
    if !job.groups.is_ordered() {
        return Ok(None);
    }
    let mut generation = Generation::default();
    let mut listing = Listing::open(&job.source, &job.scope, 0, Arc::new(Silent)).by_key();
    while let Some(entry) = listing.next().await? {
        if job.scope.filter.admits(&entry) && job.groups.of(&entry.key) > 0 {
            generation.add(&entry);
        }
    }
    Ok(Some(generation))
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
    transfer::run(job.work(settings, records, stop), items).await
}

/// Carries out a plan that was written down earlier; what has drifted since is refused, object by object.
///
/// # Errors
/// What ended the stream of items.
pub async fn apply(work: Work, items: impl Stream<Item = Result<Item>>) -> Result<Outcome> {
    let settings = Settings { check_drift: true, ..work.settings.clone() };
    transfer::run(Work { settings, ..work }, items).await
}

/// What the merged listings told, compared.
enum Judged {
    Row(Box<Verdicts>),
    Ended(usize),
    Lost(usize, Error),
}

/// A row with its verdicts, one a destination.
struct Verdicts {
    source: Option<Entry>,
    targets: Vec<(Option<Entry>, Result<Verdict, Unsettled>)>,
}

/// What is decided and not yet planned.
struct Undecided {
    /// The later groups, each with what follows key by key.
    groups: Vec<Spool<Vec<Item>>>,
    /// Deletes, by destination and group.
    extras: Vec<Vec<Spool<Action>>>,
    census: Vec<Census>,
    absences: Vec<Option<Absences>>,
    /// What the listing told of the later groups of the source.
    seen: Generation,
}

impl Undecided {
    fn new(job: &Job) -> Result<Self> {
        let spools = || (0..job.groups.count()).map(|_| Spool::new(DELETES_IN_MEMORY)).collect();
        let absences = |target: &transfer::Target| {
            let grace = job.grace.as_ref().filter(|_| job.intent == Intent::Sync);
            grace.map(|grace| Absences::open(grace, &*job.source, &*target.store)).transpose()
        };
        Ok(Self {
            groups: (1..job.groups.count()).map(|_| Spool::new(GROUP_IN_MEMORY)).collect(),
            extras: job.targets.iter().map(|_| spools()).collect(),
            census: vec![Census { source: 0, target: 0, extra: 0 }; job.targets.len()],
            absences: job.targets.iter().map(absences).collect::<Result<_>>()?,
            seen: Generation::default(),
        })
    }

    /// What of `items`, those of one key, may be planned now; the rest is set aside.
    fn set_aside(&mut self, items: Vec<Item>) -> Result<Vec<Item>> {
        match items.first().map_or(0, Item::group) {
            0 => Ok(items),
            group => {
                self.groups[group - 1].push(&items)?;
                Ok(Vec::new())
            }
        }
    }
}

async fn drive(job: Job, shelves: &Shelves, found: &Found, out: Sender<Result<Step>>) -> Result<()> {
    let learnt = found.learnt.as_deref();
    let mut drive = Drive::new(&job, out)?;
    // A publisher puts first what an index names: what this look sees is named by nothing that the listing misses.
    found.look.set(later_groups(&job).await?);

    told(&job).await;
    let merge = Merge::new(listings(&job));
    let merge = if job.targets.len() > 1 { merge.goes_on() } else { merge };
    let rows = rows(merge, shelves.walks(job.scope.is_everything()));
    let judged = rows.map(|told: Result<Merged>| async {
        Ok::<_, Error>(match told? {
            Merged::Row(row) => Judged::Row(Box::new(judge_row(&job, (shelves, learnt), row).await)),
            Merged::Ended(place) => Judged::Ended(place),
            Merged::Lost(place, error) => Judged::Lost(place, error),
        })
    });
    let mut judged = std::pin::pin!(judged.buffered(job.checkers.max(1)));
    while drive.goes_on()
        && let Some(told) = judged.next().await
    {
        match told? {
            Judged::Row(row) => drive.row(*row).await?,
            Judged::Ended(0) => {}
            Judged::Ended(to) => drive.ended(to).await?,
            Judged::Lost(to, error) => drive.lose(to, &error).await?,
        }
    }
    drive.end(found.look.get()).await
}

/// What follows from a row.
#[derive(Default)]
struct Decided {
    items: Vec<Item>,
    /// Destinations that are lost by it.
    lost: Vec<(usize, Error)>,
}

/// The planner on its way through the rows.
struct Drive<'a> {
    job: &'a Job,
    planner: Planner,
    undecided: Undecided,
    /// Which destinations are lost.
    lost: Vec<bool>,
    out: Sender<Result<Step>>,
}

impl<'a> Drive<'a> {
    fn new(job: &'a Job, out: Sender<Result<Step>>) -> Result<Self> {
        let targets = job.targets.iter().map(|target| facts(job, target)).collect();
        Ok(Self {
            job,
            planner: Planner::new(job.intent, targets, job.rules.clone(), job.groups.clone()),
            undecided: Undecided::new(job)?,
            lost: vec![false; job.targets.len()],
            out,
        })
    }

    /// Whether there is a destination left to plan for.
    fn goes_on(&self) -> bool {
        self.lost.contains(&false)
    }

    async fn row(&mut self, row: Verdicts) -> Result<()> {
        let Decided { items, lost } = self.decide(row)?;
        let items = self.undecided.set_aside(items)?;
        propose(&mut self.planner, &mut self.out, items).await?;
        for (to, error) in lost {
            self.lose(to, &error).await?;
        }
        Ok(())
    }

    async fn ended(&mut self, to: usize) -> Result<()> {
        told(self.job).await;
        say(&mut self.out, Step::Listed(to)).await
    }

    /// What destination `to` has is not known: it is out, with all that was to come later and to be deleted there.
    async fn lose(&mut self, to: usize, error: &Error) -> Result<()> {
        if std::mem::replace(&mut self.lost[to - 1], true) {
            return Ok(());
        }
        self.undecided.extras[to - 1].clear();
        self.undecided.absences[to - 1] = None;
        let lost = Lost::new(to, error);
        self.planner.totals_mut()[to - 1].lost = Some(lost.loss);
        self.job.observer.on(&Event::Lost { place: to, kind: error.kind(), message: lost.why.clone() });
        say(&mut self.out, Step::Lost(lost)).await
    }

    /// All listings but those of lost destinations have ended cleanly; only now later groups and deletes may be spoken of.
    async fn end(mut self, first_look: Option<Generation>) -> Result<()> {
        if self.goes_on() {
            if first_look.is_none_or(|first| first == self.undecided.seen) {
                for items in std::mem::take(&mut self.undecided.groups) {
                    for items in items.read()? {
                        let mut items = items?;
                        items.retain(|item| !self.lost[item.to() - 1]);
                        propose(&mut self.planner, &mut self.out, items).await?;
                    }
                }
                propose_deletes(self.job, &mut self.planner, &mut self.out, self.undecided).await?;
            } else {
                self.job.observer.on(&Event::Republished);
                for (totals, _) in self.planner.totals_mut().iter_mut().zip(&self.lost).filter(|(_, lost)| !**lost) {
                    totals.withheld = Some("the source was republished while it was listed".to_owned());
                }
            }
        }
        say(&mut self.out, Step::Ended(self.planner.totals().to_vec())).await
    }

    /// What follows from a row, and which destinations are lost by it.
    fn decide(&mut self, row: Verdicts) -> Result<Decided> {
        let Decided { mut items, mut lost } = Decided::default();
        if let Some(source) = &row.source {
            self.planner.source_key(&source.key);
            if self.job.groups.of(&source.key) > 0 {
                self.undecided.seen.add(source);
            }
        }
        for (at, (theirs, verdict)) in row.targets.into_iter().enumerate() {
            if self.lost[at] {
                continue;
            }
            let to = at + 1;
            let census = &mut self.undecided.census[at];
            census.source += u64::from(row.source.is_some());
            census.target += u64::from(theirs.is_some());
            let decision = match (&row.source, theirs) {
                (Some(source), theirs) => match self.planner.refuse(to, &source.key) {
                    Some(refused) => refused,
                    None => match self.compared(to, source, theirs.as_ref(), verdict) {
                        Ok(decision) => decision,
                        Err(Unsettled { which: Which::Target, error })
                            if self.job.targets.len() > 1 && error.kind() != ErrorKind::Cancelled =>
                        {
                            lost.push((to, error));
                            continue;
                        }
                        Err(Unsettled { error, .. }) => return Err(error),
                    },
                },
                (None, Some(theirs)) => self.planner.source_lacks(to, &theirs),
                (None, None) => Decision::Nothing,
            };
            match decision {
                Decision::Nothing => {}
                Decision::Now(item) => items.push(item),
                Decision::Last(action) => self.set_delete_aside(at, &action)?,
            }
        }
        if let Some(source) = &row.source {
            self.planner.source_done(&source.key);
        }
        Ok(Decided { items, lost })
    }

    /// What follows for a key that the source has, after both sides were looked at.
    ///
    /// # Errors
    /// What ends more than this object.
    fn compared(
        &mut self,
        to: usize,
        source: &Entry,
        theirs: Option<&Entry>,
        verdict: Result<Verdict, Unsettled>,
    ) -> Result<Decision, Unsettled> {
        Ok(match verdict {
            Err(unsettled) if ends_all(unsettled.error.kind()) => return Err(unsettled),
            Err(Unsettled { error, .. }) if error.kind() != ErrorKind::NotFound => {
                self.planner.fails(to, &source.key, error.to_string())
            }
            // It vanished while it was looked at: at the destination it is missing, at the source the transfer will
            // find out.
            verdict => {
                let verdict = verdict.unwrap_or(Verdict::Differs(Reason::Missing));
                if matches!(verdict, Verdict::Same { evidence: Evidence::Unproven, .. }) {
                    self.job.observer.on(&Event::Unproven { key: source.key.clone() });
                }
                self.planner.source_has(to, source, theirs, verdict)
            }
        })
    }

    /// Keeps a delete until all listings have ended, if its grace is over.
    fn set_delete_aside(&mut self, at: usize, action: &Action) -> Result<()> {
        if let Some(absences) = &mut self.undecided.absences[at]
            && !absences.is_over(&action.key, |key| !self.job.scope.filter.admits_key(key))?
        {
            self.planner.totals_mut()[at].deletes_waiting += 1;
            return Ok(());
        }
        self.undecided.census[at].extra += 1;
        self.undecided.extras[at][action.group].push(action)
    }
}

/// Failures of one object after which no other of its place can be looked at either.
fn ends_all(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Cancelled | ErrorKind::NoSuchContainer | ErrorKind::Config)
}

/// The last of a plan: deletes, those of what names others first.
async fn propose_deletes(
    job: &Job,
    planner: &mut Planner,
    out: &mut Sender<Result<Step>>,
    undecided: Undecided,
) -> Result<()> {
    let Undecided { extras, census, absences, .. } = undecided;
    for absences in absences.into_iter().flatten() {
        absences.finish(|key| !job.scope.filter.admits_key(key))?;
    }
    for (at, extra) in extras.into_iter().enumerate() {
        let objects = extra.iter().map(Spool::len).sum();
        if objects == 0 {
            continue;
        }
        if let Err(why) = permit(job.max_delete, census[at]) {
            job.observer.on(&Event::DeletesBlocked { place: at + 1, objects, why: why.clone() });
            planner.totals_mut()[at].deletes_blocked = Some(why);
            continue;
        }
        for group in extra.into_iter().rev() {
            for action in group.read()? {
                let action = action?;
                if !planner.is_another_case(at + 1, &action.key) {
                    propose(planner, out, vec![Item::Action(Box::new(action))]).await?;
                }
            }
        }
    }
    Ok(())
}

/// Counts `items`, and sends them on.
async fn propose(planner: &mut Planner, out: &mut Sender<Result<Step>>, items: Vec<Item>) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    for item in &items {
        planner.totals_mut()[item.to() - 1].add(item);
    }
    say(out, Step::Items(items)).await
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

async fn judge_row(job: &Job, (shelves, learnt): (&Shelves, Option<&Learnt>), row: Row) -> Verdicts {
    let mut entries = row.entries.into_iter();
    let mut source = entries.next().flatten();
    let admits = |entry: &Entry| job.scope.filter.admits(entry);
    if source.as_ref().is_some_and(|source| !admits(source)) {
        // Out of the filter's bounds: neither compared nor missed.
        let targets = job.targets.iter().map(|_| (None, Ok(Verdict::Kept))).collect();
        return Verdicts { source: None, targets };
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
    Verdicts { source, targets }
}
