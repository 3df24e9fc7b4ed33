//! One run of the engine, with everything it said.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use sterna::{
    backends::{Error, Result, Store},
    compare::Policy,
    event::Event,
    index::Index,
    list::Scope,
    plan::{Groups, Intent, Item, MaxDelete, MetadataRules, Totals},
    sync::{self, Job, Summary},
    transfer::{Expense, Records, Settings, Stop, Target, Work},
};

/// The policy of a user who asked for nothing.
pub fn policy() -> Policy {
    Policy { read_below: Policy::READ_BELOW, ..Policy::default() }
}

/// A job with the defaults of the face.
pub fn job(intent: Intent, source: &Arc<dyn Store>, targets: &[Arc<dyn Store>]) -> Job {
    Job {
        intent,
        source: Arc::clone(source),
        targets: targets
            .iter()
            .map(|store| Target { store: Arc::clone(store), backup: None, searched: Vec::new() })
            .collect(),
        suffix: String::new(),
        scope: Scope::default(),
        policy: policy(),
        groups: Groups::default(),
        max_delete: MaxDelete::default(),
        grace: None,
        exempt: Arc::default(),
        rules: MetadataRules::default(),
        checkers: 4,
        index: None,
        patience: None,
        reuse: true,
        observer: Arc::new(|_: &Event| {}),
    }
}

/// An index of its own, gone with the folder.
pub fn index() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().expect("a folder for an index");
    let index = Index::open(&folder.path().join("index.sqlite")).expect("a writable folder");
    (folder, index)
}

/// What a run made and said.
#[derive(Debug)]
pub struct Ran {
    pub result: Result<Summary>,
    pub items: Vec<Item>,
    pub events: Vec<Event>,
}

impl Ran {
    /// The summary of a run that was not ended by an error.
    pub fn summary(&self) -> &Summary {
        self.result.as_ref().expect("no listing broke")
    }

    /// Actions that failed, at all destinations.
    pub fn failed(&self) -> u64 {
        self.result.as_ref().map_or(0, |summary| summary.outcome.targets.iter().map(|target| target.failed).sum())
    }
}

/// Runs `job` as `copy`, `sync` and `move` do.
pub async fn run(job: Job, settings: Settings, records: Records) -> Ran {
    let (job, events) = heard(job);
    let mut items = Vec::new();
    let tee = |item: &Item| {
        items.push(item.clone());
        Ok(())
    };
    let result = sync::sync(job, settings, records, Stop::default(), tee).await;
    Ran { result, items, events: taken(&events) }
}

/// Runs `job` with the default settings, and without a memory of earlier runs.
pub async fn simply(job: Job) -> Ran {
    run(job, Settings::default(), Records::none()).await
}

/// [`simply`], where each plan is put before `consent`, which is told how many objects it sends or copies.
pub async fn asking(job: Job, consent: impl Fn(u64) -> bool + Send + Sync) -> Ran {
    let (job, events) = heard(job);
    let mut items = Vec::new();
    let tee = |item: &Item| {
        items.push(item.clone());
        Ok(())
    };
    let asked = |totals: &[Totals], quote: &Expense| {
        assert_eq!(totals.len(), quote.targets.len());
        consent(totals.iter().map(|totals| totals.transfers + totals.copies).sum())
    };
    let (settings, records) = (Settings::default(), Records::none());
    let result = sync::sync_with(job, settings, records, Stop::default(), Some(&asked), tee).await;
    Ran { result, items, events: taken(&events) }
}

/// A plan: its lines as written, its totals, and the error that ended it.
#[derive(Debug)]
pub struct Planned {
    pub items: Vec<Item>,
    pub totals: Vec<Totals>,
    pub error: Option<Error>,
    pub events: Vec<Event>,
}

impl Planned {
    pub fn lines(&self) -> Vec<String> {
        lines(&self.items)
    }

    /// Whether it is complete and does nothing, at every destination.
    pub fn is_nothing(&self) -> bool {
        self.error.is_none() && !self.totals.is_empty() && self.totals.iter().all(Totals::is_nothing)
    }
}

/// The lines of a plan as they are written to a file.
pub fn lines(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| serde_json::to_string(item).expect("plans can be written")).collect()
}

/// What a plan reads as when it comes back from its file.
pub fn reread(items: &[Item]) -> Vec<Item> {
    lines(items).iter().map(|line| serde_json::from_str(line).expect("what was written can be read")).collect()
}

/// Makes the plan of `job` and changes nothing.
pub async fn plan(job: Job) -> Planned {
    let (job, events) = heard(job);
    let planning = sync::plan(job);
    let mut stream = Box::pin(planning.items);
    let (mut items, mut error) = (Vec::new(), None);
    while let Some(item) = stream.next().await {
        match item {
            Ok(item) => items.push(item),
            Err(why) => error = Some(why),
        }
    }
    Planned { items, totals: planning.totals.get(), error, events: taken(&events) }
}

/// Carries out `items`, read back from their file, as `apply` does.
pub async fn apply(job: &Job, items: &[Item]) -> (sterna::transfer::Outcome, Vec<Event>) {
    let (job, events) = heard(job.clone());
    let work = Work {
        shelves: Default::default(),
        ordered: job.groups.is_ordered(),
        source: job.source,
        targets: job.targets,
        settings: Settings::default(),
        policy: job.policy,
        records: Records::none(),
        observer: job.observer,
        stop: Stop::default(),
    };
    let items = futures::stream::iter(reread(items).into_iter().map(Ok));
    let outcome = sync::apply(work, items).await.expect("the plan ends cleanly");
    (outcome, taken(&events))
}

type Heard = Arc<Mutex<Vec<Event>>>;

fn heard(job: Job) -> (Job, Heard) {
    let events = Heard::default();
    let log = Arc::clone(&events);
    let observer = Arc::new(move |event: &Event| log.lock().expect("no observer panics").push(event.clone()));
    (Job { observer, ..job }, events)
}

fn taken(events: &Heard) -> Vec<Event> {
    std::mem::take(&mut events.lock().expect("no observer panics"))
}

/// Runs `future` in a runtime of its own, which is gone afterwards with everything that was spawned.
pub fn alone<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime can be made").block_on(future)
}
