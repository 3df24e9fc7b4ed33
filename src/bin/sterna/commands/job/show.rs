//! What there is to see of jobs: how they stand, their runs, their times.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use jiff::{Timestamp as Time, tz::TimeZone};
use serde_json::{Value, json};
use sterna::{
    backends::Timestamp,
    history::{History, HistoryError},
    jobs::{JobRunId, JobStatus, Known, RunRecord, Saved, State, Verdict, schedule::Schedule},
    lease::machine::is_held,
};

use super::runner::lock;
use crate::{
    args::{
        GlobalArgs,
        job::{HistoryArgs, LogsArgs, NextArgs},
    },
    commands::{print, print_json},
    config::Config,
    exit::{Exit, Failure},
    settings, ui,
};

/// The history, for a command that is about it.
pub fn needed_history(global: &GlobalArgs) -> Result<History, Failure> {
    settings::history(global)?
        .ok_or_else(|| Failure::usage("this command is about the history; leave out --no-history"))
}

fn lost(error: HistoryError) -> Failure {
    Failure { exit: Exit::Error, message: error.to_string() }
}

/// When a job is due; `None`: never by itself.
pub fn schedule(job: &Saved) -> Result<Option<Schedule>, Failure> {
    let wrong = |error| Failure::usage(format!("job.{}: {error}", job.name));
    Schedule::of(&job.when, &job.name, &TimeZone::system()).map_err(wrong)
}

/// Every job, or the one that is named.
fn chosen<'a>(config: &'a Config, name: Option<&str>) -> Result<Vec<&'a Saved>, Failure> {
    match name {
        Some(name) => Ok(vec![config.job(name)?]),
        None => Ok(config.jobs().iter().collect()),
    }
}

/// `job list`.
pub fn list(global: &GlobalArgs, config: &Config) -> Result<Exit, Failure> {
    for job in config.jobs() {
        let due = schedule(job)?.map(|schedule| schedule.to_string());
        if global.json {
            print_json(&json!({
                "name": job.name, "source": job.source, "targets": job.targets, "due": due, "profile": job.profile,
                "enabled": job.enabled,
            }))?;
            continue;
        }
        let due = due.unwrap_or_else(|| "by hand".to_owned());
        let off = if job.enabled { "" } else { ", disabled" };
        print(&format!("{}: {} -> {} ({due}{off})\n", job.name, job.source, job.targets.join(", ")))?;
    }
    if config.jobs().is_empty() {
        ui::say("the configuration has no job; 'sterna job --help' shows one");
    }
    Ok(Exit::Success)
}

/// A record as it is now: one that is under way by the history, and whose lock nobody holds, was killed.
fn as_it_is(mut record: RunRecord, jobs: Option<&Path>) -> RunRecord {
    if record.verdict == Verdict::Running && jobs.is_some_and(|jobs| !is_held(&lock(jobs, &record.job))) {
        record.verdict = Verdict::Killed;
    }
    record
}

fn state(history: &History, job: &Saved, paused: &BTreeMap<String, Timestamp>) -> Result<JobStatus, Failure> {
    let jobs = settings::jobs().ok();
    let runs: Vec<RunRecord> = history.job_runs(Some(&job.name), 2).map_err(lost)?;
    let runs: Vec<RunRecord> = runs.into_iter().map(|run| as_it_is(run, jobs.as_deref())).collect();
    let in_step = history.last_in_step(&job.name).map_err(lost)?;
    let now = Timestamp::now();
    let next = schedule(job)?.and_then(|schedule| schedule.next_after(now));
    let paused = paused.get(&job.name).copied();
    Ok(JobStatus::of(job, Known { runs: &runs, in_step: &in_step, next, progress: None, paused, now }))
}

/// `job status`.
pub fn status(global: &GlobalArgs, config: &Config, name: Option<&str>) -> Result<Exit, Failure> {
    let history = needed_history(global)?;
    let paused = history.paused_jobs().map_err(lost)?;
    let mut exit = Exit::Success;
    for job in chosen(config, name)? {
        let status = state(&history, job, &paused)?;
        if status.targets.iter().any(|target| target.verdict.is_some_and(Verdict::is_trouble)) {
            exit = Exit::Error;
        }
        if global.json {
            print_json(&status)?;
        } else {
            print(&told(&status))?;
        }
    }
    Ok(exit)
}

