//! `snapshot view`, and what `snapshot create --views` does when the snapshot is there.

use std::{sync::Arc, time::Instant};

use futures::TryStreamExt;
use sterna::{
    archive::{Archive, SnapshotId, View},
    compare::Policy,
    event::Observers,
    list::Scope,
    plan::{Groups, Intent, MaxDelete, MetadataRules, Totals},
    report::Summary,
    sync::{self, Job},
    transfer::{Expense, Outcome, Stop, Target},
};

use super::{
    bill::{Bill, Role},
    plan::{print_item, say_end},
    record::{self, recorded},
    run::{self, Watch, Wishes},
};
use crate::{
    args::{GlobalArgs, TransferArgs, snapshot::ViewArgs},
    exit::{Exit, Failure},
    places::Opener,
    settings,
    ui::{self, Progress},
};

/// A match by size alone is one of a copy that was made of the very content.
const WISHES: fn() -> Wishes = || Wishes { allow_unproven: true, ..Wishes::default() };

/// `sterna snapshot view`.
pub(super) async fn run(global: &GlobalArgs, args: ViewArgs) -> Result<Exit, Failure> {
    let mut watch = Watch::new(global, &args.own);
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&watch.observer))?;
    let place = opener.target(&args.archive).await?;
    run::writable(&place)?;
    watch.bill.add(&opener, Role::Target(0), &place)?;
    let archive = Archive::open(place.store).await?;
    let id = archive.find(&args.snapshot).await?;
    if args.remove {
        if !args.dry_run {
            archive.remove_views(&[id]).await?;
        }
        return Ok(Exit::Success);
    }
    let view = archive.view(&id, args.carry).await?;
    let Watch { summary, bill, observer } = watch;
    let job = job(&view, global, observer);
    if args.dry_run {
        record::foretell(global, opener.budgets(), &bill)?;
        return show(global, &view, job, (&args, &bill)).await;
    }
    let bill = Arc::new(bill);
    let run =
        record::Run { command: "snapshot view", budgets: opener.budgets(), over_budget: args.over_budget, stop: None };
    let work = make(global, (&view, job), (&args.archive, &id), &args.transfer, (&summary, &bill));
    recorded(global, run, &bill, work).await
}

/// The plain tree is a destination like any other.
pub(super) fn job(view: &View, global: &GlobalArgs, observer: Observers) -> Job {
    Job {
        intent: Intent::Sync,
        source: view.source(),
        targets: vec![Target { store: view.target(), backup: None, searched: Vec::new() }],
        suffix: String::new(),
        scope: Scope::default(),
        policy: Policy::default(),
        groups: Groups::default(),
        // Whatever else lies there is no part of the snapshot.
        max_delete: MaxDelete::Percent(100),
        grace: None,
        exempt: Arc::default(),
        rules: MetadataRules::default(),
        checkers: global.checkers,
        index: None,
        patience: None,
        reuse: false,
        observer,
    }
}

/// Makes the view, or makes it whole again.
pub(super) async fn make(
    global: &GlobalArgs,
    (view, job): (&View, Job),
    (archive, id): (&str, &SnapshotId),
    transfer: &TransferArgs,
    (summary, bill): (&Arc<Summary>, &Bill),
) -> Result<Exit, Failure> {
    let started = Instant::now();
    let name = tree(archive, view);
    let header = job.header(format!("{archive}#{id}"), vec![name.clone()], None);
    let progress = Progress::start(Arc::clone(summary), global.progress, global.stats.0.unwrap_or_default());
    let stop = Stop::default();
    run::limit_duration(transfer.max_duration.as_ref(), &stop);
    let carried = carried(view, job, transfer, global, stop).await;
    progress.finish();
    let (totals, outcome, quote) = carried?;
    bill.quotes(quote);
    let mut exit = run::code(&totals, &outcome, WISHES());
    if exit == Exit::Success {
        view.complete().await?;
    } else {
        view.incomplete().await?;
    }
    run::last_word(global, &header, (&totals, true), (&outcome, WISHES()), (summary, bill, started))?;
    if exit != Exit::Success {
        ui::complain(&format!("{name} is not complete; 'snapshot view' goes on with it"));
        exit = if exit == Exit::Temporary { Exit::Temporary } else { Exit::Error };
    }
    Ok(exit)
}

async fn carried(
    view: &View,
    job: Job,
    transfer: &TransferArgs,
    global: &GlobalArgs,
    stop: Stop,
) -> Result<(Vec<Totals>, Outcome, Expense), Failure> {
    let mut settings = settings::transfer(transfer, global.transfers);
    settings.prove = true;
    let records = settings::records(transfer);
    let mut forecast = job.forecast(settings.clone(), &records);
    let planning = sync::plan(job.clone());
    let mut copied = (0, 0);
    let items = planning.items.and_then(|item| {
        let shaped = view.copied(item).map(|(item, bytes)| {
            bytes.iter().for_each(|bytes| copied = (copied.0 + 1, copied.1 + bytes));
            forecast.take(&item);
            item
        });
        std::future::ready(shaped)
    });
    let outcome = sync::carry_out(&job, settings, records, stop, items).await?;
    let mut totals = planning.totals.get();
    totals.iter_mut().for_each(|totals| totals.reuse(copied.0, copied.1));
    Ok((totals, outcome, planning.spending.with(forecast.so_far())))
}

async fn show(global: &GlobalArgs, view: &View, job: Job, (args, bill): (&ViewArgs, &Bill)) -> Result<Exit, Failure> {
    let settings = settings::transfer(&args.transfer, global.transfers);
    let mut forecast = job.forecast(settings, &settings::records(&args.transfer));
    let planning = sync::plan(job);
    let mut items = Box::pin(planning.items);
    let mut copied = (0, 0);
    while let Some(item) = items.try_next().await? {
        let (item, bytes) = view.copied(item)?;
        bytes.iter().for_each(|bytes| copied = (copied.0 + 1, copied.1 + bytes));
        forecast.take(&item);
        print_item(global, &item, false)?;
    }
    let mut totals = planning.totals.get();
    totals.iter_mut().for_each(|totals| totals.reuse(copied.0, copied.1));
    let expense = planning.spending.with(forecast.so_far());
    say_end(global, (&[tree(&args.archive, view)], &totals), (bill, &expense))?;
    Ok(run::planned_code(&totals, WISHES()))
}

/// Where the view lies, as people would write it.
fn tree(archive: &str, view: &View) -> String {
    let between = if archive.ends_with(['/', ':']) { "" } else { "/" };
    format!("{archive}{between}{}", view.folder().trim_end_matches('/'))
}
