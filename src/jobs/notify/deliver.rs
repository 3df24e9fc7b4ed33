//! [`deliver`]: the telling itself.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use sterna_backends::{notice::post, secret::Secret};

use super::{Means, Notice, Occasion, Recipient, command, told};
use crate::jobs::RunRecord;

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

/// Tells `recipients` what came of the last of `runs`, which are in the order in which they ended. All are told at once; a
/// minute each is the most. `source` is that of the job, as configured.
pub async fn deliver(recipients: &[Recipient], source: &str, runs: &[RunRecord]) -> Vec<Undelivered> {
    let Some(run) = runs.last() else { return Vec::new() };
    let telling = recipients.iter().map(|recipient| within(tell(recipient, source, run, told_to(recipient, runs))));
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

/// What `recipient` wants to hear of it.
fn told_to(recipient: &Recipient, runs: &[RunRecord]) -> BTreeSet<Occasion> {
    told(runs, recipient.quiet, recipient.stale_after).intersection(&recipient.on).copied().collect()
}

async fn tell(recipient: &Recipient, source: &str, run: &RunRecord, on: BTreeSet<Occasion>) -> Result<(), String> {
    if let Means::Ping(url) = &recipient.means {
        // Whoever counts pings counts runs that did something, whatever else there is to tell.
        return match run.verdict {
            verdict if verdict.is_success() => ping(url, "", String::new()).await,
            verdict if verdict.is_trouble() => {
                ping(url, "/fail", Notice::of(Occasion::Failure, source, run).text).await
            }
            _ => Ok(()),
        };
    }
    for occasion in on {
        let notice = Notice::of(occasion, source, run);
        match &recipient.means {
            Means::Webhook(url) => {
                let json = serde_json::to_string(&notice).map_err(|error| error.to_string())?;
                post(url, "application/json", json).await.map_err(|error| error.to_string())?;
            }
            Means::Mail(mail) => mail.tell(&notice).await?,
            Means::Command(words) => command::tell(words, &notice).await?,
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