fn told(status: &JobStatus) -> String {
    let word = match status.state {
        State::Running => "running",
        State::Waiting => "waiting",
        State::Paused => "held back",
        State::Disabled => "disabled",
        State::ByHand => "run by hand",
    };
    let next = status.next.map(|next| format!(", next {}", clock(next))).unwrap_or_default();
    let mut text = format!("{}: {word}{next}\n", status.name);
    for target in &status.targets {
        let fresh = match (target.in_step, target.age_seconds) {
            (Some(_), Some(age)) => format!("in step {} ago", ui::span(std::time::Duration::from_secs(age))),
            _ => "never in step yet".to_owned(),
        };
        let verdict = target.verdict.map(|verdict| format!("; last run: {}", verdict.describe())).unwrap_or_default();
        text += &format!("  {}: {fresh}{verdict}\n", target.place);
        if let Some(failure) = &target.failure {
            text += &format!("    {}\n", failure.message);
            failure.advice.iter().for_each(|advice| text += &format!("    what to do: {advice}\n"));
        }
    }
    text
}

/// A time as people of this machine read it.
fn clock(time: Timestamp) -> String {
    Time::from(time).to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// `job history`.
pub fn history(global: &GlobalArgs, config: &Config, args: &HistoryArgs) -> Result<Exit, Failure> {
    let history = needed_history(global)?;
    let jobs = settings::jobs().ok();
    let runs = history.job_runs(args.name.as_deref(), args.count).map_err(lost)?;
    if runs.is_empty() {
        // Of a job that was taken out of the configuration runs are still known; a name nobody knows is a mistake.
        args.name.as_deref().map(|name| config.job(name)).transpose()?;
        ui::say("no run is written down");
    }
    for run in runs {
        let run = as_it_is(run, jobs.as_deref());
        if global.json {
            print_json(&run)?;
            continue;
        }
        let took = run.ended.map(|ended| ended.as_nanos().saturating_sub(run.began.as_nanos()));
        let took = took.and_then(|nanos| u64::try_from(nanos).ok()).map(std::time::Duration::from_nanos);
        let took = took.map(|took| format!(", {}", ui::span(took))).unwrap_or_default();
        let (id, job) = (run.id.0, &run.job);
        print(&format!(
            "{id} {} {job}: {}{took} ({})\n",
            clock(run.began),
            run.verdict.describe(),
            run.trigger.name()
        ))?;
        for target in &run.targets {
            print(&format!("    {}: {}\n", target.place, super::done(target)))?;
        }
        if let Some(failure) = run.first_failure() {
            print(&format!("    {}\n", failure.message))?;
        }
    }
    Ok(Exit::Success)
}

/// `job logs`.
pub fn logs(global: &GlobalArgs, config: &Config, args: &LogsArgs) -> Result<Exit, Failure> {
    let history = needed_history(global)?;
    let run = match args.run {
        Some(id) => history.job_run(JobRunId(id)).map_err(lost)?.filter(|run| run.job == args.name),
        None => history.job_runs(Some(&args.name), 1).map_err(lost)?.pop(),
    };
    let Some(run) = run else {
        config.job(&args.name)?;
        return Err(Failure { exit: Exit::ObjectNotFound, message: format!("'{}' has no such run", args.name) });
    };
    let none = || Failure { exit: Exit::ObjectNotFound, message: format!("run {} wrote no log", run.id.0) };
    let path = run.log.as_ref().ok_or_else(none)?;
    let gone = |error| Failure { exit: Exit::ObjectNotFound, message: format!("{}: {error}", path.display()) };
    for line in BufReader::new(File::open(path).map_err(gone)?).lines() {
        let line = line?;
        match serde_json::from_str::<Value>(&line).ok().filter(|_| !global.json) {
            Some(value) => print(&format!("{}\n", in_words(&value)))?,
            None => print(&format!("{line}\n"))?,
        }
    }
    Ok(Exit::Success)
}

/// A line of a log for people: when, what, of what, and why.
fn in_words(line: &Value) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time = text("time").parse::<Time>().map(|time| clock(time.into())).unwrap_or_default();
    if let Some(Ok(record)) = line.get("record").map(|record| serde_json::from_value::<RunRecord>(record.clone())) {
        let targets: Vec<String> =
            record.targets.iter().map(|target| format!("{}: {}", target.place, super::done(target))).collect();
        return format!("{time} ended: {}; {}", record.verdict.describe(), targets.join("; "));
    }
    let mut words = vec![time, text("event").replace('_', " ")];
    words.extend(["deed", "key", "message", "path", "why"].map(text).into_iter().filter(|word| !word.is_empty()));
    if let Some(objects) = line.get("objects").and_then(Value::as_u64) {
        words.push(ui::count(objects, "object"));
    }
    if let Some(bytes) = line.get("bytes").and_then(Value::as_u64) {
        words.push(format!("({})", ui::bytes(bytes)));
    }
    words.join(" ")
}

