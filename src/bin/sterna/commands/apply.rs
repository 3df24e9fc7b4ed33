//! `apply`: a plan that was written down, carried out.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
    time::Instant,
};

use futures::stream;
use sterna::{
    backends::{self, Error, ErrorKind, Operation},
    event::Observers,
    index::Shelves,
    plan::{Header, InvalidPlan, Item},
    report::Summary,
    sync,
    transfer::{Forecast, Settings, Stop, Target, Work},
};

use super::{
    bill::Role,
    history::Record,
    observer,
    plan::{draw_item, draw_totals},
    print,
    run::{self, Watch, Wishes},
};
use crate::{
    args::{ApplyArgs, GlobalArgs},
    exit::{Exit, Failure},
    places::Opener,
    settings,
    ui::{self, Progress},
};

/// `sterna apply`.
pub async fn run(global: &GlobalArgs, args: ApplyArgs) -> Result<Exit, Failure> {
    let header = validate(&args.plan)?;
    if args.dry_run {
        for item in items(&args.plan)? {
            print(&draw_item(&item?, header.destinations.len() > 1))?;
        }
        for (name, totals) in header.destinations.iter().zip(&header.totals) {
            ui::say(&draw_totals(name, totals));
        }
        return Ok(Exit::Success);
    }
    let summary = Arc::new(Summary::default());
    let observer = observer(global, Some(Arc::clone(&summary) as Observers));
    let mut watch = Watch::new(summary);
    let work = open(global, &args, &header, (observer, &mut watch)).await?;
    let record = Record::begin(global, "apply", (&mut watch.bill, &[]), true)?;
    watch.started = Instant::now();
    let progress = Progress::start(Arc::clone(&watch.summary), global.progress, global.stats.0.unwrap_or_default());
    run::limit_duration(args.transfer.max_duration.as_ref(), &work.stop);
    let settings = Settings { check_drift: true, ..work.settings.clone() };
    let kept = work.records.are_kept();
    let mut forecast = Forecast::new(Arc::clone(&work.source), work.targets.clone(), settings, kept);
    let items = items(&args.plan)?.inspect(|item| item.iter().for_each(|item| forecast.take(item)));
    let ran = sync::apply(work, stream::iter(items)).await;
    progress.finish();
    let outcome = ran?;
    // What the plan found is the plan's business; the code is about carrying it out.
    let wishes = Wishes { allow_unproven: true, ..Wishes::default() };
    let (exit, quote) = (run::code(&[], &outcome, wishes), forecast.so_far());
    record.end(exit, watch.bill.compared(Some(&quote)));
    run::last_word(global, &header, (&header.totals, false), (&outcome, Some(&quote), wishes), &watch)?;
    Ok(exit)
}

async fn open(
    global: &GlobalArgs,
    args: &ApplyArgs,
    header: &Header,
    (observer, watch): (Observers, &mut Watch),
) -> Result<Work, Failure> {
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&observer))?;
    let source = opener.source(&header.source).await?;
    watch.add(Role::Source, &source)?;
    let backup = match &header.backup_dir {
        Some(written) => {
            let place = opener.target(written).await?;
            watch.add(Role::Backup, &place)?;
            Some(place.store)
        }
        None => None,
    };
    let mut targets = Vec::new();
    for written in &header.destinations {
        let place = opener.target(written).await?;
        watch.add(Role::Target(targets.len()), &place)?;
        let store = place.store;
        // A suffix without a backup place keeps things beside the originals.
        let backup = backup.clone().or_else(|| Some(Arc::clone(&store)));
        targets.push(Target { store, backup, searched: Vec::new() });
    }
    let index = settings::index(global)?;
    let stores = [&source.store].into_iter().chain(targets.iter().map(|target| &target.store));
    let shelves = Shelves::of(index.as_ref(), stores);
    Ok(Work {
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
    })
}

/// Reads the whole plan once, so that a broken one is refused before anything is done.
fn validate(path: &Path) -> Result<Header, Failure> {
    let broken = |error: InvalidPlan| Failure::usage(format!("{}: {error}", path.display()));
    let mut lines = lines(path)?;
    let first = lines.next().transpose()?.unwrap_or_default();
    let header = Header::parse(&first).map_err(broken)?;
    let mut found = 0;
    for (number, line) in lines.enumerate() {
        let item: Item = serde_json::from_str(&line?)
            .map_err(|error| broken(InvalidPlan::Line { line: number as u64 + 2, why: error.to_string() }))?;
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
    Ok(lines(path)?.skip(1).map(|line| {
        let line = line.map_err(|error| Error::io(Operation::Open, error))?;
        serde_json::from_str(&line).map_err(|error| Error::new(ErrorKind::Config, Operation::Open).because(error))
    }))
}
