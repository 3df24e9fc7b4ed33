//! How things stand, in words people read. Pure.

use std::time::Duration;

use sterna_backends::Timestamp;

use crate::{
    jobs::{JobStatus, Standing, State, Trigger, Verdict},
    report::{Tally, words},
};

/// How a state looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// Somebody should look.
    Bad,
    /// It may mend itself.
    Warn,
    /// It is at work.
    Busy,
    /// All is well.
    Good,
    /// Nothing is known, or nothing is wanted.
    Idle,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Busy => "busy",
            Self::Good => "good",
            Self::Idle => "idle",
        }
    }

    /// A sign for those who do not tell colours.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Bad => "✕",
            Self::Warn => "!",
            Self::Busy => "↻",
            Self::Good => "✓",
            Self::Idle => "–",
        }
    }
}

/// How a verdict looks, and its word.
pub(super) const fn verdict(verdict: Verdict) -> (Tone, &'static str) {
    let tone = match verdict {
        Verdict::Failed | Verdict::Killed => Tone::Bad,
        Verdict::Stopped => Tone::Warn,
        Verdict::Running => Tone::Busy,
        Verdict::InStep | Verdict::Changed => Tone::Good,
        Verdict::HeldElsewhere | Verdict::Skipped => Tone::Idle,
    };
    (tone, verdict.describe())
}

/// How a job stands: as the target that stands worst, whatever it does now.
pub(super) fn health(status: &JobStatus) -> (Tone, &'static str) {
    status.targets.iter().map(standing).min_by_key(|(tone, _)| *tone).unwrap_or((Tone::Idle, "never ran"))
}

/// What a job does now, where that is worth a word beside its health.
pub(super) const fn doing(state: State) -> Option<(Tone, &'static str)> {
    match state {
        State::Running => Some((Tone::Busy, "running")),
        State::Paused => Some((Tone::Idle, "paused")),
        State::Disabled => Some((Tone::Idle, "off")),
        State::Waiting | State::ByHand => None,
    }
}

/// How a target stands by the last run that ended, and by its age.
pub(super) fn standing(target: &Standing) -> (Tone, &'static str) {
    match target.verdict.map(verdict) {
        Some((Tone::Bad, "failed")) => (Tone::Bad, "failing"),
        Some(bad @ (Tone::Bad, _)) => bad,
        _ if target.stale => (Tone::Bad, "stale"),
        None => (Tone::Idle, "never ran"),
        Some((Tone::Good, _)) => (Tone::Good, "in step"),
        Some(other) => other,
    }
}

/// Why a run was begun.
pub(super) const fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Schedule => "on schedule",
        Trigger::CatchUp => "to make up for a missed run",
        Trigger::Hand => "by hand",
    }
}

/// `just now`, `4 min ago`, `3 h ago`, `2 days ago`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    match rough(now.seconds().saturating_sub(then.seconds())) {
        None => "just now".to_owned(),
        Some(span) => format!("{span} ago"),
    }
}

/// `is due`, `in 4 min`, `in 3 h`.
pub(super) fn ahead(then: Timestamp, now: Timestamp) -> String {
    match rough(then.seconds().saturating_sub(now.seconds())) {
        None => "is due".to_owned(),
        Some(span) => format!("in {span}"),
    }
}

/// A span as people say it; `None` below 10 seconds.
fn rough(seconds: i64) -> Option<String> {
    match seconds {
        ..10 => None,
        10..60 => Some(format!("{seconds} s")),
        60..5_400 => Some(format!("{} min", seconds / 60)),
        5_400..129_600 => Some(format!("{} h", (seconds + 1_800) / 3_600)),
        _ => Some(format!("{} days", (seconds + 43_200) / 86_400)),
    }
}

/// `2026-11-25 23:15:02 UTC`.
pub(super) fn clock(time: Timestamp) -> String {
    jiff::Timestamp::from(time).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long a run took, or takes.
pub(super) fn took(began: Timestamp, ended: Timestamp) -> String {
    words::span(span(began, ended))
}

/// The time between two, not less than none.
pub(super) fn span(began: Timestamp, ended: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(ended.as_nanos().saturating_sub(began.as_nanos())).unwrap_or(0))
}

/// How far a run is: `12 of 340 objects, 3.2 MiB of 1.1 GiB, 14.0 MiB/s`.
pub(super) fn progress(tally: &Tally, took: Duration) -> String {
    if tally.planned == 0 {
        return format!("{} listed", words::count(tally.listed, "object"));
    }
    let more = if tally.plan_ended { "" } else { "+" };
    format!(
        "{} of {}{more} objects, {} of {}{more}, {}",
        words::grouped(done(tally)),
        words::grouped(tally.planned),
        words::bytes(passed(tally)),
        words::bytes(tally.planned_bytes),
        words::rate(tally.bytes_passed, took),
    )
}

/// How much of its work a run has done, 0 to 1; `None` where that is not known yet.
pub(super) fn share(tally: &Tally) -> Option<f64> {
    if tally.planned == 0 || !tally.plan_ended {
        return None;
    }
    let of = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    Some(of(passed(tally), tally.planned_bytes).min(of(done(tally), tally.planned).max(0.01)).min(1.0))
}

fn done(tally: &Tally) -> u64 {
    tally.transferred + tally.copied + tally.touched + tally.deleted + tally.source_deleted
}

fn passed(tally: &Tally) -> u64 {
    tally.bytes_done.max(tally.bytes_passed.min(tally.planned_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_well() {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let told: Vec<String> = [3, 42, 61, 5_399, 5_400, 86_400, 200_000].map(|passed| ago(at(0), at(passed))).into();
        let said = ["just now", "42 s ago", "1 min ago", "89 min ago", "2 h ago", "24 h ago", "2 days ago"];
        assert_eq!(told, said);
        assert_eq!((ahead(at(600), at(0)).as_str(), ahead(at(0), at(600)).as_str()), ("in 10 min", "is due"));
        assert_eq!(clock(at(0)), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn progress_is_told_as_far_as_it_is_known() {
        let listing = Tally { listed: 1, ..Tally::default() };
        assert_eq!((progress(&listing, Duration::ZERO).as_str(), share(&listing)), ("1 object listed", None));
        let tally = Tally { planned: 4, transferred: 1, planned_bytes: 2048, bytes_passed: 1024, ..Tally::default() };
        let said = progress(&tally, Duration::from_secs(1));
        assert_eq!(said, "1 of 4+ objects, 1.0 KiB of 2.0 KiB+, 1.0 KiB/s");
        assert_eq!(share(&Tally { plan_ended: true, ..tally }), Some(0.25));
    }
}