/// `job next`.
pub fn next(global: &GlobalArgs, config: &Config, args: &NextArgs) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let paused = settings::history(global)?.map(|history| history.paused_jobs().map_err(lost)).transpose()?;
    for job in chosen(config, args.name.as_deref())? {
        let held = !job.enabled || paused.as_ref().is_some_and(|paused| paused.contains_key(&job.name));
        let times: Vec<Timestamp> = match schedule(job)?.filter(|_| !held) {
            Some(schedule) => schedule.upcoming(now).take(args.count).collect(),
            None => Vec::new(),
        };
        if global.json {
            print_json(&json!({ "name": job.name, "held_back": held, "next": times }))?;
        } else if held {
            print(&format!("{}: held back\n", job.name))?;
        } else if times.is_empty() {
            print(&format!("{}: never by itself\n", job.name))?;
        } else {
            let times: Vec<String> = times.into_iter().map(clock).collect();
            print(&format!("{}: {}\n", job.name, times.join(", ")))?;
        }
    }
    Ok(Exit::Success)
}

/// `job explain`.
pub fn explain(global: &GlobalArgs, job: &Saved) -> Result<Exit, Failure> {
    let due = schedule(job)?;
    let lines = sentences(job, due.as_ref());
    if global.json {
        print_json(&json!({ "name": job.name, "sentences": lines }))?;
    } else {
        print(&(lines.join("\n") + "\n"))?;
    }
    Ok(Exit::Success)
}

fn sentences(job: &Saved, due: Option<&Schedule>) -> Vec<String> {
    let span = ui::span;
    let mut lines =
        vec![format!("The job '{}' makes {} hold what {} holds.", job.name, job.targets.join(" and "), job.source)];
    lines.push(match due {
        Some(due) => {
            let next = due.next_after(Timestamp::now()).map(|next| format!(", next at {}", clock(next)));
            format!("It is due {due}{}. What was missed is made up for once.", next.unwrap_or_default())
        }
        None => "It has no time of its own: 'sterna job run' begins it.".to_owned(),
    });
    if job.groups.is_ordered() {
        let names = job.groups.names().join(", then ");
        lines.push(format!("At each target appear {names}; each only once all before it is there."));
    }
    let filters = &job.filters;
    if !filters.include.is_empty() {
        lines.push(format!("Only {} is mirrored.", filters.include.join(", ")));
    }
    if !filters.exclude.is_empty() {
        lines.push(format!("{} is neither mirrored nor deleted.", filters.exclude.join(", ")));
    }
    let grace = match job.delete_after {
        Some(after) => format!("once it has been missing for {}", span(after)),
        None => "in the same run".to_owned(),
    };
    lines.push(format!(
        "What the source no longer has is deleted last, {grace}; more than {} at one target is not deleted.",
        job.limits.max_delete
    ));
    if let Some(key) = super::tip::key(job) {
        let every = super::tip::every(job);
        let every = if every.is_zero() { "in every run".to_owned() } else { format!("every {}", span(every)) };
        lines.push(format!("While {key} is the same on all sides nothing else is looked at; all is compared {every}."));
    }
    if let Some(most) = job.limits.max_duration {
        lines.push(format!("A run ends cleanly after {}; the next one goes on.", span(most)));
    }
    if let Some(bandwidth) = &job.limits.bandwidth {
        lines.push(format!("Its bandwidth is {bandwidth}."));
    }
    if let Some(budget) = &job.budget {
        let egress = budget.egress.map(|bytes| format!("{} read", ui::bytes(bytes)));
        let cost = budget.cost.as_ref().map(|(amount, currency)| format!("{amount} {currency}"));
        let both: Vec<String> = egress.into_iter().chain(cost).collect();
        lines.push(format!("In a calendar month it may take {}.", both.join(" and ")));
    }
    lines.push(format!(
        "One run is made at a time: while it is under way a lease lies at each target, which others respect for {} after its last sign of life.",
        span(job.lease)
    ));
    lines
}
