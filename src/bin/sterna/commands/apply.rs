//! `apply`: a plan that was written down, carried out.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
    time::Instant,
};

use futures::stream;
use serde::{Deserialize, de::IgnoredAny};
use sterna::{
    backends::{self, Error, ErrorKind, Operation, Store},
    index::Shelves,
    plan::{Header, InvalidPlan, Item},
    report::Summary,
    sync,
    transfer::{Expense, Forecast, Settings, Stop, Target, Work},
};

use super::{
    apart::may_be_written,
    bill::{Bill, Limit, Role},
    plan::{print_item, say_end},
    record::{self, recorded},
    run::{self, Watch, Wishes},
};
use crate::{
    args::{ApplyArgs, GlobalArgs},
    config::Budget,
    exit::{Exit, Failure},
    places::{Opener, Place},
    settings,
    ui::Progress,
};

/// `sterna apply`.
pub async fn run(global: &GlobalArgs, args: ApplyArgs) -> Result<Exit, Failure> {
    let header = validate(&args.plan)?;
    if args.dry_run {
        for item in items(&args.plan)? {
            print_item(global, &item?, header.destinations.len() > 1)?;
        }
    }
    let mut watch = Watch::new(global, &args.own);
    let (work, budgets) = open(global, &args, &header, &mut watch).await?;
    let Watch { summary, bill, .. } = watch;
    if args.dry_run {
        record::foretell(global, &budgets, &bill)?;
        say_end(global, (&header.destinations, &header.totals), (&bill, &forecast(&work, &args.plan)?))?;
        return Ok(Exit::Success);
    }
    let bill = Arc::new(bill);
    let (stop, over_budget) = (work.stop.clone(), args.spending.over_budget);
    let run = record::Run { command: "apply", budgets: &budgets, over_budget, stop: Some(&stop) };
    recorded(global, run, &bill, carry_out(global, &args, (&header, work), (&summary, &bill))).await
}

async fn carry_out(
    global: &GlobalArgs,
    args: &ApplyArgs,
    (header, work): (&Header, Work),
    (summary, bill): (&Arc<Summary>, &Bill),
) -> Result<Exit, Failure> {
    let quote = forecast(&work, &args.plan)?;
    bill.quotes(quote.clone());
    let limit = args.spending.max_cost.as_ref().map(|most| Limit::new(bill, most)).transpose()?;
    if let Some(limit) = &limit
        && !limit.allows(&quote)
    {
        limit.verdict(None)?;
    }
    let started = Instant::now();
    let progress = Progress::start(Arc::clone(summary), global.progress, global.stats.0.unwrap_or_default());
    run::limit_duration(args.transfer.max_duration.as_ref(), &work.stop);
    let stop = work.stop.clone();
    let applied = sync::apply(work, stream::iter(items(&args.plan)?));
    let ran = match &limit {
        Some(limit) => limit.watch(&stop, applied).await,
        None => applied.await,
    };
    progress.finish();
    let outcome = ran?;
    if let Some(limit) = &limit {
        limit.verdict(outcome.stopped)?;
    }
    // What the plan found is the plan's business; the code is about carrying it out.
    let wishes = Wishes { allow_unproven: true, ..Wishes::default() };
    run::last_word(global, header, (&header.totals, false), (&outcome, wishes), (summary, bill, started))?;
    Ok(run::code(&[], &outcome, wishes))
}

/// What carrying the plan out will cost. What is kept at the places is not listed for that.
fn forecast(work: &Work, plan: &Path) -> Result<Expense, Failure> {
    let settings = Settings { check_drift: true, ..work.settings.clone() };
    let kept = work.records.are_kept();
    let mut forecast = Forecast::new(Arc::clone(&work.source), work.targets.clone(), settings, kept);
    for item in items(plan)? {
        forecast.take(&item?);
    }
    Ok(forecast.so_far())
}

