//! `copy`, `sync`, `move`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{TryStreamExt, stream};
use sterna::{
    backends::{Error, Operation},
    list::Spool,
    plan::{Intent, Item, Totals},
    sync::{self, Job, Summary},
    transfer::{self, Records, Stop, StopReason},
};

use super::{
    bill::Bill,
    history::Record,
    plan::{PlanFile, draw_item, draw_totals},
    print, print_json,
    run::{self, Prepared, Wishes},
};
use crate::{
    args::{GlobalArgs, SyncArgs},
    exit::{Exit, Failure},
    settings,
    ui::{self, Progress},
    values::Money,
};

/// Runs one of the three.
pub async fn run(global: &GlobalArgs, intent: Intent, args: SyncArgs) -> Result<Exit, Failure> {
    let mut prepared = run::prepare(global, intent, &args.source, &args.destinations, &args.planning).await?;
    let wishes = Wishes {
        allow_unproven: prepared.allow_unproven,
        error_on_no_transfer: args.error_on_no_transfer,
        require: args.require,
    };
    let mut plan_file = match &args.plan_out {
        Some(path) => Some(PlanFile::create(path, prepared.header.clone())?),
        None => None,
    };
    if args.dry_run || args.interactive {
        let totals = show(global, &args, &prepared, plan_file.as_mut()).await?;
        let over = args.dry_run || totals.iter().all(Totals::is_nothing) || !ui::confirm("carry this out?")?;
        if over {
            if let Some(file) = plan_file {
                file.finish(totals.clone())?;
            }
            return Ok(run::planned_code(&totals, wishes));
        }
        // What was shown is made again from fresh listings, and written down again.
        plan_file = match &args.plan_out {
            Some(path) => Some(PlanFile::create(path, prepared.header.clone())?),
            None => None,
        };
    }
    let budgets = std::mem::take(&mut prepared.budgets);
    let record = Record::begin(global, word(intent), (&mut prepared.watch.bill, &budgets), args.over_budget)?;
    carry_out(global, &args, prepared, (plan_file, record), wishes).await
}

/// The command's own word.
const fn word(intent: Intent) -> &'static str {
    match intent {
        Intent::Copy => "copy",
        Intent::Sync => "sync",
        Intent::Move => "move",
    }
}

async fn carry_out(
    global: &GlobalArgs,
    args: &SyncArgs,
    prepared: Prepared,
    (mut plan_file, record): (Option<PlanFile>, Record),
    wishes: Wishes,
) -> Result<Exit, Failure> {
    let Prepared { job, header, mut watch, .. } = prepared;
    if global.verbose > 0 && !header.losses.is_empty() {
        ui::say(&format!("the destination does not keep {}", header.losses.join(", ")));
    }
    watch.started = Instant::now();
    let progress = Progress::start(Arc::clone(&watch.summary), global.progress, global.stats.0.unwrap_or_default());
    let stop = Stop::default();
    run::limit_duration(args.transfer.max_duration.as_ref(), &stop);
    let transfer = settings::transfer(&args.transfer, global.transfers);
    let records = settings::records(&args.transfer);
    let tee = |item: &Item| match &mut plan_file {
        Some(file) => file.write(item).map_err(|error| Error::io(Operation::Put, error)),
        None => Ok(()),
    };
    let ran = match &args.max_cost {
        None => sync::sync(job, transfer, records, stop, tee).await.map_err(Failure::from),
        Some(most) => within(most, (job, transfer, records, stop), &watch.bill, tee).await,
    };
    progress.finish();
    let done = match ran {
        Ok(done) => done,
        Err(failure) => {
            record.end(failure.exit, watch.bill.compared(None));
            return Err(failure);
        }
    };
    if let Some(file) = plan_file {
        file.finish(done.totals.clone())?;
    }
    let exit = run::code(&done.totals, &done.outcome, wishes);
    record.end(exit, watch.bill.compared(Some(&done.quote)));
    run::last_word(global, &header, (&done.totals, true), (&done.outcome, Some(&done.quote), wishes), &watch)?;
    Ok(exit)
}

/// How often it is looked whether a run has cost what it may.
const LOOKED: Duration = Duration::from_millis(200);

/// Bytes of a plan that are kept off the disk while it waits for its end.
const PLAN_IN_MEMORY: usize = 4 * 1024 * 1024;

/// Plans to the end, and carries the plan out where its quote is at most `most`; stops when what was sent has cost that.
///
/// # Errors
/// [`Exit::OverBudget`] where the quote is more; what ended a listing.
async fn within(
    most: &Money,
    (job, settings, records, stop): (Job, transfer::Settings, Records, Stop),
    bill: &Bill,
    mut tee: impl FnMut(&Item) -> sterna::backends::Result<()> + Send,
) -> Result<Summary, Failure> {
    let limit = bill.in_base(most)?;
    let mut forecast = job.forecast(settings.clone(), &records);
    let planning = sync::plan(job.clone());
    let mut items = Box::pin(planning.items);
    let mut plan = Spool::new(PLAN_IN_MEMORY);
    while let Some(item) = items.try_next().await? {
        forecast.take(&item);
        tee(&item)?;
        plan.push(&item)?;
    }
    let (totals, quote) = (planning.totals.get(), planning.spending.with(forecast.so_far()));
    let rows = bill.quoted(&quote, &totals);
    for row in rows.iter().filter(|row| row.money.is_none()) {
        ui::complain(&format!("--max-cost does not count {}: {}", row.place, row.draw_money()));
    }
    if bill.sum_quoted(&rows) > limit {
        rows.iter().for_each(|row| ui::say(&row.draw()));
        let message = format!("it would cost more than {} {}; nothing was done", most.amount, most.currency);
        return Err(Failure { exit: Exit::OverBudget, message });
    }
    let watched = async {
        let mut tick = tokio::time::interval(LOOKED);
        loop {
            tick.tick().await;
            if bill.metered() > limit {
                stop.stop(StopReason::OverBudget);
            }
        }
    };
    let carried = sync::carry_out(&job, settings, records, stop.clone(), stream::iter(plan.read()?));
    let outcome = tokio::select! {
        outcome = carried => outcome?,
        () = watched => return Err(Failure::usage("the watch of the cost ended")),
    };
    Ok(Summary { totals, outcome, quote, inventory: None })
}

/// Prints the plan, and writes it down where asked to.
pub async fn show(
    global: &GlobalArgs,
    args: &SyncArgs,
    prepared: &Prepared,
    mut file: Option<&mut PlanFile>,
) -> Result<Vec<Totals>, Failure> {
    let several = prepared.job.targets.len() > 1;
    let (transfer, records) = (settings::transfer(&args.transfer, global.transfers), settings::records(&args.transfer));
    let mut forecast = prepared.job.forecast(transfer, &records);
    let planning = sync::plan(prepared.job.clone());
    let mut items = Box::pin(planning.items);
    while let Some(item) = items.try_next().await? {
        forecast.take(&item);
        if let Some(file) = &mut file {
            file.write(&item)?;
        }
        if global.json {
            print_json(&item)?;
        } else {
            print(&draw_item(&item, several))?;
        }
    }
    let totals = planning.totals.get();
    let quote = prepared.watch.bill.quoted(&planning.spending.with(forecast.so_far()), &totals);
    if global.json {
        print_json(&serde_json::json!({ "quote": quote }))?;
        return Ok(totals);
    }
    for (name, totals) in prepared.header.destinations.iter().zip(&totals) {
        ui::say(&draw_totals(name, totals));
    }
    quote.iter().for_each(|row| ui::say(&row.draw()));
    Ok(totals)
}
