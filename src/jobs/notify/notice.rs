//! [`Notice`]: what is told, as JSON and in words.

use std::fmt::Write;

use serde::Serialize;
use sterna_backends::Timestamp;

use super::Occasion;
use crate::jobs::{RunRecord, TargetRecord, Verdict};

/// What is told of a run. As JSON it is one object; `text` is the whole in words, where chat services look for it.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// Why it is told.
    pub event: Occasion,
    /// The job.
    pub job: String,
    /// Its source, as configured; never with a secret.
    pub source: String,
    /// When the run began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub verdict: Verdict,
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
            began: run.began,
            ended: run.ended,
            verdict: run.verdict,
            targets: run.targets.clone(),
            message: failure.map(|failure| failure.message.clone()),
            advice: failure.and_then(|failure| failure.advice.clone()),
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
        let _written = write!(text, "\nsource: {}\nbegan: {}", self.source, self.began);
        text
    }
}
