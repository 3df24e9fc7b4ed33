//! [`Recipient`]: somebody who is told, as the configuration has him.

use std::{collections::BTreeSet, fmt, time::Duration};

use sterna_backends::{registry::nearest, secret::Secret};

use super::{Mail, Occasion};
use crate::jobs::{Word, Words};

/// How long the same trouble is not told again, where the configuration does not say.
const QUIET: Duration = Duration::from_secs(6 * 3600);

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// How.
    pub means: Means,
    /// Of what; a ping hears of every run all the same.
    pub interest: Interest,
}

/// What somebody wants to hear.
#[derive(Clone, Debug)]
pub struct Interest {
    /// Of this.
    pub on: BTreeSet<Occasion>,
    /// How long the same trouble is not told again.
    pub quiet: Duration,
    /// The age at which a target counts as stale; `None`: never.
    pub stale_after: Option<Duration>,
}

/// How somebody is told.
#[derive(Clone, Debug)]
pub enum Means {
    /// JSON is posted to this URL.
    Webhook(Secret),
    /// This URL is posted to at the end of a run, with `/start` at its beginning and with `/fail` where it failed, as
    /// healthchecks.io has it.
    Ping(Secret),
    /// By e-mail.
    Mail(Box<Mail>),
    /// A program with its arguments, never through a shell; it has the JSON on its standard input.
    Command(Vec<String>),
}

/// Why a recipient is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipient {
    /// A key that there is not.
    #[error("notify has no '{key}'; {}", match near { Some(near) => format!("did you mean '{near}'?"), None => format!("known are {}", KEYS.join(", ")) })]
    Unknown {
        /// As written.
        key: String,
        /// The nearest that there is.
        near: Option<&'static str>,
    },
    /// Not one of the ways to tell.
    #[error("notify says no way to tell; write one of webhook, ping, email and command")]
    NoMeans,
    /// Two ways.
    #[error("notify has both {0} and {1}; write two tables")]
    TwoMeans(&'static str, &'static str),
    /// A key that is needed.
    #[error("notify by e-mail needs {0}")]
    Missing(&'static str),
    /// Staleness, and no age.
    #[error("notify on staleness needs to know from which age on: write stale_after = \"6h\", here or for the job")]
    Ageless,
    /// A value that is none.
    #[error("notify.{key}: {why}")]
    Value {
        /// Of this key.
        key: &'static str,
        /// What is wrong, never with the value of a secret.
        why: String,
    },
}

const KEYS: [&str; 11] =
    ["webhook", "ping", "email", "command", "on", "quiet", "stale_after", "smtp", "from", "user", "password"];

const MEANS: [&str; 4] = ["webhook", "ping", "email", "command"];

/// What reads a recipient.
pub struct Reading<'a> {
    pub(super) words: &'a Words,
    obtain: &'a dyn Fn(&str) -> Result<Secret, String>,
}

impl Recipient {
    /// As the configuration has him, whose job has that `stale_after`. `span` reads a length of time; `obtain` gets the text of a
    /// key that stands elsewhere: such a key is there as `KEY.SOURCE` (`password.file`).
    ///
    /// # Errors
    /// The first mistake, and what could not be obtained.
    pub fn of(
        words: &Words,
        stale_after: Option<Duration>,
        span: &dyn Fn(&str) -> Option<Duration>,
        obtain: &dyn Fn(&str) -> Result<Secret, String>,
    ) -> Result<Self, InvalidRecipient> {
        for key in words.keys() {
            let name = key.split('.').next().unwrap_or(key);
            if !KEYS.contains(&name) {
                return Err(InvalidRecipient::Unknown { key: key.clone(), near: nearest(name, KEYS.into_iter()) });
            }
        }
        let reading = Reading { words, obtain };
        let interest = Interest::of(words, stale_after, span)?;
        let mut means = MEANS.into_iter().filter(|means| reading.has(means));
        let mean = means.next().ok_or(InvalidRecipient::NoMeans)?;
        if let Some(other) = means.next() {
            return Err(InvalidRecipient::TwoMeans(mean, other));
        }
        let means = match mean {
            "webhook" => Means::Webhook(reading.url("webhook")?),
            "ping" => Means::Ping(reading.url("ping")?),
            "email" => Means::Mail(Box::new(Mail::of(&reading)?)),
            _ => Means::Command(reading.list("command")),
        };
        Ok(Self { means, interest })
    }
}

