//! What `copy`, `sync`, `move`, `plan` and `apply` have in common: opening, watching, the last word, the code.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sterna::{
    backends::{Algorithm, VersionScope},
    event::Observers,
    plan::{Header, Intent, MetadataRules, Totals},
    report::{Departures, Summary},
    sync::Job,
    transfer::{Outcome, Stop, StopReason, Target, TargetOutcome},
};

use super::{
    Several,
    apart::may_be_written,
    bill::{Bill, Role, say_sent},
    look::no_versions,
    observer, print_json,
};
use crate::{
    args::{GlobalArgs, OwnPricesArgs, PlanningArgs, Require},
    config::Budget,
    exit::{Exit, Failure, of_loss},
    places::{Opener, Place},
    settings, ui,
    values::Span,
};

/// The places of a run, opened, and what is to be made of them.
pub struct Prepared {
    pub job: Job,
    pub header: Header,
    pub watch: Watch,
    pub allow_unproven: bool,
    pub budgets: Vec<Budget>,
    /// Digests that are worth knowing of large files.
    pub digests: Vec<Algorithm>,
}

/// What is watched of a run: its events, and the requests made at each remote.
pub struct Watch {
    pub summary: Arc<Summary>,
    pub bill: Bill,
    /// Who tells the one and the other of events, and people.
    pub observer: Observers,
}

impl Watch {
    /// Nothing has happened yet; `own` are prices that are laid over the book.
    pub fn new(global: &GlobalArgs, own: &OwnPricesArgs) -> Self {
        let (summary, departures) = (Arc::new(Summary::default()), Arc::new(Departures::default()));
        let both: Vec<Observers> = vec![Arc::clone(&summary) as Observers, Arc::clone(&departures) as Observers];
        let observer = observer(global, Some(Arc::new(Several(both))));
        Self { summary, bill: Bill::new(own.clone(), departures), observer }
    }
}

/// Opens the places and resolves every setting of the plan.
pub async fn prepare(
    global: &GlobalArgs,
    intent: Intent,
    source: &str,
    destinations: &[String],
    args: &PlanningArgs,
) -> Result<Prepared, Failure> {
    let mut watch = Watch::new(global, &args.own);
    let observer = Arc::clone(&watch.observer);
    let mut scope = settings::scope(&args.filter, &crate::args::VersionArgs::default())?;
    scope.versions = settings::version_scope(false, args.version_at.as_ref());
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&observer))?;
    let from = opener.source(source).await?;
    watch.bill.add(&opener, Role::Source, &from)?;
    if scope.versions != VersionScope::Latest && !from.store.capabilities().versions {
        return Err(no_versions(source));
    }
    scope.filter = from.narrows(scope.filter);
    let backup = match &args.backup_dir {
        Some(written) => Some(opener.target(written).await?),
        None => None,
    };
    if let Some(backup) = &backup {
        writable(backup)?;
        watch.bill.add(&opener, Role::Backup, backup)?;
    }
    if intent == Intent::Move {
        writable(&from)?;
    }
    let mut places = Vec::new();
    for written in destinations {
        let mut place = opener.destination(written, destinations.len() > 1).await?;
        writable(&place)?;
        place.searched.extend(opener.searched(written).await?);
        watch.bill.add(&opener, Role::Target(places.len()), &place)?;
        places.push(place);
    }
    may_be_written((intent, scope.versions != VersionScope::Latest), &from, (backup.as_ref(), &places))?;
    let targets = places.into_iter().map(|place| target(place, backup.as_ref(), args)).collect();
    let job = Job {
        intent,
        source: from.store,
        targets,
        suffix: args.suffix.clone().unwrap_or_default(),
        scope,
        policy: settings::policy(&args.compare),
        groups: settings::groups(&args.publication)?,
        max_delete: args.max_delete,
        grace: settings::grace(&args.publication)?,
        exempt: Arc::default(),
        rules: MetadataRules(args.header.clone()),
        checkers: global.checkers,
        index: settings::index(global)?,
        patience: None,
        reuse: !args.no_reuse,
        observer,
    };
    let header = job.header(source.to_owned(), destinations.to_vec(), args.backup_dir.clone());
    let allow_unproven = args.compare.allow_unproven || args.compare.size_only;
    let budgets = opener.budgets().to_vec();
    let digests = opener.digests(destinations);
    Ok(Prepared { job, header, watch, allow_unproven, budgets, digests })
}

