//! `plan`, and plans as files and as text.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use futures::TryStreamExt;
use sterna::{
    backends::ErrorKind,
    compare::Reason,
    event::Deed,
    plan::{self, Header, Item, Loss, Totals},
    sync::{self, Job},
    transfer::{Expense, Records, Settings},
};

use super::{
    bill::{Bill, say_quote},
    draft::Draft,
    print, print_json, record,
    run::{self, Wishes},
};
use crate::{
    args::{GlobalArgs, Intent, PlanArgs},
    exit::{Exit, Failure},
    ui,
};

impl From<Intent> for plan::Intent {
    fn from(intent: Intent) -> Self {
        match intent {
            Intent::Copy => Self::Copy,
            Intent::Sync => Self::Sync,
            Intent::Move => Self::Move,
        }
    }
}

/// `sterna plan`.
pub async fn run(global: &GlobalArgs, args: PlanArgs) -> Result<Exit, Failure> {
    let prepared = run::prepare(global, args.intent.into(), &args.source, &args.destinations, &args.planning).await?;
    let mut file = PlanFile::create(&args.output, prepared.header.clone())?;
    // Whoever applies the plan looks at both sides again.
    let settings = Settings { transfers: global.transfers, check_drift: true, ..Settings::default() };
    let (totals, expense) = planned(prepared.job, (settings, Records::none()), |item| Ok(file.write(item)?)).await?;
    file.finish(totals.clone())?;
    record::foretell(global, &prepared.budgets, &prepared.watch.bill)?;
    say_end(global, (&prepared.header.destinations, &totals), (&prepared.watch.bill, &expense))?;
    Ok(run::planned_code(&totals, Wishes { allow_unproven: prepared.allow_unproven, ..Wishes::default() }))
}

/// Plans `job`, gives `each` every item, and counts what carrying the plan out as `how` says will cost.
async fn planned(
    job: Job,
    (settings, records): (Settings, Records),
    mut each: impl FnMut(&Item) -> Result<(), Failure>,
) -> Result<(Vec<Totals>, Expense), Failure> {
    let mut forecast = job.forecast(settings, &records);
    let planning = sync::plan(job);
    let mut items = Box::pin(planning.items);
    while let Some(item) = items.try_next().await? {
        forecast.take(&item);
        each(&item)?;
    }
    Ok((planning.totals.get(), planning.spending.with(forecast.so_far())))
}

/// Plans `job` and shows the plan with its quote; `names` are the destinations as written. `each` has every item first.
pub async fn show(
    global: &GlobalArgs,
    job: Job,
    how: (Settings, Records),
    (names, bill): (&[String], &Bill),
    mut each: impl FnMut(&Item) -> Result<(), Failure>,
) -> Result<Vec<Totals>, Failure> {
    let (totals, expense) = planned(job, how, |item| {
        each(item)?;
        print_item(global, item, names.len() > 1)
    })
    .await?;
    say_end(global, (names, &totals), (bill, &expense))?;
    Ok(totals)
}

/// A line of a plan on standard output.
pub fn print_item(global: &GlobalArgs, item: &Item, several: bool) -> Result<(), Failure> {
    if global.json { print_json(item) } else { print(&draw_item(item, several)) }
}

/// The end of a plan: its totals and its quote.
pub fn say_end(
    global: &GlobalArgs,
    (names, totals): (&[String], &[Totals]),
    (bill, expense): (&Bill, &Expense),
) -> Result<(), Failure> {
    let quote = bill.quoted(expense);
    if global.json {
        return print_json(&serde_json::json!({ "quote": quote, "together": bill.sum(&quote) }));
    }
    if !global.quiet {
        names.iter().zip(totals).for_each(|(name, totals)| ui::say(&draw_totals(name, totals)));
        say_quote(&quote, &bill.sum(&quote));
    }
    Ok(())
}

/// A plan being written. It appears under its name when it is complete, not before.
pub struct PlanFile {
    header: Header,
    /// Bytes kept for the first line, whose totals are known last.
    room: usize,
    out: BufWriter<File>,
    draft: Draft,
}

impl PlanFile {
    /// At `path`, or for standard output where it is `-`.
    pub fn create(path: &Path, header: Header) -> io::Result<Self> {
        let draft = Draft::create(path)?;
        let room = widest(&header)?;
        let mut out = BufWriter::new(draft.file()?);
        out.write_all(&vec![b' '; room])?;
        out.write_all(b"\n")?;
        Ok(Self { header, room, out, draft })
    }

