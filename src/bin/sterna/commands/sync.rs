//! `copy`, `sync`, `move`.

use std::{sync::Arc, time::Instant};

use futures::TryStreamExt;
use sterna::{
    backends::{Error, Operation},
    plan::{Intent, Item, Totals},
    sync::{self, Job},
    transfer::Stop,
};

use super::{
    plan::{PlanFile, draw_item, draw_totals},
    print, print_json,
    run::{self, Prepared, Wishes},
};
use crate::{
    args::{GlobalArgs, SyncArgs},
    exit::{Exit, Failure},
    settings,
    ui::{self, Progress},
};

/// Runs one of the three.
pub async fn run(global: &GlobalArgs, intent: Intent, args: SyncArgs) -> Result<Exit, Failure> {
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
        let totals = show(global, prepared.job.clone(), &prepared, plan_file.as_mut()).await?;
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
    carry_out(global, &args, prepared, plan_file, wishes).await
}

async fn carry_out(
    global: &GlobalArgs,
    args: &SyncArgs,
    prepared: Prepared,
    mut plan_file: Option<PlanFile>,
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
    let ran = sync::sync(job, transfer, records, stop, tee).await;
    progress.finish();
    let done = ran?;
    if let Some(file) = plan_file {
        file.finish(done.totals.clone())?;
    }
    run::last_word(global, &header, (&done.totals, true), (&done.outcome, wishes), &watch)?;
    Ok(run::code(&done.totals, &done.outcome, wishes))
}

/// Prints the plan, and writes it down where asked to.
async fn show(
    global: &GlobalArgs,
    job: Job,
    prepared: &Prepared,
    mut file: Option<&mut PlanFile>,
) -> Result<Vec<Totals>, Failure> {
    let several = job.targets.len() > 1;
    let planning = sync::plan(job);
    let mut items = Box::pin(planning.items);
    while let Some(item) = items.try_next().await? {
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
    if !global.json {
        for (name, totals) in prepared.header.destinations.iter().zip(&totals) {
            ui::say(&draw_totals(name, totals));
        }
    }
    Ok(totals)
}
