//! How a job stands: a fold over what is known of it. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use sterna_backends::{ErrorKind, Timestamp};

use super::{Failure, Holdings, InStep, RunRecord, Saved, Verdict};
use crate::report::Tally;

/// What is known of a job, from the history and from who runs it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its last runs, the latest first; one is enough.
    pub runs: &'a [RunRecord],
    /// When each target was last seen in step, and with what.
    pub in_step: &'a BTreeMap<String, InStep>,
    /// When it is due next; `None`: never by itself.
    pub next: Option<Timestamp>,
    /// How far the run under way is; `None`: none is, as far as is known here.
    pub progress: Option<&'a Tally>,
    /// Since when it is paused.
    pub paused: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
}

/// How a job stands.
#[derive(Clone, Debug, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// Where its objects come from, as written.
    pub source: String,
    /// What it does now.
    pub state: State,
    /// Its targets, in the order of the configuration.
    pub targets: Vec<Standing>,
    /// Its last run, one under way included.
    pub last: Option<RunRecord>,
    /// Its last run that ended.
    pub ended: Option<RunRecord>,
    /// When it is due next; `None`: never by itself, or not while it is paused.
    pub next: Option<Timestamp>,
    /// How far the run under way is.
    pub progress: Option<Tally>,
    /// What a person should know first: why the last run that ended was no success, and what to do.
    pub trouble: Option<Failure>,
}

/// What a job does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A run is under way.
    Running,
    /// It waits for its time.
    Waiting,
    /// It is held back by hand.
    Paused,
    /// The configuration has it off.
    Disabled,
    /// It has no time of its own: somebody begins it.
    ByHand,
}

/// How one target stands.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// As written.
    pub place: String,
    /// When it was last seen to hold what the source holds; `None`: never.
    pub in_step: Option<Timestamp>,
    /// How long that is ago.
    pub age_seconds: Option<u64>,
    /// Whether that is longer than the job allows.
    pub stale: bool,
    /// What it held then.
    pub holds: Option<Holdings>,
    /// How the last run that ended did there.
    pub verdict: Option<Verdict>,
    /// Why that was no success, and what to do.
    pub failure: Option<Failure>,
}

impl JobStatus {
    /// How `job` stands by what is known of it.
    #[must_use]
    pub fn of(job: &Saved, known: Known<'_>) -> Self {
        let last = known.runs.first();
        let ended = known.runs.iter().find(|run| run.verdict != Verdict::Running);
        let state = if known.progress.is_some() || last.is_some_and(|run| run.verdict == Verdict::Running) {
            State::Running
        } else if !job.enabled {
            State::Disabled
        } else if known.paused.is_some() {
            State::Paused
        } else if known.next.is_some() {
            State::Waiting
        } else {
            State::ByHand
        };
        let waits = job.enabled && known.paused.is_none();
        Self {
            name: job.name.clone(),
            source: job.source.clone(),
            state,
            targets: job.targets.iter().map(|place| standing(job, place, ended, known)).collect(),
            last: last.cloned(),
            ended: ended.cloned(),
            next: known.next.filter(|_| waits),
            progress: known.progress.cloned(),
            trouble: ended.filter(|run| !run.verdict.is_success()).and_then(RunRecord::first_failure).cloned(),
        }
    }

    /// Why `target` is not younger, and what to do.
    #[must_use]
    pub fn why_behind(&self, target: &Standing) -> Failure {
        if let Some(failure) = &target.failure {
            return failure.clone();
        }
        let other = |message: String, advice: &str| Failure::new(ErrorKind::Timeout, message).advise(advice);
        match (self.state, &self.last) {
            (State::Running, Some(last)) => other(
                format!("a run has been under way since {}", last.began),
                "look at its log; limits.max_duration ends a run that takes too long, and the next one goes on",
            ),
            (State::Paused, _) => other(
                "it is held back by hand".to_owned(),
                &format!("'sterna job enable {}' lets it run again", self.name),
            ),
            (State::Disabled, _) => other("it is off in the configuration".to_owned(), "take enabled = false out"),
            (_, None) => {
                other("it has never run".to_owned(), "'sterna job next' says when it is due; is the daemon running?")
            }
            (_, Some(last)) => other(
                format!("the last run, begun {}, ended as '{}'", last.began, last.verdict.describe()),
                "'sterna job next' says when it is due; is whatever begins it still there?",
            ),
        }
    }
}

