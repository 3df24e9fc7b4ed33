//! `/static/tunasync.json`: how things stand in the shape of [tunasync](https://github.com/tuna/tunasync), whose front pages read
//! it. Fields, the two forms of each time and the words of `status` are those of its `internal/status_web.go` and
//! `internal/status.go`.

use serde::Serialize;
use sterna_backends::Timestamp;

use crate::jobs::{JobStatus, RunRecord, State, Verdict};

/// One mirror, as tunasync tells it: here, one job.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Mirror {
    name: String,
    is_master: bool,
    status: &'static str,
    last_update: String,
    last_update_ts: i64,
    last_started: String,
    last_started_ts: i64,
    last_ended: String,
    last_ended_ts: i64,
    next_schedule: String,
    next_schedule_ts: i64,
    upstream: String,
    size: String,
}

/// What Go writes for a time that never was.
const NEVER: i64 = -62_135_596_800;

impl Mirror {
    /// By how the job stands and its last runs, the latest first.
    pub(super) fn of(status: &JobStatus, runs: &[RunRecord]) -> Self {
        let ended = runs.iter().find(|run| run.verdict != Verdict::Running);
        // The time at which all targets held what the source did.
        let updated: Option<Vec<Timestamp>> = status.targets.iter().map(|target| target.in_step).collect();
        let (last_update, last_update_ts) = both(updated.and_then(|times| times.into_iter().min()));
        let (last_started, last_started_ts) = both(runs.first().map(|run| run.began));
        let (last_ended, last_ended_ts) = both(ended.and_then(|run| run.ended));
        let (next_schedule, next_schedule_ts) = both(status.next);
        Self {
            name: status.name.clone(),
            is_master: true,
            status: word(status.state, ended.map(|run| run.verdict)),
            last_update,
            last_update_ts,
            last_started,
            last_started_ts,
            last_ended,
            last_ended_ts,
            next_schedule,
            next_schedule_ts,
            upstream: status.source.clone(),
            size: size(status),
        }
    }
}

const fn word(state: State, ended: Option<Verdict>) -> &'static str {
    match (state, ended) {
        (State::Running, _) => "syncing",
        (State::Disabled, _) => "disabled",
        (State::Paused, _) => "paused",
        (_, Some(verdict)) if verdict.is_success() => "success",
        (_, Some(Verdict::HeldElsewhere | Verdict::Skipped) | None) => "none",
        (_, Some(_)) => "failed",
    }
}

/// As rsync's `--human-readable` has it, from which tunasync takes it: in thousands, `1.33T`; of several targets that of the largest.
fn size(status: &JobStatus) -> String {
    let Some(bytes) = status.targets.iter().filter_map(|target| target.holds).map(|holds| holds.bytes).max() else {
        return "unknown".to_owned();
    };
    let (mut number, mut unit) = (bytes as f64, None);
    for larger in ['K', 'M', 'G', 'T', 'P'] {
        // What would be written as 1000.00 of a unit is 1.00 of the next one.
        if number < 999.995 {
            break;
        }
        (number, unit) = (number / 1000.0, Some(larger));
    }
    unit.map_or_else(|| bytes.to_string(), |unit| format!("{number:.2}{unit}"))
}

fn both(time: Option<Timestamp>) -> (String, i64) {
    match time {
        Some(time) => (jiff::Timestamp::from(time).strftime("%Y-%m-%d %H:%M:%S +0000").to_string(), time.seconds()),
        None => ("0001-01-01 00:00:00 +0000".to_owned(), NEVER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_words_are_tunasyncs() {
        assert_eq!(both(None), ("0001-01-01 00:00:00 +0000".to_owned(), NEVER));
        let time = Timestamp::from_parts(1_700_000_000, 5);
        assert_eq!(both(Some(time)), ("2023-11-14 22:13:20 +0000".to_owned(), 1_700_000_000));
        assert_eq!(word(State::Waiting, None), "none");
        assert_eq!(word(State::Waiting, Some(Verdict::Changed)), "success");
        assert_eq!(word(State::ByHand, Some(Verdict::Killed)), "failed");
        assert_eq!(word(State::Paused, Some(Verdict::Failed)), "paused");
        assert_eq!(word(State::Running, Some(Verdict::Failed)), "syncing");
    }
}