/// Refuses a place that nothing can be written to, before anything is listed.
pub(super) fn writable(place: &Place) -> Result<(), Failure> {
    match place.store.capabilities().read_only {
        true => Err(Failure::usage(format!("{}: it can only be read from", place.written))),
        false => Ok(()),
    }
}

pub(super) fn target(place: Place, backup: Option<&Place>, args: &PlanningArgs) -> Target {
    let kept = match (backup, &args.suffix) {
        (Some(backup), _) => Some(Arc::clone(&backup.store)),
        (None, Some(_)) => Some(Arc::clone(&place.store)),
        (None, None) => None,
    };
    Target { store: place.store, backup: kept, searched: place.searched }
}

/// Ends the run cleanly after `--max-duration`.
pub fn limit_duration(limit: Option<&Span>, stop: &Stop) {
    let Some(limit) = limit.and_then(|limit| limit.0) else { return };
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        stop.stop(StopReason::MaxDuration);
    });
}

/// What decides on the exit code beside totals and outcome.
#[derive(Clone, Copy, Default)]
pub struct Wishes {
    pub allow_unproven: bool,
    pub error_on_no_transfer: bool,
    pub require: Require,
}

/// The exit code of a run: success where as many destinations as required have what they should have.
pub fn code(totals: &[Totals], outcome: &Outcome, wishes: Wishes) -> Exit {
    let each = codes(totals, outcome, wishes);
    required(wishes.require, &each).unwrap_or_else(|| code_of(totals, outcome, wishes))
}

/// The exit code that each destination would have given alone.
pub fn codes(totals: &[Totals], outcome: &Outcome, wishes: Wishes) -> Vec<Exit> {
    let alone = |(at, target): (usize, &TargetOutcome)| {
        let outcome = Outcome { targets: vec![target.clone()], stopped: outcome.stopped };
        code_of(totals.get(at..=at).unwrap_or_default(), &outcome, wishes)
    };
    outcome.targets.iter().enumerate().map(alone).collect()
}

/// Success, where as many destinations as required have succeeded.
fn required(require: Require, codes: &[Exit]) -> Option<Exit> {
    let needed = match require {
        Require::All => codes.len(),
        Require::Any => 1,
        Require::AtLeast(count) => count,
    };
    let good = codes.iter().filter(|code| **code == Exit::Success).count();
    (require != Require::All && good >= needed).then_some(Exit::Success)
}

/// What several failures are together: the one code they all have, else an error. `None`: there are none.
fn together(mut codes: impl Iterator<Item = Exit>) -> Option<Exit> {
    let first = codes.next()?;
    Some(if codes.all(|code| code == first) { first } else { Exit::Error })
}

fn code_of(totals: &[Totals], outcome: &Outcome, wishes: Wishes) -> Exit {
    let sum = |of: fn(&TargetOutcome) -> u64| outcome.targets.iter().map(of).sum::<u64>();
    match outcome.stopped {
        Some(StopReason::Fatal) => return Exit::Fatal,
        Some(StopReason::Capped) => return Exit::Capped,
        Some(StopReason::Unreachable) => return Exit::Temporary,
        _ => {}
    }
    if sum(|target| target.drifted) > 0 {
        return Exit::Drifted;
    }
    let temporary = outcome.targets.iter().flat_map(|target| &target.failures).all(|failure| failure.retryable);
    let failed = if temporary { Exit::Temporary } else { Exit::Error };
    let failed = (sum(|target| target.failed) > 0).then_some(failed);
    let lost = outcome.targets.iter().filter_map(|target| target.lost.as_ref()).map(|lost| of_loss(lost.loss));
    if let Some(exit) = together(failed.into_iter().chain(lost)) {
        return exit;
    }
    match outcome.stopped {
        Some(StopReason::MaxTransfer) => return Exit::MaxTransfer,
        Some(StopReason::MaxDuration) => return Exit::MaxDuration,
        Some(StopReason::OverBudget) => return Exit::OverBudget,
        Some(StopReason::Asked) => return Exit::Interrupted,
        Some(StopReason::Fenced) => return Exit::Temporary,
        Some(StopReason::Fatal | StopReason::Capped | StopReason::Unreachable) | None => {}
    }
    if sum(|target| target.deletes_held) > 0 {
        return Exit::DeletesBlocked;
    }
    let nothing = sum(|target| target.transferred + target.copied) == 0;
    match planned_code_of(totals, wishes) {
        Exit::Success if wishes.error_on_no_transfer && nothing => Exit::NothingTransferred,
        exit => exit,
    }
}