impl Interest {
    /// As the configuration has it; nothing that stands elsewhere is read. See [`Recipient::of`].
    ///
    /// # Errors
    /// The first mistake.
    pub fn of(
        words: &Words,
        stale_after: Option<Duration>,
        span: &dyn Fn(&str) -> Option<Duration>,
    ) -> Result<Self, InvalidRecipient> {
        let reading = Reading { words, obtain: &|_| Err(String::new()) };
        let span = |key, least| {
            let wrong = || InvalidRecipient::Value { key, why: "expected a length of time such as 6h".to_owned() };
            let read = |text: &str| span(text).filter(|span| *span >= least).ok_or_else(wrong);
            reading.text(key)?.map(read).transpose()
        };
        let quiet = span("quiet", Duration::ZERO)?.unwrap_or(QUIET);
        let stale_after = span("stale_after", Duration::from_secs(1))?.or(stale_after);
        let on = match reading.has("on") {
            true => reading.list("on").iter().map(named).collect::<Result<BTreeSet<_>, _>>()?,
            false => Occasion::ALL.into_iter().collect(),
        };
        if reading.has("on") && on.contains(&Occasion::Staleness) && stale_after.is_none() {
            return Err(InvalidRecipient::Ageless);
        }
        Ok(Self { on, quiet, stale_after })
    }
}

/// The occasion of that word.
fn named(word: &String) -> Result<Occasion, InvalidRecipient> {
    Occasion::ALL.into_iter().find(|occasion| occasion.name() == word).ok_or_else(|| {
        let known = Occasion::ALL.map(Occasion::name).join(", ");
        InvalidRecipient::Value { key: "on", why: format!("'{word}' is none of {known}") }
    })
}

impl Reading<'_> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.words.contains_key(key) || self.is_elsewhere(key)
    }

    fn is_elsewhere(&self, key: &str) -> bool {
        self.words.keys().any(|name| name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
    }

    pub(super) fn text(&self, key: &'static str) -> Result<Option<&str>, InvalidRecipient> {
        match self.words.get(key) {
            None => Ok(None),
            Some(Word::Text(text)) => Ok(Some(text)),
            Some(Word::List(_)) => Err(InvalidRecipient::Value { key, why: "it is a list; write one text".to_owned() }),
        }
    }

    pub(super) fn list(&self, key: &str) -> Vec<String> {
        match self.words.get(key) {
            None => Vec::new(),
            Some(Word::Text(text)) => vec![text.clone()],
            Some(Word::List(list)) => list.clone(),
        }
    }

    /// What stands elsewhere.
    pub(super) fn secret(&self, key: &'static str) -> Result<Option<Secret>, InvalidRecipient> {
        if !self.is_elsewhere(key) {
            return Ok(None);
        }
        (self.obtain)(key).map(Some).map_err(|why| InvalidRecipient::Value { key, why })
    }

    fn url(&self, key: &'static str) -> Result<Secret, InvalidRecipient> {
        let url = match self.secret(key)? {
            Some(secret) => secret,
            None => Secret::new(self.text(key)?.unwrap_or_default()),
        };
        let is_http = ["http://", "https://"].iter().any(|scheme| url.reveal().starts_with(scheme));
        match is_http && sterna_backends::notice::host(&url).is_some() {
            true => Ok(url),
            false => Err(InvalidRecipient::Value { key, why: "expected an http or https URL".to_owned() }),
        }
    }
}

/// How and where, without what may be secret.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |url| sterna_backends::notice::host(url).unwrap_or_default();
        match &self.means {
            Means::Webhook(url) => write!(f, "webhook at {}", host(url)),
            Means::Ping(url) => write!(f, "ping at {}", host(url)),
            Means::Mail(mail) => write!(f, "e-mail to {}", mail.to.join(", ")),
            // Arguments may hold what is not to be shown.
            Means::Command(words) => write!(f, "command {}", words.first().map_or("", String::as_str)),
        }
    }
}
