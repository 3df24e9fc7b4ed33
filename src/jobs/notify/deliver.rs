//! [`deliver`]: the telling itself.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use sterna_backends::{notice::post, secret::Secret};

use super::{Aging, Means, Notice, Occasion, Recipient, command, told};
use crate::jobs::{JobStatus, RunRecord};

/// How long one recipient may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a message that goes with a ping.
const MESSAGE: usize = 10_000;

/// A notice that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{recipient} was not told: {why}")]
pub struct Undelivered {
    /// Who, without what may be secret.
    pub recipient: String,
    /// Why, for people.
    pub why: String,
}

/// That a run of the job begins, to those who hear of every run.
pub async fn begun(recipients: &[Recipient]) -> Vec<Undelivered> {
    let told = join_all(recipients.iter().map(|recipient| within(begin(recipient)))).await;
    undelivered(recipients, told)
}

/// What one recipient is to hear.
#[derive(Clone, Debug, Default)]
pub struct Told<'a> {
    /// That this run has ended, for those who hear of every run.
    run: Option<&'a RunRecord>,
    /// The source of the job, as configured.
    source: &'a str,
    /// Of each occasion once.
    notices: BTreeMap<Occasion, Notice>,
}

impl<'a> Told<'a> {
    /// What `recipient` is to hear of the last of `runs`, which are in the order in which they ended. `source` is that of the job, as
    /// configured.
    #[must_use]
    pub fn of(recipient: &Recipient, source: &'a str, runs: &'a [RunRecord]) -> Self {
        let Some(run) = runs.last() else { return Self::default() };
        let occasions = told(runs, recipient.interest.quiet);
        let notice = |occasion: &Occasion| (*occasion, Notice::of(*occasion, source, run));
        Self { run: Some(run), source, notices: occasions.intersection(&recipient.interest.on).map(notice).collect() }
    }

    /// With what there is to tell of the age of targets, where the run has not told it already.
    #[must_use]
    pub fn and(mut self, recipient: &Recipient, aging: &Aging, status: &JobStatus) -> Self {
        for (occasion, places) in aging.told(&recipient.interest) {
            self.notices.entry(occasion).or_insert_with(|| Notice::of_age(occasion, status, &places));
        }
        self
    }
}

/// Tells each of `recipients` what stands beside him. All are told at once; a minute each is the most.
pub async fn deliver(recipients: &[Recipient], told: &[Told<'_>]) -> Vec<Undelivered> {
    let telling = recipients.iter().zip(told).map(|(recipient, told)| within(tell(recipient, told)));
    let told = join_all(telling).await;
    undelivered(recipients, told)
}

fn undelivered(recipients: &[Recipient], told: Vec<Result<(), String>>) -> Vec<Undelivered> {
    let named = |(recipient, told): (&Recipient, Result<(), String>)| {
        Some(Undelivered { recipient: recipient.to_string(), why: told.err()? })
    };
    recipients.iter().zip(told).filter_map(named).collect()
}

async fn within(telling: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    tokio::time::timeout(PATIENCE, telling).await.unwrap_or_else(|_| Err("it took longer than a minute".to_owned()))
}

async fn begin(recipient: &Recipient) -> Result<(), String> {
    match &recipient.means {
        Means::Ping(url) => ping(url, "/start", String::new()).await,
        _ => Ok(()),
    }
}

async fn tell(recipient: &Recipient, told: &Told<'_>) -> Result<(), String> {
    if let Means::Ping(url) = &recipient.means {
        // Whoever counts pings counts runs that did something, and misses those that were not made by himself.
        return match told.run {
            Some(run) if run.verdict.is_success() => ping(url, "", String::new()).await,
            Some(run) if run.verdict.is_trouble() => {
                ping(url, "/fail", Notice::of(Occasion::Failure, told.source, run).text).await
            }
            _ => Ok(()),
        };
    }
    for notice in told.notices.values() {
        match &recipient.means {
            Means::Webhook(url) => {
                let json = serde_json::to_string(notice).map_err(|error| error.to_string())?;
                post(url, "application/json", json).await.map_err(|error| error.to_string())?;
            }
            Means::Mail(mail) => mail.tell(notice).await?,
            Means::Command(words) => command::tell(words, notice).await?,
            Means::Ping(_) => {}
        }
    }
    Ok(())
}

async fn ping(url: &Secret, ending: &str, message: String) -> Result<(), String> {
    let whole = url.reveal().trim_end_matches('/');
    // What asks for more than the path stays behind it.
    let whole = match whole.split_once('?') {
        Some((path, query)) => format!("{path}{ending}?{query}"),
        None => format!("{whole}{ending}"),
    };
    let message = message.chars().take(MESSAGE).collect();
    post(&Secret::new(whole), "text/plain; charset=utf-8", message).await.map_err(|error| error.to_string())
}