/// The exit code of a plan that was not carried out.
pub fn planned_code(totals: &[Totals], wishes: Wishes) -> Exit {
    let each: Vec<Exit> = totals.chunks(1).map(|alone| planned_code_of(alone, wishes)).collect();
    required(wishes.require, &each).unwrap_or_else(|| planned_code_of(totals, wishes))
}

fn planned_code_of(totals: &[Totals], wishes: Wishes) -> Exit {
    if let Some(exit) = together(totals.iter().filter_map(|totals| totals.lost).map(of_loss)) {
        exit
    } else if totals.iter().any(|totals| totals.withheld.is_some()) {
        Exit::Temporary
    } else if totals.iter().any(|totals| totals.deletes_blocked.is_some()) {
        Exit::DeletesBlocked
    } else if totals.iter().any(|totals| totals.problems > 0) {
        Exit::Error
    } else if !wishes.allow_unproven && totals.iter().any(|totals| totals.unproven > 0) {
        Exit::Unproven
    } else {
        Exit::Success
    }
}

/// The last word of a run. `planned`: the totals of its plan, and whether this run itself compared; `started`: when it began to do
/// something.
pub fn last_word(
    global: &GlobalArgs,
    header: &Header,
    (planned, compared): (&[Totals], bool),
    (outcome, wishes): (&Outcome, Wishes),
    (summary, bill, started): (&Summary, &Bill, Instant),
) -> Result<(), Failure> {
    let elapsed = started.elapsed();
    let tally = summary.tally();
    // What an applied plan had found is the plan's business.
    let planned_here = if compared { planned } else { &[] };
    if global.json {
        return print_json(&serde_json::json!({
            "source": header.source,
            "destinations": header.destinations,
            "codes": codes(planned_here, outcome, wishes).into_iter().map(|exit| exit as u8).collect::<Vec<_>>(),
            "planned": planned,
            "done": outcome,
            "events": tally,
            "requests": bill.calls(),
            "cost": bill.compared(),
            "seconds": elapsed.as_secs_f64(),
        }));
    }
    if global.quiet {
        return Ok(());
    }
    if let ([name], [target]) = (&header.destinations[..], &outcome.targets[..]) {
        ui::say(&format!("{name}: {}; {}", done(target).join(", "), matches(planned_here.first())));
    } else {
        let codes = codes(planned_here, outcome, wishes);
        let table = overview(&header.destinations, (planned_here, outcome), &codes);
        ui::say(table.text(ui::width()).trim_end());
        if planned_here.iter().any(|totals| totals.unproven > 0) {
            ui::say(UNPROVEN);
        }
        let complete = codes.iter().filter(|code| **code == Exit::Success).count();
        ui::say(&format!("{complete} of {} destinations complete", codes.len()));
    }
    if tally.nameless > 0 {
        ui::say(&format!("{} passed over: no key can name what was told above", tally.nameless));
    }
    say_sent(&bill.compared());
    ui::say(&format!("{}, {}", ui::span(elapsed), ui::rate(tally.bytes_done, elapsed.max(Duration::from_millis(1)))));
    Ok(())
}

