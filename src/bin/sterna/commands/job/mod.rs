//! `job`: saved jobs, run and looked at.

mod allowance;
mod carry;
mod explain;
mod fold;
mod freshness;
mod kept;
mod log;
mod runner;
mod show;
mod tell;
mod tip;
mod units;

use std::sync::Arc;

use sterna::{
    event::Observers,
    jobs::{RunRecord, Saved, TargetRecord, Trigger},
    report::Summary,
    transfer::Stop,
};

use super::{observer, plan, print_json, record, run as syncs};
use crate::{
    args::{
        GlobalArgs,
        job::{JobCommand, NameArg, RunArgs},
    },
    config::{Config, Environment},
    exit::{Exit, Failure},
    limits::Limits,
    settings,
    ui::{self, Progress},
};

pub use runner::ByConfig;
pub use show::schedule;

/// Runs the command.
pub async fn run(global: &GlobalArgs, command: JobCommand) -> Result<Exit, Failure> {
    let config = Arc::new(Config::load(global.config.as_deref(), Environment::of_process())?);
    match command {
        JobCommand::Run(args) => run_jobs(global, config, args).await,
        JobCommand::List => show::list(global, &config),
        JobCommand::Status(args) => show::status(global, &config, args.name.as_deref()),
        JobCommand::History(args) => show::history(global, &config, &args),
        JobCommand::Logs(args) => show::logs(global, &config, &args),
        JobCommand::Enable(NameArg { name }) => hold(global, config.job(&name)?, false),
        JobCommand::Disable(NameArg { name }) => hold(global, config.job(&name)?, true),
        JobCommand::Next(args) => show::next(global, &config, &args),
        JobCommand::Explain(NameArg { name }) => explain::explain(global, config.job(&name)?),
        JobCommand::Systemd(NameArg { name }) => units::systemd(global, config.job(&name)?),
        JobCommand::Freshness(args) => freshness::run(global, &args).await,
        JobCommand::Cron(NameArg { name }) => units::cron(global, config.job(&name)?),
    }
}

async fn run_jobs(global: &GlobalArgs, config: Arc<Config>, args: RunArgs) -> Result<Exit, Failure> {
    let jobs: Vec<Saved> = match &args.name {
        Some(name) => vec![config.job(name)?.clone()],
        None => config.jobs().iter().filter(|job| job.enabled).cloned().collect(),
    };
    if jobs.is_empty() {
        return Err(Failure::usage("the configuration has no job that is enabled"));
    }
    let runner = ByConfig::new(config, global.clone(), Limits::of(global)?);
    let (stop, several) = (Stop::default(), jobs.len() > 1);
    let work = async {
        let mut worst = Exit::Success;
        for job in &jobs {
            if stop.reason().is_some() {
                return Ok(Exit::Interrupted);
            }
            if several && !global.quiet && !global.json {
                ui::say(&format!("{}:", job.name));
            }
            let exit = match args.dry_run {
                true => dry_run(&runner, job).await?,
                false => one(global, &runner, job, &stop, args.over_budget).await?,
            };
            if worst == Exit::Success {
                worst = exit;
            }
        }
        Ok(worst)
    };
    let interrupted = async {
        match args.dry_run {
            true => ui::interrupted().await,
            false => runner::interrupts(&stop).await,
        }
    };
    tokio::select! {
        exit = work => exit,
        () = interrupted => Ok(Exit::Interrupted),
    }
}

/// One run by hand: watched, and told.
async fn one(
    global: &GlobalArgs,
    runner: &ByConfig,
    job: &Saved,
    stop: &Stop,
    over_budget: bool,
) -> Result<Exit, Failure> {
    let summary = Arc::new(Summary::default());
    let observer = observer(global, Some(Arc::clone(&summary) as Observers));
    let progress = Progress::start(summary, global.progress, global.stats.0.unwrap_or_default());
    let ended = runner.ended(job, Trigger::Hand, observer, stop.clone(), over_budget).await;
    progress.finish();
    if global.json {
        print_json(&ended.record)?;
    } else if !global.quiet || ended.exit != Exit::Success {
        tell(&ended.record);
    }
    Ok(ended.exit)
}

/// The last word of a run.
fn tell(record: &RunRecord) {
    for target in &record.targets {
        ui::say(&format!("{}: {}", target.place, done(target)));
        if let Some(failure) = &target.failure {
            ui::complain(&failure.message);
            failure.advice.iter().for_each(|advice| ui::say(&format!("  what to do: {advice}")));
        }
    }
    if let Some(failure) = &record.failure {
        ui::complain(&failure.message);
        failure.advice.iter().for_each(|advice| ui::say(&format!("  what to do: {advice}")));
    }
    if !record.full && record.verdict.is_success() {
        ui::say(
            "the source's index is the one of the last full run, and every target has it: nothing else was looked at",
        );
    }
}

/// What came of it at one target, in words.
fn done(target: &TargetRecord) -> String {
    let mut words = vec![target.verdict.describe().to_owned()];
    if target.written > 0 {
        words.push(format!("{} written ({})", ui::count(target.written, "object"), ui::bytes(target.bytes)));
    }
    if target.deleted > 0 {
        words.push(format!("{} deleted", target.deleted));
    }
    if let Some(cost) = &target.cost {
        let amount = cost.amount.parse().map_or_else(|_| cost.amount.clone(), super::bill::shown);
        words.push(format!("{amount} {}", cost.currency));
    }
    words.join(", ")
}

/// Prints the plan of a job; nothing is changed, and nothing is written down of it.
async fn dry_run(runner: &ByConfig, job: &Saved) -> Result<Exit, Failure> {
    let global = runner.settings(job);
    let jobs = settings::jobs()?;
    let limits = runner.limits(job)?;
    let place = carry::Place { config: runner.config(), limits: &limits, global: &global, jobs: &jobs };
    let (prepared, args, retention) = carry::look(place, job, observer(&global, None)).await?;
    let wishes = syncs::Wishes { allow_unproven: prepared.allow_unproven, ..syncs::Wishes::default() };
    let how = (settings::transfer(&args.transfer, global.transfers), settings::records(&args.transfer));
    record::foretell(&global, &prepared.budgets, &prepared.watch.bill)?;
    let names = (&prepared.header.destinations[..], &prepared.watch.bill);
    if global.json && !retention.is_empty() {
        print_json(&serde_json::json!({ "job": job.name, "retention": retention }))?;
    }
    let totals = plan::show(&global, prepared.job, how, names, |_| Ok(())).await?;
    if !global.json && !global.quiet {
        retention.iter().for_each(kept::Shown::say);
    }
    Ok(syncs::planned_code(&totals, wishes))
}

/// Holds a job back, or lets it run again.
fn hold(global: &GlobalArgs, job: &Saved, back: bool) -> Result<Exit, Failure> {
    let history = show::needed_history(global)?;
    if back {
        history.pause_job(&job.name, sterna::backends::Timestamp::now())?;
        ui::say(&format!("{}: held back until 'sterna job enable {}'", job.name, job.name));
    } else {
        history.resume_job(&job.name)?;
        match job.enabled {
            true => ui::say(&format!("{}: runs by itself again", job.name)),
            false => ui::say(&format!("{}: the configuration has enabled = false; take that out", job.name)),
        }
    }
    Ok(Exit::Success)
}
