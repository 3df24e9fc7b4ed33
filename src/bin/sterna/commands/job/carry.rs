//! One run of a job: its places opened, its leases taken, its source looked at and mirrored, and what came of it at each target.

use std::{path::Path, sync::Arc};

use futures::future::{join, pending, select_all};
use sterna::{
    backends::{Key, Timestamp},
    event::Observers,
    history::History,
    jobs::{Failure as Trouble, Saved, TargetRecord, Verdict, retention::Kept},
    lease::{Exclusive, Holder, Refused, Terms},
    list::{
        Scope,
        filter::{Filter, FilterBuilder},
    },
    plan::{Intent, MetadataRules},
    report::Departures,
    sync::{self, Job},
    transfer::{Settings, Stop, StopReason},
};

use super::{
    allowance::{Allowed, Limit},
    fold,
    kept::{self, Shown},
    runner::{held, trouble},
    tip,
};
use crate::{
    args::{Cli, Command, GlobalArgs, LocalArgs, OwnPricesArgs, SyncArgs},
    commands::{
        Several,
        apart::apart,
        bill::{Bill, Role},
        record::{self, recorded},
        run::{self, Prepared, Watch},
    },
    config::Config,
    exit::{Exit, Failure},
    limits::Limits,
    places::{self, Opener},
    settings,
};

/// What came of a run.
pub struct Carried {
    pub targets: Vec<TargetRecord>,
    pub failure: Option<Trouble>,
    pub tip: Option<String>,
    pub full: bool,
    pub exit: Exit,
}

/// Where a run takes place.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub config: &'a Arc<Config>,
    pub limits: &'a Limits,
    pub global: &'a GlobalArgs,
    /// Where jobs keep their locks.
    pub jobs: &'a Path,
}

/// The places of a job, opened.
struct Opened {
    from: places::Place,
    /// Those that could be opened, by their number in the configuration.
    targets: Vec<(usize, places::Place)>,
    /// What came of the others.
    records: Vec<Option<TargetRecord>>,
    /// The code of the first that could not be opened.
    exit: Option<Exit>,
}

/// Runs `job`, whose lock this process holds.
///
/// # Errors
/// What ended the run as a whole: a source that cannot be opened or listed, a setting, a budget that is spent.
pub async fn run(
    at: Place<'_>,
    job: &Saved,
    history: &mut History,
    (observer, stop): (Observers, Stop),
    over_budget: bool,
) -> Result<Carried, Failure> {
    let began = Timestamp::now();
    let opener = opener(at, &observer);
    let mut opened = open(&opener, job).await?;
    let index = index_of(job, &opened.from).await?;
    if let Some(index) = &index
        && is_unchanged(job, history, &opened, index).await?
    {
        return nothing_changed(job, history, &opened, began, index).await;
    }
    if opened.targets.is_empty() {
        return Ok(nothing_opened(opened));
    }
    let allowed = Allowed::of(job, history, over_budget)?;
    let leases = match lease(at, job, &mut opened).await? {
        Ok(leases) => leases,
        Err(by) => return Ok(held_elsewhere(job, by)),
    };
    if opened.targets.is_empty() {
        return Ok(nothing_opened(opened));
    }
    let mirrored = match prepare(at, &opener, job, &mut opened, (&leases, observer)).await {
        Ok((prepared, _)) => mirror(at, job, (prepared, &allowed), (&leases, stop), over_budget).await,
        Err(failure) => Err(failure),
    };
    for (_, lease) in leases {
        // One that stays behind is this machine's own: the next run takes it over.
        let _left_behind = lease.release().await;
    }
    Ok(carried(mirrored?, opened, index))
}

/// What came of it everywhere.
fn carried(mirrored: Mirrored, mut opened: Opened, index: Option<Index>) -> Carried {
    let settled = mirrored.settled && opened.records.iter().all(Option::is_none);
    let exit = match (mirrored.exit, opened.exit) {
        (Exit::Success, Some(exit)) => exit,
        (exit, _) => exit,
    };
    for ((at, _), record) in opened.targets.iter().zip(mirrored.targets) {
        opened.records[*at] = Some(record);
    }
    let targets = opened.records.into_iter().flatten().collect();
    let tip = index.filter(|_| settled).map(|index| index.tip);
    Carried { targets, failure: None, tip, full: true, exit }
}