async fn open(
    global: &GlobalArgs,
    args: &ApplyArgs,
    header: &Header,
    watch: &mut Watch,
) -> Result<(Work, Vec<Budget>), Failure> {
    let observer = Arc::clone(&watch.observer);
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&observer))?;
    let source = opener.source(&header.source).await?;
    watch.bill.add(&opener, Role::Source, &source)?;
    let backup = match &header.backup_dir {
        Some(written) => Some(opener.target(written).await?),
        None => None,
    };
    if let Some(backup) = &backup {
        watch.bill.add(&opener, Role::Backup, backup)?;
    }
    let mut places = Vec::new();
    for written in &header.destinations {
        let place = opener.destination(written, header.destinations.len() > 1).await?;
        watch.bill.add(&opener, Role::Target(places.len()), &place)?;
        places.push(place);
    }
    may_be_written((header.intent, header.earlier), &source, (backup.as_ref(), &places))?;
    // A suffix without a backup place keeps things beside the originals.
    let beside = |store: &Arc<dyn Store>| Arc::clone(backup.as_ref().map_or(store, |place| &place.store));
    let target = |Place { store, .. }| Target { backup: Some(beside(&store)), store, searched: Vec::new() };
    let targets: Vec<Target> = places.into_iter().map(target).collect();
    let index = settings::index(global)?;
    let stores = [&source.store].into_iter().chain(targets.iter().map(|target| &target.store));
    let shelves = Shelves::of(index.as_ref(), stores);
    let work = Work {
        source: source.store,
        targets,
        shelves,
        ordered: !header.groups.is_empty(),
        settings: Settings {
            digests: opener.digests(&header.destinations),
            ..settings::transfer(&args.transfer, global.transfers)
        },
        policy: header.policy,
        records: settings::records(&args.transfer),
        observer,
        stop: Stop::default(),
    };
    Ok((work, opener.budgets().to_vec()))
}

/// A line of the file after the first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Item(Item),
    /// What `plan --json` says at the end; prices are of the day they were asked for.
    Quote {
        #[serde(rename = "quote")]
        _quote: IgnoredAny,
    },
}

/// Reads the whole plan once, so that a broken one is refused before anything is done.
fn validate(path: &Path) -> Result<Header, Failure> {
    let broken = |error: InvalidPlan| Failure::usage(format!("{}: {error}", path.display()));
    let mut lines = lines(path)?;
    let first = lines.next().transpose()?.unwrap_or_default();
    let header = Header::parse(&first).map_err(broken)?;
    let mut found = 0;
    for (number, line) in lines.enumerate() {
        let line: Line = serde_json::from_str(&line?)
            .map_err(|error| broken(InvalidPlan::Line { line: number as u64 + 2, why: error.to_string() }))?;
        let Line::Item(item) = line else { continue };
        let to = item.to();
        if to == 0 || to > header.destinations.len() {
            let why = format!("there is no destination {to}");
            return Err(broken(InvalidPlan::Line { line: number as u64 + 2, why }));
        }
        found += 1;
    }
    match header.lines() {
        Some(expected) if expected != found => Err(broken(InvalidPlan::Short { expected, found })),
        _ => Ok(header),
    }
}

fn lines(path: &Path) -> Result<impl Iterator<Item = std::io::Result<String>> + use<>, Failure> {
    let file = File::open(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(BufReader::new(file).lines())
}

fn items(path: &Path) -> Result<impl Iterator<Item = backends::Result<Item>> + use<>, Failure> {
    let item = |line: std::io::Result<String>| {
        let line = line.map_err(|error| Error::io(Operation::Open, error))?;
        match serde_json::from_str(&line) {
            Ok(Line::Item(item)) => Ok(Some(item)),
            Ok(Line::Quote { .. }) => Ok(None),
            Err(error) => Err(Error::new(ErrorKind::Config, Operation::Open).because(error)),
        }
    };
    Ok(lines(path)?.skip(1).filter_map(move |line| item(line).transpose()))
}
