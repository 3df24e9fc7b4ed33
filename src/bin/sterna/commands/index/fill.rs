//! `index build`, `index import`.

use std::{fs, io::Read, path::Path, sync::Arc, time::Instant};

use sterna::{
    event::Observers,
    index::{self, BuildSettings, Built, Imported, Problem, Sums},
    report::Summary,
};

use super::code;
use crate::{
    args::{BuildArgs, GlobalArgs, ImportArgs, VersionArgs},
    commands::{observer, print, print_json},
    exit::{Exit, Failure},
    places::Opener,
    settings, ui,
};

/// Broken lines that are said one by one; more are counted.
const SAID: usize = 20;

/// `sterna index build`.
pub async fn build(global: &GlobalArgs, args: BuildArgs) -> Result<Exit, Failure> {
    let summary = Arc::new(Summary::default());
    let observer = observer(global, Some(Arc::clone(&summary) as Observers));
    let index = settings::needed_index(global)?;
    let mut scope = settings::scope(&args.filter, &VersionArgs::default())?;
    let place = Opener::new(global, args.local, Arc::clone(&observer))?.either(&args.place).await?;
    scope.filter = place.narrows(scope.filter);
    let started = Instant::now();
    let progress = ui::Progress::start(summary, global.progress, global.stats.0.unwrap_or_default());
    let settings = BuildSettings { scope, all: args.all, checkers: global.checkers };
    let built = index::build(&place.store, &index, &settings, &observer).await;
    progress.finish();
    let built = built?;
    if global.json {
        print_json(&serde_json::json!({
            "place": args.place, "built": built, "seconds": started.elapsed().as_secs_f64(),
            "requests": place.meter.map(|meter| meter.counts()),
        }))?;
    } else if !global.quiet {
        ui::say(&format!("{}: {}; {}", args.place, words(&built), ui::span(started.elapsed())));
    }
    let exit = match (built.failed, built.retryable) {
        (0, _) => Exit::Success,
        (failed, retryable) if failed == retryable => Exit::Temporary,
        _ => Exit::Error,
    };
    Ok(code(&index, exit))
}

fn words(built: &Built) -> String {
    let objects = built.known + built.listed + built.stat + built.read;
    let mut text = format!(
        "{} known ({} before, {} told by the listing, {} by a stat, {} read: {})",
        ui::count(objects, "object"),
        built.known,
        built.listed,
        built.stat,
        built.read,
        ui::bytes(built.bytes_read)
    );
    if built.unsettled > 0 {
        text += &format!(", {} changed too recently to be remembered, or tell no version", built.unsettled);
    }
    if built.vanished > 0 {
        text += &format!(", {} changed or vanished meanwhile", built.vanished);
    }
    if built.failed > 0 {
        text += &format!(", {} failed", built.failed);
    }
    text
}

/// `sterna index import`.
pub async fn import(global: &GlobalArgs, args: ImportArgs) -> Result<Exit, Failure> {
    let name = args.file.display();
    let sums = Sums::read(&read(&args.file)?);
    let heard = if args.ignore_broken && global.quiet { 0 } else { SAID };
    for broken in sums.broken.iter().take(heard) {
        ui::complain(&format!("{name}: {broken}"));
    }
    if sums.broken.len() > SAID {
        ui::complain(&format!("{name}: {} in all cannot be read", ui::count(sums.broken.len() as u64, "line")));
    }
    if !sums.broken.is_empty() && !args.ignore_broken {
        return Err(Failure::other(format!("{name}: nothing was imported; --ignore-broken passes over such lines")));
    }
    let observer = observer(global, None);
    let index = settings::needed_index(global)?;
    let place = Opener::new(global, args.local, Arc::clone(&observer))?.folder(&args.place).await?;
    let mut failed = None;
    let tell = |problem: Problem| {
        if args.ignore_missing && matches!(problem, Problem::Missing { .. }) {
            return;
        }
        let told =
            if global.json { print_json(&problem) } else { print(&format!("{name}: {}\n", problem_words(&problem))) };
        failed = failed.take().or(told.err());
    };
    let done = index::import(&place.store, &index, sums, &observer, tell).await?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    if global.json {
        print_json(&serde_json::json!({ "file": args.file, "place": args.place, "imported": done }))?;
    } else if !global.quiet {
        ui::say(&format!("{}: {}", args.place, import_words(&done)));
    }
    let bad = done.contradicted + done.unsettled + if args.ignore_missing { 0 } else { done.missing };
    Ok(code(&index, if bad > 0 { Exit::Error } else { Exit::Success }))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn problem_words(problem: &Problem) -> String {
    match problem {
        Problem::Missing { line, key } => format!("line {line}: {key} is not there"),
        Problem::Contradicted { line, key, algorithm } => {
            format!("line {line}: {key} is known to have another {algorithm}; left as it was")
        }
        Problem::Unsettled { line, key } => {
            format!("line {line}: {key} changed too recently to be remembered, or tells no version")
        }
    }
}

fn import_words(done: &Imported) -> String {
    let mut text = format!("{} imported", ui::count(done.imported, "object"));
    for (count, what) in [
        (done.missing, "of the file are not there"),
        (done.contradicted, "are known to be something else"),
        (done.unsettled, "could not be remembered"),
        (done.unknown, "without a digest in the file"),
        (done.unnamed, "there are not in the file"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}
