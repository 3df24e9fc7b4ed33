//! What there is to see of jobs: how they stand, their runs, their times.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use jiff::{Timestamp as Time, tz::TimeZone};
use serde_json::{Value, json};
use sterna::{
    backends::Timestamp,
    history::History,
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

/// How `job` stands, by what is written down of it.
pub fn state(history: &History, job: &Saved) -> Result<JobStatus, Failure> {
    let paused = history.paused_jobs()?;
    let jobs = settings::jobs().ok();
    let runs: Vec<RunRecord> = history.job_runs(Some(&job.name), 2)?;
    let runs: Vec<RunRecord> = runs.into_iter().map(|run| as_it_is(run, jobs.as_deref())).collect();
    let in_step = history.last_in_step(&job.name)?;
    let now = Timestamp::now();
    let next = schedule(job)?.and_then(|schedule| schedule.next_after(now));
    let paused = paused.get(&job.name).copied();
    Ok(JobStatus::of(job, Known { runs: &runs, in_step: &in_step, next, progress: None, paused, now }))
}

/// `job status`.
pub fn status(global: &GlobalArgs, config: &Config, name: Option<&str>) -> Result<Exit, Failure> {
    let history = needed_history(global)?;
    let mut exit = Exit::Success;
    for job in chosen(config, name)? {
        let status = state(&history, job)?;
        if status.targets.iter().any(|target| target.stale || target.verdict.is_some_and(Verdict::is_trouble)) {
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
        let stale = if target.stale { "stale: " } else { "" };
        let holds = target.holds.map_or_else(String::new, |holds| {
            format!(" with {} ({})", ui::count(holds.objects, "object"), ui::bytes(holds.bytes))
        });
        let verdict = target.verdict.map(|verdict| format!("; last run: {}", verdict.describe())).unwrap_or_default();
        text += &format!("  {}: {stale}{fresh}{holds}{verdict}\n", target.place);
        if target.stale || target.failure.is_some() {
            let failure = status.why_behind(target);
            text += &format!("    {}\n", failure.message);
            failure.advice.iter().for_each(|advice| text += &format!("    what to do: {advice}\n"));
        }
    }
    text
}

/// A time as people of this machine read it.
pub fn clock(time: Timestamp) -> String {
    Time::from(time).to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// `job history`.
pub fn history(global: &GlobalArgs, config: &Config, args: &HistoryArgs) -> Result<Exit, Failure> {
    let history = needed_history(global)?;
    let jobs = settings::jobs().ok();
    let runs = history.job_runs(args.name.as_deref(), args.count)?;
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
        Some(id) => history.job_run(JobRunId(id))?.filter(|run| run.job == args.name),
        None => history.job_runs(Some(&args.name), 1)?.pop(),
    };
    let Some(run) = run else {
        config.job(&args.name)?;
        return Err(Failure::new(Exit::ObjectNotFound, format!("'{}' has no such run", args.name)));
    };
    let none = || Failure::new(Exit::ObjectNotFound, format!("run {} wrote no log", run.id.0));
    let path = run.log.as_ref().ok_or_else(none)?;
    let gone = |error| Failure::new(Exit::ObjectNotFound, format!("{}: {error}", path.display()));
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
    let paused = settings::history(global)?.map(|history| history.paused_jobs()).transpose()?;
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
