//! `snapshot`: a deduplicated archive.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sterna::{
    archive::{self, Archive, Created, Creation, Keep, Pruned, SnapshotId, Terms, Why},
    backends::{Key, Store},
    compare::Policy,
    plan::{Groups, Intent, MaxDelete, MetadataRules},
    report::Summary,
    sync::{self, Job},
    transfer::{Stop, Target},
    verify::{self, CheckSettings, Checked},
};

use super::{
    apart::apart,
    bill::{Bill, Role, say_sent},
    check::{sign, words},
    look,
    object::pour,
    observer,
    plan::show,
    print, print_json,
    record::{self, recorded},
    run::{self, Watch, Wishes},
    view,
};
use crate::{
    args::{
        GlobalArgs, LocalArgs, VersionArgs,
        snapshot::{
            ArchiveArg, CreateArgs, DiffArgs, ForgetArgs, PruneArgs, RestoreArgs, SnapshotCatArgs, SnapshotCommand,
            SnapshotLsArgs, VerifyArgs,
        },
    },
    exit::{Exit, Failure},
    places::Opener,
    settings,
    ui::{self, Progress},
};

/// The shortest time after which a run may be taken for dead: stores tell times in whole seconds.
const SHORTEST_LEASE: Duration = Duration::from_secs(2);

/// `sterna snapshot`.
pub async fn run(global: &GlobalArgs, command: SnapshotCommand) -> Result<Exit, Failure> {
    match command {
        SnapshotCommand::Create(args) => create(global, *args).await,
        SnapshotCommand::List(args) => list(global, args).await,
        SnapshotCommand::Diff(args) => diff(global, *args).await,
        SnapshotCommand::Restore(args) => restore(global, *args).await,
        SnapshotCommand::Ls(args) => ls(global, args).await,
        SnapshotCommand::Cat(args) => cat(global, args).await,
        SnapshotCommand::View(args) => view::run(global, *args).await,
        SnapshotCommand::Verify(args) => verify(global, args).await,
        SnapshotCommand::Forget(args) => forget(global, *args).await,
        SnapshotCommand::Prune(args) => prune(global, args).await,
    }
}

async fn open(global: &GlobalArgs, written: &str, changes: bool) -> Result<Archive, Failure> {
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let place = if changes { opener.target(written).await? } else { opener.folder(written).await? };
    if changes {
        run::writable(&place)?;
    }
    Ok(Archive::open(place.store).await?)
}

async fn create(global: &GlobalArgs, args: CreateArgs) -> Result<Exit, Failure> {
    let mut watch = Watch::new(global, &args.own);
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&watch.observer))?;
    let from = opener.source(&args.source).await?;
    watch.bill.add(&opener, Role::Source, &from)?;
    let to = opener.target(&args.archive).await?;
    watch.bill.add(&opener, Role::Target(0), &to)?;
    run::writable(&to)?;
    apart([&from, &to])?;
    let mut scope = settings::scope(&args.filter, &VersionArgs::default())?;
    scope.filter = from.narrows(scope.filter);
    let wanted = args.lease.map(|lease| Terms { lease: lease.0.unwrap_or(Duration::MAX) });
    if wanted.is_some_and(|Terms { lease }| lease < SHORTEST_LEASE || lease > Duration::from_secs(30 * 86_400)) {
        return Err(Failure::usage("--lease is at least 2s and at most 30d"));
    }
    let Watch { summary, bill, observer } = watch;
    let stop = Stop::default();
    run::limit_duration(args.transfer.max_duration.as_ref(), &stop);
    let creation = Creation {
        source: from.store,
        written: args.source.clone(),
        scope,
        name: args.name.clone(),
        chunk: args.chunk,
        checkers: global.checkers,
        index: settings::index(global)?,
        settings: settings::transfer(&args.transfer, global.transfers),
        records: settings::records(&args.transfer),
        observer: Arc::clone(&observer),
        stop: stop.clone(),
    };
    let bill = Arc::new(bill);
    let (budgets, over_budget) = (opener.budgets(), args.over_budget);
    let run = record::Run { command: "snapshot create", budgets, over_budget, stop: Some(&stop) };
    let work = async {
        let started = Instant::now();
        let archive = Archive::open_or_make(to.store, wanted.unwrap_or_default()).await?;
        if wanted.is_some_and(|wanted| wanted != archive.terms()) {
            ui::complain(&format!(
                "this archive was made with --lease {}, which holds",
                ui::span(archive.terms().lease)
            ));
        }
        let progress = Progress::start(Arc::clone(&summary), global.progress, global.stats.0.unwrap_or_default());
        let made = archive::create(&archive, creation).await;
        progress.finish();
        let made = made?;
        tell_made(global, &made, (&summary, &bill, started))?;
        let exit = run::code(&[], &made.outcome, Wishes { allow_unproven: true, ..Wishes::default() });
        let Some(id) = made.id.filter(|_| args.views && exit == Exit::Success) else { return Ok(exit) };
        let view = archive.view(&id, args.carry).await?;
        let job = view::job(&view, global, observer);
        view::make(global, (&view, job), (&args.archive, &id), &args.transfer, (&summary, &bill)).await
    };
    recorded(global, run, &bill, work).await
}