    /// The next line.
    pub fn write(&mut self, item: &Item) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, item)?;
        self.out.write_all(b"\n")
    }

    /// The first line, with its totals; the plan is complete.
    pub fn finish(mut self, totals: Vec<Totals>) -> io::Result<()> {
        self.header.totals = totals;
        let line = serde_json::to_vec(&self.header)?;
        debug_assert!(line.len() <= self.room);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&line)?;
        self.out.flush()?;
        self.draft.finish()
    }
}

/// The longest the first line can become.
fn widest(header: &Header) -> io::Result<usize> {
    let most = Totals {
        transfers: u64::MAX,
        transfer_bytes: u64::MAX,
        copies: u64::MAX,
        copy_bytes: u64::MAX,
        reused: u64::MAX,
        reused_bytes: u64::MAX,
        touches: u64::MAX,
        deletes: u64::MAX,
        source_deletes: u64::MAX,
        problems: u64::MAX,
        proven: u64::MAX,
        likely: u64::MAX,
        unproven: u64::MAX,
        kept: u64::MAX,
        deletes_waiting: u64::MAX,
        withheld: Some("x".repeat(128)),
        // The longest sentence `permit` writes has three numbers in it.
        deletes_blocked: Some("x".repeat(256)),
        // Of all kinds the one with the longest name.
        lost: Some(Loss { kind: ErrorKind::NoSuchContainer, retryable: false }),
    };
    let totals = header.destinations.iter().map(|_| most.clone()).collect();
    Ok(serde_json::to_vec(&Header { totals, ..header.clone() })?.len())
}

/// A line of a plan for people.
pub fn draw_item(item: &Item, several: bool) -> String {
    match item {
        Item::Problem(problem) => format!("! {}: {}\n", problem.key, problem.problem),
        Item::Lost(lost) => format!("! all that follows -> {}: {}\n", lost.to, lost.why),
        Item::Action(action) => {
            let sign = match (action.deed, action.reason) {
                (Deed::Transfer | Deed::Copy, Reason::Missing) => '+',
                (Deed::Transfer | Deed::Copy, _) => '*',
                (Deed::Touch, _) => '=',
                (Deed::Delete | Deed::Backup | Deed::DeleteSource, _) => '-',
            };
            let size = action.source.as_ref().and_then(|source| source.size).map(ui::bytes);
            let to = if several { format!(" -> {}", action.to) } else { String::new() };
            let size = size.map_or_else(String::new, |size| format!("{size}, "));
            format!("{sign} {}{to}  ({}, {size}{})\n", action.key, action.deed.name(), reason(action.reason))
        }
    }
}

/// Why, in words.
pub fn reason(reason: Reason) -> String {
    match reason {
        Reason::Missing => "missing there".to_owned(),
        Reason::Size => "another size".to_owned(),
        Reason::Digest(algorithm) => format!("another {algorithm}"),
        Reason::Time => "another time".to_owned(),
        Reason::Forced => "asked for".to_owned(),
        Reason::Extra => "not at the source".to_owned(),
    }
}

/// The totals of one destination for people.
pub fn draw_totals(name: &str, totals: &Totals) -> String {
    let mut parts = Vec::new();
    let mut part = |count: u64, text: String| {
        if count > 0 {
            parts.push(text);
        }
    };
    part(totals.transfers, format!("{} to transfer ({})", totals.transfers, ui::bytes(totals.transfer_bytes)));
    part(totals.copies, format!("{} to copy ({})", totals.copies, ui::bytes(totals.copy_bytes)));
    let reused = format!("{} of them ({}) are there under another key", totals.reused, ui::bytes(totals.reused_bytes));
    part(totals.reused, reused);
    part(totals.touches, format!("{} to set", ui::count(totals.touches, "time")));
    part(totals.deletes, format!("{} to delete", totals.deletes));
    part(totals.source_deletes, format!("{} to delete at the source", totals.source_deletes));
    part(totals.problems, format!("{} that cannot be put there", totals.problems));
    part(totals.deletes_waiting, format!("{} to delete when their grace is over", totals.deletes_waiting));
    if totals.lost.is_some() {
        parts.push("nothing more, and no deletes, since its listing broke off".to_owned());
    }
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    format!("{name}: {}; {}", parts.join(", "), run::matches(Some(totals)))
}