/// What was done at one destination, in words.
fn done(target: &TargetOutcome) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = |count: u64, text: String| {
        if count > 0 {
            words.push(text);
        }
    };
    let deeds = |count, verb: &str, bytes| format!("{} {verb} ({})", ui::count(count, "object"), ui::bytes(bytes));
    word(target.transferred, deeds(target.transferred, "transferred", target.transferred_bytes));
    word(target.copied, deeds(target.copied, "copied", target.copied_bytes));
    word(target.touched, format!("{} set", ui::count(target.touched, "time")));
    word(target.deleted, format!("{} deleted", target.deleted));
    word(target.source_deleted, format!("{} deleted at the source", target.source_deleted));
    word(target.already_done, format!("{} done before", target.already_done));
    word(target.failed, format!("{} failed", target.failed));
    word(target.groups_held, format!("{} of later groups not begun", target.groups_held));
    if words.is_empty() {
        words.push("nothing to do".to_owned());
    }
    words
}

/// What was done at several destinations: a row each, and a column for whatever happened at one of them at least.
fn overview(names: &[String], (planned, outcome): (&[Totals], &Outcome), codes: &[Exit]) -> ui::Table {
    let targets = &outcome.targets;
    let verdicts = targets.iter().zip(codes).map(|(target, code)| verdict(target, *code).to_owned());
    let mut columns: Vec<(&str, Vec<String>)> = vec![("", verdicts.collect())];
    let mut column = |title, cells: Vec<(u64, Option<u64>)>| {
        if cells.iter().any(|(count, _)| *count > 0) {
            let cell = |(count, bytes): (u64, Option<u64>)| match bytes.filter(|_| count > 0) {
                Some(bytes) => format!("{count} ({})", ui::bytes(bytes)),
                None => count.to_string(),
            };
            columns.push((title, cells.into_iter().map(cell).collect()));
        }
    };
    let each = |of: fn(&TargetOutcome) -> (u64, Option<u64>)| targets.iter().map(of).collect::<Vec<_>>();
    column("transferred", each(|target| (target.transferred, Some(target.transferred_bytes))));
    column("copied", each(|target| (target.copied, Some(target.copied_bytes))));
    column("times set", each(|target| (target.touched, None)));
    column("deleted", each(|target| (target.deleted, None)));
    column("deleted at the source", each(|target| (target.source_deleted, None)));
    column("done before", each(|target| (target.already_done, None)));
    column("failed", each(|target| (target.failed, None)));
    column("of later groups not begun", each(|target| (target.groups_held, None)));
    let same = |of: fn(&Totals) -> u64| planned.iter().map(|totals| (of(totals), None)).collect::<Vec<_>>();
    column("proven the same", same(|totals| totals.proven));
    column("likely", same(|totals| totals.likely));
    column("unproven", same(|totals| totals.unproven));
    column("left alone", same(|totals| totals.kept));
    let mut table = ui::Table::new(columns.iter().map(|(title, _)| (*title).to_owned()));
    for (at, name) in names.iter().enumerate().take(targets.len()) {
        table.row(name.as_str(), columns.iter().map(|(_, cells)| cells[at].clone()));
    }
    table
}

/// How a destination ended, in words.
fn verdict(target: &TargetOutcome, code: Exit) -> &'static str {
    match code {
        Exit::Success => "complete",
        _ if target.lost.is_some() => "given up: its listing broke off",
        _ if target.failed > 0 => "not complete",
        Exit::Unproven => "unproven",
        Exit::DeletesBlocked => "deletes not made",
        Exit::NothingTransferred => "nothing transferred",
        _ => "stopped",
    }
}

const UNPROVEN: &str = "'unproven' is the same size and nothing more: see --checksum, --allow-unproven";

/// How much was the same already, and on what that rests.
pub fn matches(totals: Option<&Totals>) -> String {
    let Some(totals) = totals else { return "what else is there was not looked at".to_owned() };
    let same = totals.proven + totals.likely + totals.unproven;
    let mut text = format!("{} the same", ui::count(same, "object"));
    if same > 0 {
        text += &format!(" ({} proven, {} likely, {} unproven)", totals.proven, totals.likely, totals.unproven);
    }
    if totals.unproven > 0 {
        text += "; ";
        text += UNPROVEN;
    }
    if totals.kept > 0 {
        text += &format!(", {} left alone", totals.kept);
    }
    text
}