fn tell_made(
    global: &GlobalArgs,
    made: &Created,
    (summary, bill, started): (&Summary, &Bill, Instant),
) -> Result<(), Failure> {
    let elapsed = started.elapsed();
    if global.json {
        return print_json(&serde_json::json!({
            "created": made,
            "events": summary.tally(),
            "requests": bill.calls(),
            "cost": bill.compared(),
            "seconds": elapsed.as_secs_f64(),
        }));
    }
    if global.quiet {
        return Ok(());
    }
    let added = format!("{} ({}) new", ui::count(made.added, "content"), ui::bytes(made.added_bytes));
    match &made.id {
        Some(id) => ui::say(&format!(
            "{id}: {} ({}), {} of them unchanged; {added}, a manifest of {}; {}",
            ui::count(made.objects, "object"),
            ui::bytes(made.bytes),
            made.unchanged,
            ui::bytes(made.manifest_bytes),
            ui::span(elapsed),
        )),
        None => ui::complain("no snapshot was made; what was sent is there for the next run"),
    }
    if made.cut.objects > 0 {
        let (files, bytes) = (ui::count(made.cut.objects, "file"), ui::bytes(made.cut.bytes));
        ui::say(&format!("{files} ({bytes}) in pieces, of which {} were new", ui::bytes(made.cut.added_bytes)));
        if made.cut.gained_nothing() {
            ui::say(
                "--chunk gains nothing here: these files have next to nothing in common with earlier ones, as is usual for \
                 what is compressed already; without it they would be fewer objects, and read as files",
            );
        }
    }
    say_sent(&bill.compared());
    Ok(())
}

async fn list(global: &GlobalArgs, args: ArchiveArg) -> Result<Exit, Failure> {
    let archive = open(global, &args.archive, false).await?;
    let views = archive.views().await?;
    for id in archive.snapshots().await? {
        let manifest = archive.manifest(&id).await?;
        let (objects, bytes, source) = (manifest.objects, manifest.bytes, &manifest.header.source);
        let view = views.is_complete(&id).map(|complete| if complete { "complete" } else { "incomplete" });
        if global.json {
            print_json(&serde_json::json!({
                "id": id.to_string(), "name": manifest.header.name, "time": id.time, "source": source,
                "objects": objects, "bytes": bytes, "manifest": id.manifest, "view": view,
            }))?;
        } else {
            let view = match view {
                Some("complete") => ", with a view",
                Some(_) => ", with an incomplete view",
                None => "",
            };
            print(&format!("{id}  {}, {}, of {source}{view}\n", ui::count(objects, "object"), ui::bytes(bytes)))?;
        }
    }
    Ok(Exit::Success)
}

async fn diff(global: &GlobalArgs, args: DiffArgs) -> Result<Exit, Failure> {
    let archive = open(global, &args.archive, false).await?;
    let a: Arc<dyn Store> = archive.snapshot(&archive.find(&args.a).await?).await?;
    let b: Arc<dyn Store> = archive.snapshot(&archive.find(&args.b).await?).await?;
    let settings = CheckSettings {
        scope: settings::scope(&args.filter, &VersionArgs::default())?,
        policy: Policy::default(),
        download: false,
        one_way: false,
        checkers: global.checkers,
        index: None,
    };
    let mut failed = None;
    // Seen from the older snapshot what is only in the newer one was added: the newer one is the source.
    let (older, silent) = ([a], observer(global, None));
    let checked = verify::check(&b, &older, &settings, &silent, |finding| {
        if matches!(finding.finding, verify::Findings::Match { .. }) {
            return;
        }
        let told = if global.json {
            print_json(&finding)
        } else {
            let words = match &finding.finding {
                verify::Findings::MissingAtDestination => "added".to_owned(),
                verify::Findings::MissingAtSource => "removed".to_owned(),
                other => words(other),
            };
            print(&format!("{} {}  ({words})\n", sign(&finding.finding), finding.key))
        };
        failed = failed.take().or(told.err());
    });
    let checked = checked.await?;
    failed.map_or(Ok(()), Err)?;
    Ok(if checked.iter().any(Checked::differs) { Exit::Error } else { Exit::Success })
}