/// What a dry run shows: the places as they are, without a lease; and what goes by retention, target by target.
///
/// # Errors
/// The first place that cannot be opened.
pub async fn look(
    at: Place<'_>,
    job: &Saved,
    observer: Observers,
) -> Result<(Prepared, SyncArgs, Vec<Shown>), Failure> {
    let opener = opener(at, &observer);
    let mut opened = open(&opener, job).await?;
    if let Some(failure) = opened.records.iter().flatten().find_map(|record| record.failure.as_ref()) {
        let exit = opened.exit.unwrap_or(Exit::Error);
        return Err(Failure { exit, kind: failure.kind, message: failure.message.clone() });
    }
    let (prepared, kept) = prepare(at, &opener, job, &mut opened, (&[], observer)).await?;
    let book = opener.book(&OwnPricesArgs::default())?;
    let shown = opened.targets.iter().zip(&kept).map(|((_, place), kept)| Shown::of(place, kept, &book));
    let shown = shown.collect::<Result<_, _>>()?;
    Ok((prepared, arguments(job)?, shown))
}

fn opener<'a>(at: Place<'a>, observer: &Observers) -> Opener<'a> {
    let how = (LocalArgs::default(), Arc::clone(observer));
    Opener::with(Arc::clone(at.config), at.limits.clone(), at.global, how)
}

async fn open(opener: &Opener<'_>, job: &Saved) -> Result<Opened, Failure> {
    let from = opener.source(&job.source).await?;
    if from.object.is_some() {
        return Err(Failure::usage(format!("{}: a job mirrors a folder, and this is one object", job.source)));
    }
    let (mut targets, mut records, mut exit) = (Vec::new(), Vec::new(), None);
    for (at, written) in job.targets.iter().enumerate() {
        match target(opener, &from, &targets, written).await {
            Ok(place) => {
                targets.push((at, place));
                records.push(None);
            }
            Err(failure) => {
                exit.get_or_insert(failure.exit);
                let failed = TargetRecord::nothing(written, Verdict::Failed);
                records.push(Some(TargetRecord { failure: Some(trouble(&failure)), ..failed }));
            }
        }
    }
    Ok(Opened { from, targets, records, exit })
}

async fn target(
    opener: &Opener<'_>,
    from: &places::Place,
    others: &[(usize, places::Place)],
    written: &str,
) -> Result<places::Place, Failure> {
    let mut place = opener.target(written).await?;
    run::writable(&place)?;
    apart([from].into_iter().chain(others.iter().map(|(_, other)| other)).chain([&place]))?;
    place.searched.extend(opener.searched(written).await?);
    Ok(place)
}

/// The small object that stands for all of the source.
struct Index {
    key: Key,
    bytes: Vec<u8>,
    tip: String,
}

/// The index of the source, where its profile knows one and it is there.
async fn index_of(job: &Saved, from: &places::Place) -> Result<Option<Index>, Failure> {
    let Some(key) = tip::key(job) else { return Ok(None) };
    let bytes = tip::read(&*from.store, &key).await?;
    Ok(bytes.map(|bytes| Index { tip: tip::of(job, &bytes), key, bytes }))
}

