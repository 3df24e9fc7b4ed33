//! `copy`, `sync`, `move`.

use std::{sync::Arc, time::Instant};

use sterna::{
    backends::{Error, Operation},
    plan::{Header, Intent, Item, Totals},
    report::Summary,
    sync::{self, Consent, Job},
    transfer::{Expense, Settings, Stop},
};

use super::{
    bill::{Bill, Limit},
    plan::{PlanFile, show},
    record::{self, recorded},
    run::{self, Prepared, Watch, Wishes},
};
use crate::{
    args::{GlobalArgs, Require, SyncArgs},
    exit::{Exit, Failure},
    settings,
    ui::{self, Progress},
};

/// Runs one of the three.
pub async fn run(global: &GlobalArgs, intent: Intent, args: SyncArgs) -> Result<Exit, Failure> {
    if let Require::AtLeast(count) = args.require
        && count > args.destinations.len()
    {
        let destinations = ui::count(args.destinations.len() as u64, "destination");
        return Err(Failure::usage(format!("--require {count}: there are {destinations} only")));
    }
    let prepared = run::prepare(global, intent, &args.source, &args.destinations, &args.planning).await?;
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
        let totals = dry(global, &args, &prepared, plan_file.as_mut()).await?;
        let over = args.dry_run || totals.iter().all(Totals::is_nothing) || !ui::confirm("carry this out?").await?;
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
    let Prepared { watch: Watch { summary, bill, .. }, budgets, .. } = prepared;
    let bill = Arc::new(bill);
    let stop = Stop::default();
    let over_budget = args.spending.over_budget;
    let run = record::Run { command: word(intent), budgets: &budgets, over_budget, stop: Some(&stop) };
    let transfer = Settings { digests: prepared.digests, ..settings::transfer(&args.transfer, global.transfers) };
    // A plan that is written down is the same whoever was slow.
    let patience = args.patience.0.filter(|_| args.plan_out.is_none());
    let what = (Job { patience, ..prepared.job }, prepared.header, transfer);
    let work = carry_out(global, &args, what, (plan_file, wishes), (&summary, &bill, &stop));
    recorded(global, run, &bill, work).await
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
    (job, header, transfer): (Job, Header, Settings),
    (mut plan_file, wishes): (Option<PlanFile>, Wishes),
    (summary, bill, stop): (&Arc<Summary>, &Bill, &Stop),
) -> Result<Exit, Failure> {
    if global.verbose > 0 && !header.losses.is_empty() {
        ui::say(&format!("the destination does not keep {}", header.losses.join(", ")));
    }
    let limit = args.spending.max_cost.as_ref().map(|most| Limit::new(bill, most)).transpose()?;
    let started = Instant::now();
    let progress = Progress::start(Arc::clone(summary), global.progress, global.stats.0.unwrap_or_default());
    run::limit_duration(args.transfer.max_duration.as_ref(), stop);
    let records = settings::records(&args.transfer);
    let tee = |item: &Item| match &mut plan_file {
        Some(file) => file.write(item).map_err(|error| Error::io(Operation::Put, error)),
        None => Ok(()),
    };
    let allows = |_: &[Totals], quote: &Expense| limit.as_ref().is_none_or(|limit| limit.allows(quote));
    let consent: Option<Consent<'_>> = if limit.is_some() { Some(&allows) } else { None };
    let whole = job.scope.is_everything();
    let ran = sync::sync_with(job, transfer, records, stop.clone(), consent, tee);
    let ran = match &limit {
        Some(limit) => limit.watch(stop, ran).await,
        None => ran.await,
    };
    progress.finish();
    let done = ran?;
    bill.quotes(done.quote);
    if whole {
        bill.settles(&done.outcome);
    }
    if let Some(limit) = &limit {
        limit.verdict(done.outcome.stopped)?;
    }
    if let Some(file) = plan_file {
        file.finish(done.totals.clone())?;
    }
    run::last_word(global, &header, (&done.totals, true), (&done.outcome, wishes), (summary, bill, started))?;
    Ok(run::code(&done.totals, &done.outcome, wishes))
}

/// Prints the plan, and writes it down where asked to.
async fn dry(
    global: &GlobalArgs,
    args: &SyncArgs,
    prepared: &Prepared,
    mut file: Option<&mut PlanFile>,
) -> Result<Vec<Totals>, Failure> {
    record::foretell(global, &prepared.budgets, &prepared.watch.bill)?;
    let how = (settings::transfer(&args.transfer, global.transfers), settings::records(&args.transfer));
    let names = &prepared.header.destinations;
    show(global, prepared.job.clone(), how, (names, &prepared.watch.bill), |item| match &mut file {
        Some(file) => Ok(file.write(item)?),
        None => Ok(()),
    })
    .await
}
