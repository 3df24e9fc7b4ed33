//! `notify` and `retention` of a job: tables whose keys the engine knows, and what of them stands elsewhere.

use std::time::Duration;

use sterna::jobs::{
    Saved, Word, Words,
    notify::{Interest, InvalidRecipient, Recipient},
    retention::{InvalidRetention, Retention},
};
use sterna_backends::secret::Secret;

use super::{
    error::{ConfigError, ConfigErrorKind, Origin},
    given::{Given, SOURCES, Setting},
    remotes::Config,
};
use crate::values::Span;

fn span(text: &str) -> Option<Duration> {
    text.parse::<Span>().ok()?.0
}

/// That `words` are a recipient, as far as that can be told without what stands elsewhere.
pub(super) fn check(words: &Words, stale_after: Option<Duration>) -> Result<(), InvalidRecipient> {
    Recipient::of(words, stale_after, &span, &|_| Ok(Secret::new("https://localhost/"))).map(drop)
}

/// What a job keeps, as its table has it.
pub(super) fn read_retention(words: &Words) -> Result<Retention, InvalidRetention> {
    Retention::of(words, span)
}

impl Config {
    /// What `job` keeps; `None`: all that its source has.
    #[must_use]
    pub fn retention(job: &Saved) -> Option<Retention> {
        // It was checked when the configuration was read.
        job.retention.as_ref().and_then(|words| read_retention(words).ok())
    }

    /// What those who are told of `job` want to hear.
    pub fn interests(job: &Saved) -> Vec<Interest> {
        // They were checked when the configuration was read.
        job.notify.iter().filter_map(|words| Interest::of(words, job.stale_after, &span).ok()).collect()
    }

    /// Who is told of `job`, and why somebody cannot be: a text that is not to be had. Runs the commands that give them.
    pub fn recipients(&self, job: &Saved) -> (Vec<Recipient>, Vec<String>) {
        let (mut recipients, mut lost) = (Vec::new(), Vec::new());
        for words in &job.notify {
            let obtain = |key: &str| self.obtained(&job.name, words, key).map_err(|error| error.to_string());
            match Recipient::of(words, job.stale_after, &span, &obtain) {
                Ok(recipient) => recipients.push(recipient),
                Err(error) => lost.push(format!("job.{}: {error}", job.name)),
            }
        }
        (recipients, lost)
    }

    /// The text of `key`, which stands elsewhere.
    fn obtained(&self, job: &str, words: &Words, key: &str) -> Result<Secret, ConfigError> {
        let given = SOURCES.iter().find_map(|source| Some((*source, words.get(&format!("{key}.{source}"))?)));
        let given = match given {
            Some(("env", Word::Text(name))) => Given::Variable(name.clone()),
            Some(("file", Word::Text(path))) => Given::File(path.into()),
            Some(("credential", Word::Text(name))) => Given::Credential(name.clone()),
            Some(("command", Word::Text(program))) => Given::Command(vec![program.clone()]),
            Some(("command", Word::List(words))) if !words.is_empty() => Given::Command(words.clone()),
            _ => {
                let what = format!("'{key}' does not say where its text is to be had");
                return Err(ConfigError::new(ConfigErrorKind::WrongType, what));
            }
        };
        let origin = Origin::Key(format!("job.{job}.notify.{key}"));
        Setting { given, origin }.obtain(self.environment())
    }
}
