//! Tries every remote: its texts had, its store opened, one page listed.

use std::{fmt, time::Duration};

use futures::StreamExt;
use serde::Serialize;
use sterna::price::Book;
use sterna_backends::{
    ErrorKind, ListRequest,
    registry::{OPEN_TIMEOUT, Purpose, Remote},
};

use super::{error::ConfigError, remotes::Config};

/// How a remote fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum State {
    /// It answered.
    Works,
    /// What can be known without a path is right; it was not asked, for this reason.
    Untried(String),
    /// It does not work, for this reason.
    Fails(String),
}

/// One remote that was tried.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// Its family.
    #[serde(rename = "type")]
    pub family: &'static str,
    /// How it fared.
    #[serde(flatten)]
    pub state: State,
}

/// All that were tried.
#[derive(Debug, Serialize)]
pub struct Report {
    /// In byte order of their names.
    pub remotes: Vec<Checked>,
    /// Prices of the user's own, and the offers that bill the remotes.
    pub prices: State,
    /// Variables of the environment that speak of no remote there is: misspelt, or left over.
    pub stray_variables: Vec<String>,
    /// Budgets of no remote there is, and of no URL.
    pub stray_budgets: Vec<String>,
}

impl Report {
    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        let states = self.remotes.iter().map(|remote| &remote.state).chain([&self.prices]);
        states.into_iter().all(|state| !matches!(state, State::Fails(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Checked { name, family, state } in &self.remotes {
            match state {
                State::Works => writeln!(f, "{name}: ({family}) works")?,
                State::Untried(why) => writeln!(f, "{name}: ({family}) not tried: {why}")?,
                State::Fails(why) => writeln!(f, "{name}: ({family}) fails: {why}")?,
            }
        }
        match &self.prices {
            State::Works => writeln!(f, "prices: right")?,
            State::Untried(_) => {}
            State::Fails(why) => writeln!(f, "prices: {why}")?,
        }
        for name in &self.stray_variables {
            writeln!(f, "${name} speaks of no remote there is")?;
        }
        for name in &self.stray_budgets {
            writeln!(f, "[budget.{name}] speaks of no remote there is")?;
        }
        Ok(())
    }
}

/// Looks at prices and budgets, and tries every remote, or one: has its texts (commands are run), opens it where no path is needed for that, and
/// lists one page, or its buckets. One after the other, so that commands that ask do not speak at once; each has
/// [`OPEN_TIMEOUT`] to answer.
///
/// # Errors
/// `NoSuchRemote`; what else fails is in the report.
pub async fn check(config: &Config, only: Option<&str>) -> Result<Report, ConfigError> {
    check_within(config, only, OPEN_TIMEOUT).await
}

pub(super) async fn check_within(config: &Config, only: Option<&str>, limit: Duration) -> Result<Report, ConfigError> {
    let mut remotes = Vec::new();
    for (name, configured) in config.chosen(only)? {
        let state = match config.remote(name) {
            Err(error) => State::Fails(error.to_string()),
            Ok(remote) => tokio::time::timeout(limit, ask(&remote))
                .await
                .unwrap_or_else(|_| State::Fails(format!("no answer within {} s", limit.as_secs_f32()))),
        };
        remotes.push(Checked { name: name.to_owned(), family: configured.family.name, state });
    }
    let is_known = |name: &String| config.names().chain(config.schemes()).any(|known| known == name);
    let budgets = config.budgets().iter().map(|budget| budget.remote.clone());
    Ok(Report {
        prices: prices(config, only),
        stray_budgets: budgets.filter(|name| only.is_none() && !is_known(name)).collect(),
        stray_variables: config.stray.clone(),
        remotes,
    })
}

/// Whether the user's own prices can be read, and whether there is an offer of each name that a remote gives for its own.
fn prices(config: &Config, only: Option<&str>) -> State {
    let book = match config.priced(Book::shipped()) {
        Ok(book) => book,
        Err(problem) => return State::Fails(problem.to_string()),
    };
    let today = jiff::Zoned::now().date();
    let mut named = 0;
    for name in config.names().filter(|name| only.is_none_or(|only| only == *name)) {
        // What cannot be had is said beside the remote.
        let Ok((_, [Some(offer)])) = config.options(name, ["price_offer"]) else { continue };
        if let Err(error) = book.offer_of(&offer, None, today) {
            return State::Fails(format!("price_offer of '{name}': {error}"));
        }
        named += 1;
    }
    if named == 0 && config.prices.is_none() { State::Untried("none are named".to_owned()) } else { State::Works }
}

async fn ask(remote: &Remote) -> State {
    let asked = match remote.family.buckets {
        // Without a root of its own, the empty path would be the present directory.
        _ if remote.family.name == "local" => return State::Untried("it has no root of its own".to_owned()),
        Some(buckets) if remote.text("bucket").is_none() => buckets(remote).await.map(drop),
        _ => list_a_page(remote).await,
    };
    match asked {
        Ok(()) => State::Works,
        // Keys that are confined to one bucket may not list the buckets; wrong keys look the same.
        Err(error)
            if error.kind() == ErrorKind::Denied
                && remote.family.buckets.is_some()
                && remote.text("bucket").is_none() =>
        {
            State::Untried(format!("its keys are wrong, or may not list buckets: name a bucket to know ({error})"))
        }
        Err(error) => State::Fails(error.to_string()),
    }
}

async fn list_a_page(remote: &Remote) -> sterna_backends::Result<()> {
    let opened = remote.clone().opened_for(Purpose::Look).open("").await?;
    let mut pages = opened.store.list(ListRequest::level(opened.prefix));
    pages.next().await.transpose().map(drop)
}