fn standing(job: &Saved, place: &str, ended: Option<&RunRecord>, known: Known<'_>) -> Standing {
    let target = ended.and_then(|run| run.targets.iter().find(|target| target.place == place));
    let in_step = known.in_step.get(place).copied();
    let age = in_step.map(|then| u64::try_from(known.now.seconds().saturating_sub(then.at.seconds())).unwrap_or(0));
    Standing {
        place: place.to_owned(),
        in_step: in_step.map(|then| then.at),
        age_seconds: age,
        stale: age.zip(job.stale_after).is_some_and(|(age, most)| age >= most.as_secs()),
        holds: in_step.and_then(|then| then.holds),
        // A run that ended before it came to its targets did as it did to all of them.
        verdict: target.map(|target| target.verdict).or(ended.map(|run| run.verdict)),
        failure: target.and_then(|target| target.failure.clone()).or_else(|| ended?.failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        history::{JobRunId, TargetRecord, Trigger},
        jobs::{Filters, Limits, When},
        plan::Groups,
    };

    fn job() -> Saved {
        Saved {
            name: "ports".to_owned(),
            source: "garage:ports".to_owned(),
            targets: vec!["b2:ports".to_owned(), "/srv/ports".to_owned()],
            when: When::default(),
            profile: None,
            groups: Groups::default(),
            filters: Filters::default(),
            retention: None,
            limits: Limits::default(),
            budget: None,
            notify: Vec::new(),
            delete_after: None,
            full_every: None,
            stale_after: Some(Duration::from_secs(60)),
            allow_unproven: false,
            trace: crate::jobs::trace::usual(),
            lease: Duration::from_secs(300),
            enabled: true,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn run(id: i64, verdict: Verdict, targets: Vec<TargetRecord>) -> RunRecord {
        RunRecord {
            job: "ports".to_owned(),
            id: JobRunId(id),
            began: at(id),
            ended: (verdict != Verdict::Running).then(|| at(id + 1)),
            trigger: Trigger::Schedule,
            verdict,
            failure: None,
            targets,
            tip: None,
            full: true,
            log: None,
        }
    }

    #[test]
    fn a_failing_target_is_told_apart_from_one_in_step() {
        let failure = Failure { kind: ErrorKind::Denied, message: "no".to_owned(), advice: None };
        let targets = vec![
            TargetRecord { failure: Some(failure.clone()), ..TargetRecord::nothing("b2:ports", Verdict::Failed) },
            TargetRecord::nothing("/srv/ports", Verdict::InStep),
        ];
        let runs = [run(100, Verdict::Running, Vec::new()), run(50, Verdict::Failed, targets)];
        let in_step = BTreeMap::from([("/srv/ports".to_owned(), InStep { at: at(50), holds: None })]);
        let known =
            Known { runs: &runs, in_step: &in_step, next: Some(at(200)), progress: None, paused: None, now: at(110) };
        let status = JobStatus::of(&job(), known);
        assert_eq!((status.state, status.next), (State::Running, Some(at(200))));
        assert_eq!(status.trouble, Some(failure.clone()));
        let told: Vec<_> =
            status.targets.iter().map(|target| (target.age_seconds, target.stale, target.verdict)).collect();
        assert_eq!(told, [(None, false, Some(Verdict::Failed)), (Some(60), true, Some(Verdict::InStep))]);
        assert_eq!(status.targets[0].failure.as_ref(), Some(&failure));
        assert_eq!(status.why_behind(&status.targets[0]), failure);
        assert!(status.why_behind(&status.targets[1]).message.starts_with("a run has been under way since "));

        let paused = JobStatus::of(&job(), Known { runs: &runs[1..], paused: Some(at(105)), ..known });
        assert_eq!((paused.state, paused.next), (State::Paused, None));
        let off = JobStatus::of(&Saved { enabled: false, ..job() }, Known { runs: &[], ..known });
        assert_eq!((off.state, off.targets[0].verdict), (State::Disabled, None));
    }
}
