//! What came of a sync at one target, as it is recorded.

use sterna::{
    backends::ErrorKind,
    jobs::{Cost, Failure as Trouble, Holdings, TargetRecord, Verdict},
    sync::Summary,
    transfer::StopReason,
};

use crate::{commands::bill::Row, exit::Exit, ui};

/// The record of target `to`, whose code alone is `code`.
pub fn target(place: &str, (done, to, code): (&Summary, usize, Exit), rows: &[Row]) -> TargetRecord {
    let (outcome, cost) = (&done.outcome.targets[to], cost(place, rows));
    let written = outcome.transferred + outcome.copied + outcome.touched;
    let (bytes, deleted) = (outcome.transferred_bytes + outcome.copied_bytes, outcome.deleted);
    let verdict = match code {
        Exit::Success if written + deleted == 0 => Verdict::InStep,
        Exit::Success => Verdict::Changed,
        Exit::MaxTransfer | Exit::MaxDuration | Exit::OverBudget | Exit::Interrupted => Verdict::Stopped,
        _ => Verdict::Failed,
    };
    let (holds, failure) = match (code, &done.inventory) {
        (Exit::Success, Some(all)) => (Some(Holdings { objects: all.objects, bytes: all.bytes }), None),
        (Exit::Success, None) => (None, None),
        _ => (None, why(done, to)),
    };
    TargetRecord { place: place.to_owned(), verdict, written, bytes, deleted, holds, failure, cost }
}

/// What a person should know first.
fn why(done: &Summary, to: usize) -> Option<Trouble> {
    let outcome = &done.outcome.targets[to];
    if done.outcome.stopped == Some(StopReason::Fenced) {
        let why = "a lease was lost while the run was under way, so nothing more was changed";
        return Some(Trouble::new(ErrorKind::Unavailable, why));
    }
    if let Some(lost) = &outcome.lost {
        return Some(Trouble::new(lost.loss.kind, lost.why.as_str()));
    }
    if let Some(first) = outcome.failures.first() {
        let more = match outcome.failed - 1 {
            0 => String::new(),
            more => format!(" (and {} more)", ui::count(more, "failure")),
        };
        return Some(Trouble::new(first.kind, format!("{}{more}", first.message)));
    }
    if let Some(reason) = done.outcome.stopped {
        return Some(stopped(reason));
    }
    let totals = done.totals.get(to)?;
    if let Some(why) = &totals.withheld {
        return Some(Trouble::new(ErrorKind::Changed, why.as_str()));
    }
    if let Some(why) = &totals.deletes_blocked {
        let advice = "look at the source; if the deletes are meant, raise limits.max_delete for one run";
        return Some(Trouble::new(ErrorKind::Precondition, why.as_str()).advise(advice));
    }
    if totals.unproven > 0 {
        let why = format!("{} the same by size and nothing more", ui::count(totals.unproven, "object"));
        let advice = "fill the index once with 'sterna index build', or accept it with allow_unproven = true";
        return Some(Trouble::new(ErrorKind::Integrity, why).advise(advice));
    }
    None
}

fn stopped(reason: StopReason) -> Trouble {
    let (kind, why) = match reason {
        StopReason::Asked => (ErrorKind::Cancelled, "somebody ended it; the next run goes on"),
        StopReason::MaxTransfer => (ErrorKind::Cancelled, "limits.max_transfer was reached; the next run goes on"),
        StopReason::MaxDuration => (ErrorKind::Cancelled, "limits.max_duration was reached; the next run goes on"),
        StopReason::OverBudget => (ErrorKind::Capped, "the budget of this month is spent"),
        StopReason::Fatal => (ErrorKind::Full, "nothing more could succeed"),
        StopReason::Capped => (ErrorKind::Capped, "a cap of the account is reached"),
        StopReason::Fenced => (ErrorKind::Unavailable, "the lease was lost"),
        StopReason::Unreachable => (ErrorKind::Unreachable, "a store answered nothing any more; the next run goes on"),
    };
    Trouble::new(kind, why)
}

fn cost(place: &str, rows: &[Row]) -> Option<Cost> {
    let row = rows.iter().find(|row| row.role == "destination" && row.place == place)?;
    let money = row.money.as_ref()?;
    Some(Cost { currency: money.currency.clone(), amount: money.actual?.to_string() })
}