async fn restore(global: &GlobalArgs, args: RestoreArgs) -> Result<Exit, Failure> {
    let mut watch = Watch::new(global, &args.own);
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&watch.observer))?;
    let from = opener.folder(&args.archive).await?;
    watch.bill.add(&opener, Role::Source, &from)?;
    let archive = Archive::open(Arc::clone(&from.store)).await?;
    let id = archive.find(&args.snapshot).await?;
    let to = opener.target(&args.destination).await?;
    watch.bill.add(&opener, Role::Target(0), &to)?;
    run::writable(&to)?;
    apart([&from, &to])?;
    let target = Target { store: to.store, backup: None, searched: Vec::new() };
    let job = Job {
        intent: Intent::Copy,
        source: archive.snapshot(&id).await?,
        targets: vec![target],
        suffix: String::new(),
        scope: settings::scope(&args.filter, &VersionArgs::default())?,
        policy: settings::policy(&args.compare),
        groups: Groups::default(),
        max_delete: MaxDelete::default(),
        grace: None,
        exempt: Arc::default(),
        rules: MetadataRules::default(),
        checkers: global.checkers,
        index: settings::index(global)?,
        patience: None,
        reuse: false,
        observer: Arc::clone(&watch.observer),
    };
    let wishes = Wishes { allow_unproven: args.compare.allow_unproven || args.compare.size_only, ..Wishes::default() };
    let header = job.header(format!("{}#{id}", args.archive), vec![args.destination.clone()], None);
    let mut transfer = settings::transfer(&args.transfer, global.transfers);
    transfer.prove = true;
    let records = settings::records(&args.transfer);
    let Watch { summary, bill, .. } = watch;
    if args.dry_run {
        record::foretell(global, opener.budgets(), &bill)?;
        let totals = show(global, job, (transfer, records), (&header.destinations, &bill), |_| Ok(())).await?;
        return Ok(run::planned_code(&totals, wishes));
    }
    let bill = Arc::new(bill);
    let stop = Stop::default();
    let (budgets, over_budget) = (opener.budgets(), args.over_budget);
    let run = record::Run { command: "snapshot restore", budgets, over_budget, stop: Some(&stop) };
    let work = async {
        let started = Instant::now();
        let progress = Progress::start(Arc::clone(&summary), global.progress, global.stats.0.unwrap_or_default());
        run::limit_duration(args.transfer.max_duration.as_ref(), &stop);
        let ran = sync::sync(job, transfer, records, stop.clone(), |_| Ok(())).await;
        progress.finish();
        let done = ran?;
        bill.quotes(done.quote);
        run::last_word(global, &header, (&done.totals, true), (&done.outcome, wishes), (&summary, &bill, started))?;
        Ok(run::code(&done.totals, &done.outcome, wishes))
    };
    recorded(global, run, &bill, work).await
}

async fn ls(global: &GlobalArgs, args: SnapshotLsArgs) -> Result<Exit, Failure> {
    let archive = open(global, &args.archive, false).await?;
    let snapshot = archive.snapshot(&archive.find(&args.snapshot).await?).await?;
    look::ls_store(&*snapshot, &args.path, args.recursive, (global.json, args.keys)).await
}

async fn cat(global: &GlobalArgs, args: SnapshotCatArgs) -> Result<Exit, Failure> {
    let archive = open(global, &args.archive, false).await?;
    let snapshot = archive.snapshot(&archive.find(&args.snapshot).await?).await?;
    let key = Key::new(args.path.as_str()).map_err(|error| Failure::usage(error.to_string()))?;
    pour(snapshot.proven(&key).await?).await
}

async fn verify(global: &GlobalArgs, args: VerifyArgs) -> Result<Exit, Failure> {
    let archive = open(global, &args.archive, false).await?;
    let mut failed = None;
    let audit = archive::audit(&archive, args.read, global.transfers.unwrap_or(8), |flaw| {
        let told = if global.json {
            print_json(&flaw)
        } else {
            print(&format!("! {}: {} (needed by {})\n", flaw.key, flaw.what, flaw.snapshot))
        };
        failed = failed.take().or(told.err());
    });
    let audit = audit.await?;
    failed.map_or(Ok(()), Err)?;
    if global.json {
        print_json(&audit)?;
    } else if !global.quiet {
        let how = if args.read { format!("{} read", ui::bytes(audit.read_bytes)) } else { "not read".to_owned() };
        let spare = match audit.unnamed {
            0 => String::new(),
            count => format!("; {} ({}) for 'prune'", ui::count(count, "content"), ui::bytes(audit.unnamed_bytes)),
        };
        ui::say(&format!(
            "{}: {} ({}, {how}), {}{spare}",
            ui::count(audit.snapshots, "snapshot"),
            ui::count(audit.contents, "content"),
            ui::bytes(audit.bytes),
            ui::count(audit.flaws, "flaw"),
        ));
    }
    Ok(if audit.flaws > 0 { Exit::Error } else { Exit::Success })
}

