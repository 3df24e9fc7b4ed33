//! What `copy`, `sync`, `move`, `plan` and `apply` have in common: opening, watching, the last word, the code.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sterna::{
    backends::{Key, Store, VersionScope, layer::Meter},
    event::Observers,
    plan::{Header, Intent, MetadataRules, Totals},
    report::Summary,
    sync::Job,
    transfer::{Outcome, Stop, StopReason, Target},
};

use super::{look::no_versions, observer, print_json};
use crate::{
    args::{GlobalArgs, PlanningArgs, Require},
    exit::{Exit, Failure},
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
}

/// What is watched of a run: its events, and the requests made at each remote.
pub struct Watch {
    pub summary: Arc<Summary>,
    pub meters: Vec<(String, Arc<Meter>)>,
    pub started: Instant,
}

impl Watch {
    /// Nothing has happened yet.
    pub fn new(summary: Arc<Summary>) -> Self {
        Self { summary, meters: Vec::new(), started: Instant::now() }
    }

    /// Counts the requests made at `place`, too.
    pub fn add(&mut self, place: &Place) {
        if let Some(meter) = &place.meter {
            self.meters.push((place.written.clone(), Arc::clone(meter)));
        }
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
    let summary = Arc::new(Summary::default());
    let observer = observer(global, Some(Arc::clone(&summary) as Observers));
    let mut scope = settings::scope(&args.filter, &crate::args::VersionArgs::default())?;
    scope.versions = settings::version_scope(false, args.version_at.as_ref());
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&observer))?;
    let mut watch = Watch::new(summary);
    let from = opener.source(source).await?;
    watch.add(&from);
    if scope.versions != VersionScope::Latest && !from.store.capabilities().versions {
        return Err(no_versions(source));
    }
    if let Some(only) = from.only()? {
        scope.filter = Arc::new(only);
    }
    let backup = match &args.backup_dir {
        Some(written) => Some(opener.target(written).await?),
        None => None,
    };
    if let Some(backup) = &backup {
        writable(backup)?;
    }
    if intent == Intent::Move {
        writable(&from)?;
    }
    let mut targets = Vec::new();
    for written in destinations {
        let mut place = opener.target(written).await?;
        writable(&place)?;
        place.searched.extend(opener.searched(written).await?);
        // An old state of a place may be copied over the present one: that is how it is restored.
        let restores = scope.versions != VersionScope::Latest && intent != Intent::Move;
        if overlap(&from, &place) && !restores && !(intent == Intent::Copy && from.object.is_some()) {
            return Err(Failure::usage(format!("{source} and {written} overlap; choose places outside each other")));
        }
        watch.add(&place);
        targets.push(target(place, backup.as_ref(), args)?);
    }
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
        rules: MetadataRules(args.header.clone()),
        checkers: global.checkers,
        index: settings::index(global)?,
        reuse: !args.no_reuse,
        observer,
    };
    let header = job.header(source.to_owned(), destinations.to_vec(), args.backup_dir.clone());
    let allow_unproven = args.compare.allow_unproven || args.compare.size_only;
    Ok(Prepared { job, header, watch, allow_unproven })
}

/// Refuses a place that nothing can be written to, before anything is listed.
pub(super) fn writable(place: &Place) -> Result<(), Failure> {
    match place.store.capabilities().read_only {
        true => Err(Failure::usage(format!("{}: it can only be read from", place.written))),
        false => Ok(()),
    }
}

fn target(place: Place, backup: Option<&Place>, args: &PlanningArgs) -> Result<Target, Failure> {
    let kept = match (backup, &args.suffix) {
        (Some(backup), _) => {
            if overlap(&place, backup) {
                return Err(Failure::usage(format!(
                    "--backup-dir {} and {} overlap; what is kept would be deleted by the next run",
                    backup.written, place.written
                )));
            }
            Some(Arc::clone(&backup.store))
        }
        (None, Some(_)) => Some(Arc::clone(&place.store)),
        (None, None) => None,
    };
    Ok(Target { store: place.store, backup: kept, searched: place.searched })
}