/// Whether the index is the one that the last run left everywhere, and is there still. A target that cannot be asked has it not:
/// the full run finds out why.
async fn is_unchanged(job: &Saved, history: &mut History, opened: &Opened, index: &Index) -> Result<bool, Failure> {
    let known = tip::known(history, job, Timestamp::now())?;
    if known.as_ref() != Some(&index.tip) || opened.records.iter().any(Option::is_some) {
        return Ok(false);
    }
    for (_, place) in &opened.targets {
        if !matches!(tip::read(&*place.store, &index.key).await, Ok(Some(theirs)) if theirs == index.bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What they held when that index was seen first is what the targets hold now.
async fn nothing_changed(
    job: &Saved,
    history: &mut History,
    opened: &Opened,
    began: Timestamp,
    index: &Index,
) -> Result<Carried, Failure> {
    let before = history.last_in_step(&job.name)?;
    let stores: Vec<_> = opened.targets.iter().map(|(_, place)| Arc::clone(&place.store)).collect();
    kept::leave_traces(job, began, &stores, None).await;
    let holds = |place: &String| before.get(place).and_then(|before| before.holds);
    let in_step = |place| TargetRecord { holds: holds(place), ..TargetRecord::nothing(place, Verdict::InStep) };
    let targets = job.targets.iter().map(in_step).collect();
    Ok(Carried { targets, failure: None, tip: Some(index.tip.clone()), full: false, exit: Exit::Success })
}

fn nothing_opened(opened: Opened) -> Carried {
    let targets = opened.records.into_iter().flatten().collect();
    Carried { targets, failure: None, tip: None, full: true, exit: opened.exit.unwrap_or(Exit::Error) }
}

fn held_elsewhere(job: &Saved, by: String) -> Carried {
    let targets = job.targets.iter().map(|place| TargetRecord::nothing(place, Verdict::HeldElsewhere)).collect();
    Carried { targets, failure: Some(held(by)), tip: None, full: false, exit: Exit::Temporary }
}

/// Leases, each with the number of its target among those that are open.
type Leases = Vec<(usize, Exclusive)>;

/// Takes the lease of every target, in the order of the configuration. Where one is somebody else's all are given back: a run
/// of a job is one run everywhere. A target whose store fails is left out.
async fn lease(at: Place<'_>, job: &Saved, opened: &mut Opened) -> Result<Result<Leases, String>, Failure> {
    let machine = settings::machine(at.jobs)?;
    let mut leases: Leases = Vec::new();
    let mut open = Vec::new();
    for (number, place) in std::mem::take(&mut opened.targets) {
        let holder = Holder::new(&machine, &job.name, Terms { lease: job.lease });
        match Exclusive::take(&place.unlimited, holder).await {
            Ok(lease) => {
                leases.push((open.len(), lease));
                open.push((number, place));
            }
            Err(refused @ Refused::Held(_)) => {
                for (_, lease) in leases {
                    let _left_behind = lease.release().await;
                }
                return Ok(Err(format!("{}: {refused}", place.written)));
            }
            Err(Refused::Store(error)) => {
                let failed = TargetRecord::nothing(&place.written, Verdict::Failed);
                let failure = Some(Trouble::new(error.kind(), error.to_string()));
                opened.exit.get_or_insert(crate::exit::of_error(&error));
                opened.records[number] = Some(TargetRecord { failure, ..failed });
            }
        }
    }
    opened.targets = open;
    Ok(Ok(leases))
}

/// The arguments of the sync that the job is, as they are where nobody gives any.
fn arguments(job: &Saved) -> Result<SyncArgs, Failure> {
    use clap::Parser;
    let words = ["sterna", "sync", "--", &job.source].into_iter().map(str::to_owned);
    let cli = Cli::try_parse_from(words.chain(job.targets.iter().cloned()));
    match cli.map(|cli| cli.command) {
        Ok(Command::Sync(mut args)) => {
            args.transfer.max_transfer = job.limits.max_transfer.map(|bytes| crate::values::Size(Some(bytes)));
            Ok(args)
        }
        _ => Err(Failure::usage(format!("job '{}': its places cannot be told from arguments", job.name))),
    }
}

/// What of the source is mirrored.
fn filter(job: &Saved) -> Result<Filter, Failure> {
    let mut filter = FilterBuilder::new();
    for pattern in &job.filters.include {
        filter.include(pattern);
    }
    for pattern in &job.filters.exclude {
        filter.exclude(pattern);
    }
    filter.build().map_err(|error| Failure::usage(error.to_string()))
}

async fn prepare(
    at: Place<'_>,
    opener: &Opener<'_>,
    job: &Saved,
    opened: &mut Opened,
    (leases, observer): (&[(usize, Exclusive)], Observers),
) -> Result<(Prepared, Vec<Kept>), Failure> {
    let args = arguments(job)?;
    let departures = Arc::new(Departures::default());
    let observer: Observers = Arc::new(Several(vec![observer, Arc::clone(&departures) as Observers]));
    let bill = Bill::new(args.planning.own.clone(), departures);
    let mut watch = Watch { summary: Arc::default(), bill, observer: Arc::clone(&observer) };
    watch.bill.add(opener, Role::Source, &opened.from)?;
    let mut targets = Vec::new();
    for (number, (_, place)) in opened.targets.iter().enumerate() {
        watch.bill.add(opener, Role::Target(number), place)?;
        let mut place = place.clone();
        if let Some((_, lease)) = leases.get(number) {
            place.store = lease.fence(place.store);
        }
        targets.push(run::target(place, None, &args.planning));
    }
    let mut sync = Job {
        intent: Intent::Sync,
        source: Arc::clone(&opened.from.store),
        targets,
        suffix: String::new(),
        scope: Scope { filter: Arc::new(filter(job)?), ..Scope::default() },
        policy: settings::policy(&args.planning.compare),
        groups: job.groups.clone(),
        max_delete: job.limits.max_delete,
        grace: job.delete_after.map(settings::grace_of).transpose()?,
        exempt: Arc::default(),
        rules: MetadataRules::default(),
        checkers: at.global.checkers,
        index: settings::index(at.global)?,
        patience: args.patience.0,
        reuse: true,
        observer,
    };
    let kept = kept::exempt(job, &mut sync).await?;
    let names: Vec<String> = opened.targets.iter().map(|(_, place)| place.written.clone()).collect();
    let digests = opener.digests(&names);
    let header = sync.header(job.source.clone(), names, None);
    let budgets = opener.budgets().to_vec();
    Ok((Prepared { job: sync, header, watch, allow_unproven: job.allow_unproven, budgets, digests }, kept))
}

/// What came of the targets that were open.
struct Mirrored {
    targets: Vec<TargetRecord>,
    /// Whether nothing is left that a later run would have to do with the same source.
    settled: bool,
    exit: Exit,
}

async fn mirror(
    at: Place<'_>,
    job: &Saved,
    (prepared, allowed): (Prepared, &Allowed),
    (leases, stop): (&[(usize, Exclusive)], Stop),
    over_budget: bool,
) -> Result<Mirrored, Failure> {
    let Prepared { job: sync, header, watch, allow_unproven, budgets, digests } = prepared;
    let (bill, command) = (Arc::new(watch.bill), job.command());
    let limit = allowed.limit(&bill)?;
    let began = Timestamp::now();
    let stores: Vec<_> = sync.targets.iter().map(|target| Arc::clone(&target.store)).collect();
    let args = arguments(job)?;
    let transfer = Settings { digests, ..settings::transfer(&args.transfer, at.global.transfers) };
    let how = (transfer, settings::records(&args.transfer));
    let (mut mirrored, whole) = (None, sync.scope.is_everything());
    let work = async {
        let ends = ends(job, leases, (&limit, &bill), &stop);
        let done = tokio::select! {
            done = sync::sync(sync, how.0, how.1, stop.clone(), |_| Ok(())) => done?,
            () = ends => return Err(Failure::usage("the watch of the run ended")),
        };
        bill.quotes(done.quote.clone());
        if whole {
            bill.settles(&done.outcome);
        }
        let wishes = run::Wishes { allow_unproven, ..run::Wishes::default() };
        let (exit, codes) =
            (run::code(&done.totals, &done.outcome, wishes), run::codes(&done.totals, &done.outcome, wishes));
        let in_step = stores.into_iter().zip(&codes).filter(|(_, code)| **code == Exit::Success);
        let in_step: Vec<_> = in_step.map(|(store, _)| store).collect();
        kept::leave_traces(job, began, &in_step, done.inventory.as_ref()).await;
        let rows = bill.compared();
        let targets = header.destinations.iter().enumerate();
        let targets = targets.map(|(to, place)| fold::target(place, (&done, to, codes[to]), &rows)).collect();
        let waits = done.totals.iter().any(|totals| totals.deletes_waiting > 0 || totals.unproven > 0);
        mirrored = Some(Mirrored { targets, settled: exit == Exit::Success && !waits, exit });
        Ok(exit)
    };
    let run = record::Run { command: &command, budgets: &budgets, over_budget, stop: Some(&stop) };
    recorded(at.global, run, &bill, work).await?;
    mirrored.ok_or_else(|| Failure::usage("the run ended and told nothing"))
}

/// Ends the run cleanly when its time is over, its budget spent, or a lease lost; never comes back.
async fn ends(job: &Saved, leases: &[(usize, Exclusive)], (limit, bill): (&Limit, &Bill), stop: &Stop) {
    let time = async {
        match job.limits.max_duration {
            Some(most) => tokio::time::sleep(most).await,
            None => pending().await,
        }
        stop.stop(StopReason::MaxDuration);
    };
    let lost = async {
        select_all(leases.iter().map(|(_, lease)| Box::pin(lease.over()))).await;
        stop.stop(StopReason::Fenced);
    };
    join(join(time, lost), limit.watch(bill, stop)).await;
    pending().await
}
