//! [`Notice`]: what is told, as JSON and in words.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use serde::Serialize;
use sterna_backends::Timestamp;

use super::Occasion;
use crate::{
    jobs::{JobStatus, RunRecord, Standing, TargetRecord, Verdict},
    report::words::span,
};

/// What is told of a run, or of the age of targets. As JSON it is one object; `text` is the whole in words, where chat services look for it.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// Why it is told.
    pub event: Occasion,
    /// The job.
    pub job: String,
    /// Its source, as configured; never with a secret.
    pub source: String,
    /// When the run began; `None`: there was none yet.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// How it ended at each target.
    pub targets: Vec<TargetRecord>,
    /// What a person should know first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// All of it, for people.
    pub text: String,
}

impl Notice {
    /// That `event` came of `run`, whose job has that source.
    #[must_use]
    pub fn of(event: Occasion, source: &str, run: &RunRecord) -> Self {
        let failure = run.first_failure();
        let mut notice = Self {
            event,
            job: run.job.clone(),
            source: source.to_owned(),
            began: Some(run.began),
            ended: run.ended,
            verdict: Some(run.verdict),
            targets: run.targets.clone(),
            message: failure.map(|failure| failure.message.clone()),
            advice: failure.and_then(|failure| failure.advice.clone()),
            text: String::new(),
        };
        notice.text = notice.words();
        notice
    }

    /// That `event` came of the age of `places`, targets of the job that stands as `status` says: of each how long it has not been in
    /// step, and of the first why and what to do.
    #[must_use]
    pub fn of_age(event: Occasion, status: &JobStatus, places: &BTreeSet<String>) -> Self {
        let of = |target: &&Standing| places.contains(&target.place);
        let targets: Vec<&Standing> = status.targets.iter().filter(of).collect();
        let age = |target: &&Standing| match target.age_seconds {
            Some(age) => format!("{}: last in step {} ago", target.place, span(Duration::from_secs(age))),
            None => format!("{}: never in step yet", target.place),
        };
        let ages: Vec<String> = targets.iter().map(age).collect();
        let why = targets.first().filter(|_| event == Occasion::Staleness).map(|target| status.why_behind(target));
        let last = status.last.as_ref();
        let mut notice = Self {
            event,
            job: status.name.clone(),
            source: status.source.clone(),
            began: last.map(|run| run.began),
            ended: last.and_then(|run| run.ended),
            verdict: last.map(|run| run.verdict),
            targets: last.map(|run| run.targets.clone()).unwrap_or_default(),
            message: Some(match &why {
                Some(why) => format!("{}: {}", ages.join("; "), why.message),
                None => ages.join("; "),
            }),
            advice: why.and_then(|why| why.advice),
            text: String::new(),
        };
        notice.text = notice.words();
        notice
    }

    /// One line.
    #[must_use]
    pub fn subject(&self) -> String {
        let what = match self.event {
            Occasion::Failure => "failed",
            Occasion::Recovery => "is in step again",
            Occasion::Budget => "stands still: its budget is spent",
            Occasion::Staleness => "is stale",
        };
        format!("sterna: {} {what}", self.job)
    }

    fn words(&self) -> String {
        let mut text = self.subject();
        for target in &self.targets {
            let _written = write!(text, "\n{}: {}", target.place, target.verdict.describe());
            if let Some(failure) = &target.failure {
                let _written = write!(text, ": {}", failure.message);
            }
        }
        if let Some(message) = &self.message {
            let _written = write!(text, "\nwhy: {message}");
        }
        if let Some(advice) = &self.advice {
            let _written = write!(text, "\nwhat to do: {advice}");
        }
        let _written = write!(text, "\nsource: {}", self.source);
        if let Some(began) = self.began {
            let _written = write!(text, "\nbegan: {began}");
        }
        text
    }
}