/// Whether one place lies inside the other, as far as their stores can tell.
pub(super) fn overlap(a: &Place, b: &Place) -> bool {
    let Ok(probe) = Key::new("x") else { return false };
    let root = |store: &Arc<dyn Store>| {
        store.copy_source(&probe).map(|source| {
            let key = source.key.as_str();
            (source.domain, format!("{}/{}", source.container.trim_end_matches('/'), &key[..key.len() - 1]))
        })
    };
    match (root(&a.store), root(&b.store)) {
        (Some((domain, a)), Some((other, b))) => domain == other && (a.starts_with(&b) || b.starts_with(&a)),
        _ => false,
    }
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
    let all = code_of(totals, outcome, wishes);
    let needed = match wishes.require {
        Require::All => return all,
        Require::Any => 1,
        Require::AtLeast(count) => count,
    };
    let alone = |at: usize| {
        let outcome = Outcome { targets: vec![outcome.targets[at].clone()], stopped: outcome.stopped };
        code_of(totals.get(at..=at).unwrap_or_default(), &outcome, wishes)
    };
    let good = (0..outcome.targets.len()).filter(|at| alone(*at) == Exit::Success).count();
    if good >= needed { Exit::Success } else { all }
}

fn code_of(totals: &[Totals], outcome: &Outcome, wishes: Wishes) -> Exit {
    let sum = |of: fn(&sterna::transfer::TargetOutcome) -> u64| outcome.targets.iter().map(of).sum::<u64>();
    match outcome.stopped {
        Some(StopReason::Fatal) => return Exit::Fatal,
        Some(StopReason::Capped) => return Exit::Capped,
        _ => {}
    }
    if sum(|target| target.drifted) > 0 {
        return Exit::Drifted;
    }
    if sum(|target| target.failed) > 0 {
        let temporary = outcome.targets.iter().flat_map(|target| &target.failures).all(|failure| failure.retryable);
        return if temporary { Exit::Temporary } else { Exit::Error };
    }
    match outcome.stopped {
        Some(StopReason::MaxTransfer) => return Exit::MaxTransfer,
        Some(StopReason::MaxDuration) => return Exit::MaxDuration,
        Some(StopReason::Asked) => return Exit::Interrupted,
        Some(StopReason::Fatal | StopReason::Capped) | None => {}
    }
    if sum(|target| target.deletes_held) > 0 {
        return Exit::DeletesBlocked;
    }
    let nothing = sum(|target| target.transferred + target.copied) == 0;
    match planned_code(totals, wishes) {
        Exit::Success if wishes.error_on_no_transfer && nothing => Exit::NothingTransferred,
        exit => exit,
    }
}

/// The exit code of a plan that was not carried out.
pub fn planned_code(totals: &[Totals], wishes: Wishes) -> Exit {
    if totals.iter().any(|totals| totals.withheld.is_some()) {
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

/// The last word of a run. `planned`: the totals of its plan, and whether this run itself compared.
pub fn last_word(
    global: &GlobalArgs,
    header: &Header,
    (planned, compared): (&[Totals], bool),
    outcome: &Outcome,
    watch: &Watch,
) -> Result<(), Failure> {
    let elapsed = watch.started.elapsed();
    let tally = watch.summary.tally();
    if global.json {
        return print_json(&serde_json::json!({
            "source": header.source,
            "destinations": header.destinations,
            "planned": planned,
            "done": outcome,
            "events": tally,
            "requests": watch.meters.iter().map(|(place, meter)| (place, meter.counts())).collect::<Vec<_>>(),
            "seconds": elapsed.as_secs_f64(),
        }));
    }
    if global.quiet {
        return Ok(());
    }
    for (at, target) in outcome.targets.iter().enumerate() {
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
        let name = header.destinations.get(at).map_or("", String::as_str);
        ui::say(&format!("{name}: {}; {}", words.join(", "), matches(planned.get(at).filter(|_| compared))));
    }
    ui::say(&format!("{}, {}", ui::span(elapsed), ui::rate(tally.bytes_done, elapsed.max(Duration::from_millis(1)))));
    Ok(())
}

/// How much was the same already, and on what that rests.
pub fn matches(totals: Option<&Totals>) -> String {
    let Some(totals) = totals else { return "what else is there was not looked at".to_owned() };
    let same = totals.proven + totals.likely + totals.unproven;
    let mut text = format!("{} the same", ui::count(same, "object"));
    if same > 0 {
        text += &format!(" ({} proven, {} likely, {} unproven)", totals.proven, totals.likely, totals.unproven);
    }
    if totals.unproven > 0 {
        text += "; 'unproven' is the same size and nothing more: see --checksum, --allow-unproven";
    }
    if totals.kept > 0 {
        text += &format!(", {} left alone", totals.kept);
    }
    text
}