async fn forget(global: &GlobalArgs, args: ForgetArgs) -> Result<Exit, Failure> {
    let keep =
        Keep { last: args.keep_last, daily: args.keep_daily, weekly: args.keep_weekly, monthly: args.keep_monthly };
    match (keep.is_nothing(), args.snapshots.is_empty()) {
        (true, true) => {
            return Err(Failure::usage("say what to keep (--keep-last, --keep-daily, …) or which to forget"));
        }
        (false, false) => return Err(Failure::usage("either name the snapshots to forget, or say what to keep")),
        _ => {}
    }
    let archive = open(global, &args.archive, true).await?;
    let mut going: Vec<SnapshotId> = Vec::new();
    let mut stay = 0;
    if keep.is_nothing() {
        for text in &args.snapshots {
            going.push(archive.find(text).await?);
        }
    } else {
        for snapshot in archive::forget(archive.snapshots().await?, keep, args.group_by.as_ref()) {
            if snapshot.why.is_empty() {
                going.push(snapshot.id);
            } else {
                stay += 1;
                tell_kept(global, &snapshot)?;
            }
        }
    }
    if !args.dry_run {
        archive.remove(&going).await?;
    }
    for id in &going {
        if global.json {
            print_json(&serde_json::json!({ "forgotten": id.to_string() }))?;
        } else {
            print(&format!("- {id}\n"))?;
        }
    }
    if !global.json && !global.quiet {
        let verb = if args.dry_run { "would be forgotten" } else { "forgotten" };
        let stay = if keep.is_nothing() { String::new() } else { format!(", {stay} stay") };
        ui::say(&format!("{} {verb}{stay}", ui::count(going.len() as u64, "snapshot")));
    }
    Ok(Exit::Success)
}

fn tell_kept(global: &GlobalArgs, snapshot: &archive::Kept) -> Result<(), Failure> {
    if global.json || global.verbose == 0 {
        return Ok(());
    }
    let word = |why: &Why| match why {
        Why::Last => "last",
        Why::Daily => "daily",
        Why::Weekly => "weekly",
        Why::Monthly => "monthly",
        Why::Ungrouped => "in no group",
    };
    let words: Vec<&str> = snapshot.why.iter().map(word).collect();
    print(&format!("= {}  ({})\n", snapshot.id, words.join(", ")))
}

async fn prune(global: &GlobalArgs, args: PruneArgs) -> Result<Exit, Failure> {
    let mut watch = Watch::new(global, &args.own);
    let opener = Opener::new(global, LocalArgs::default(), Arc::clone(&watch.observer))?;
    let place = opener.target(&args.archive).await?;
    run::writable(&place)?;
    watch.bill.add(&opener, Role::Target(0), &place)?;
    let bill = Arc::new(watch.bill);
    let (budgets, over_budget) = (opener.budgets(), args.over_budget);
    let run = record::Run { command: "snapshot prune", budgets, over_budget, stop: None };
    let sweep = async {
        let archive = Archive::open(place.store).await?;
        let pruned = archive::prune(&archive, args.dry_run).await?;
        if global.json {
            print_json(&pruned)?;
        } else if !global.quiet {
            say_pruned(&pruned, args.dry_run);
            say_sent(&bill.compared());
        }
        Ok(Exit::Success)
    };
    if args.dry_run { sweep.await } else { recorded(global, run, &bill, sweep).await }
}

fn say_pruned(pruned: &Pruned, dry_run: bool) {
    let verb = if dry_run { "would be deleted" } else { "deleted" };
    let done = ui::count(pruned.deleted, "content");
    ui::say(&format!("{done} {verb} ({}), {} stay", ui::bytes(pruned.deleted_bytes), pruned.kept));
    if pruned.views > 0 {
        ui::say(&format!("{} of forgotten snapshots", ui::count(pruned.views, "view")));
    }
    if pruned.completed > 0 {
        ui::say(&format!("{} of killed runs completed", ui::count(pruned.completed, "snapshot")));
    }
}
