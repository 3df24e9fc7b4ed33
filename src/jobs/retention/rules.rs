//! [`Retention`]: the rules, as the configuration has them.

use std::{fmt, num::NonZeroUsize, str::FromStr, time::Duration};

use regex::Regex;
use sterna_backends::registry::nearest;

use crate::{
    jobs::{Word, Words},
    report::words::span,
};

/// The capture that items of a group are ordered by.
pub(super) const ORDERED: &str = "rev";

/// What a mirror keeps of each group. An item that any rule keeps is kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// So many of the newest, whatever else.
    pub(super) last: NonZeroUsize,
    /// Everything of a group that has fewer revisions.
    pub(super) all_below: Option<usize>,
    /// What is younger.
    pub(super) within: Option<Duration>,
    /// What has a number less than so much below the highest of its group.
    pub(super) within_revisions: Option<u64>,
    /// What has such a number.
    pub(super) every: Option<Every>,
    pub(super) order: Order,
    pub(super) pattern: Regex,
}

/// What makes an item newer than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The revision, by [`natural`](super::natural).
    #[default]
    Natural,
    /// The time of the newest object of the item; the revision where times are equal.
    Time,
}

/// `3`, `3n`, `2n+1`: numbers that leave that remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Every {
    step: u64,
    rest: u64,
}

/// Why a retention is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// A key that it does not have.
    #[error("retention has no '{key}'; {}", match near { Some(near) => format!("did you mean '{near}'?"), None => format!("known are {}", KEYS.join(", ")) })]
    Unknown {
        /// As written.
        key: String,
        /// The nearest that there is.
        near: Option<&'static str>,
    },
    /// A key that it cannot do without.
    #[error("retention has no {0}")]
    Missing(&'static str),
    /// A value that is none.
    #[error("{key} = \"{value}\": expected {wanted}")]
    Value {
        /// Of this key.
        key: &'static str,
        /// As written.
        value: String,
        /// What could stand there.
        wanted: String,
    },
}

const KEYS: [&str; 7] =
    ["keep_last", "keep_all_below", "keep_within", "keep_within_revisions", "keep_every", "group_by", "order"];

impl Retention {
    /// As the configuration has it. `span` reads a length of time.
    ///
    /// # Errors
    /// The first mistake.
    pub fn of(words: &Words, span: impl FnOnce(&str) -> Option<Duration>) -> Result<Self, InvalidRetention> {
        if let Some(key) = words.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(InvalidRetention::Unknown { key: key.clone(), near: nearest(key, KEYS.into_iter()) });
        }
        let last = read(words, "keep_last", "a number from 1", |text| text.parse().ok())?;
        let all_below = read(words, "keep_all_below", "a number", |text| text.parse().ok())?;
        let within = read(words, "keep_within", "an age such as 182d", span)?;
        let within_revisions = read(words, "keep_within_revisions", "a number", |text| text.parse().ok())?;
        let every = read(words, "keep_every", "a step such as 3, or 2n+1 for the odd ones", |text| text.parse().ok())?;
        let order = read(words, "order", "natural or time", |text| match text {
            "natural" => Some(Order::Natural),
            "time" => Some(Order::Time),
            _ => None,
        })?;
        let pattern = read(words, "group_by", "a regular expression", Some)?;
        let pattern = pattern.ok_or(InvalidRetention::Missing("group_by"))?;
        Ok(Self {
            last: last.ok_or(InvalidRetention::Missing("keep_last"))?,
            all_below,
            within,
            within_revisions,
            every,
            order: order.unwrap_or_default(),
            pattern: compiled(pattern)?,
        })
    }
}

/// In words, such as `the newest 20, what is younger than 182 d`.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = [
            self.all_below.map(|least| format!("all below {least} revisions")),
            self.within.map(|within| format!("what is younger than {}", span(within))),
            self.within_revisions.map(|most| format!("the last {most} revisions by number")),
            self.every.map(|Every { step, rest }| format!("revisions {step}n+{rest}")),
        ];
        write!(f, "the newest {}", self.last)?;
        others.into_iter().flatten().try_for_each(|rule| write!(f, ", {rule}"))
    }
}

fn read<'a, T>(
    words: &'a Words,
    key: &'static str,
    wanted: &str,
    read: impl FnOnce(&'a str) -> Option<T>,
) -> Result<Option<T>, InvalidRetention> {
    let wrong = |value: String| InvalidRetention::Value { key, value, wanted: wanted.to_owned() };
    match words.get(key) {
        None => Ok(None),
        Some(Word::Text(text)) => read(text).map(Some).ok_or_else(|| wrong(text.clone())),
        Some(Word::List(list)) => Err(wrong(list.join(", "))),
    }
}

fn compiled(pattern: &str) -> Result<Regex, InvalidRetention> {
    let wrong = |wanted: String| InvalidRetention::Value { key: "group_by", value: pattern.to_owned(), wanted };
    let compiled = Regex::new(pattern).map_err(|error| wrong(format!("a regular expression: {error}")))?;
    if !compiled.capture_names().flatten().any(|name| name == ORDERED) {
        return Err(wrong(format!("a capture (?<{ORDERED}>…) that tells which revision an object is of")));
    }
    Ok(compiled)
}

impl Every {
    /// Whether the first number in `revision` is one of them; a revision without a number is.
    pub(super) fn keeps(self, revision: &str) -> bool {
        number(revision).is_none_or(|number| number % self.step == self.rest)
    }
}

/// The first number in a revision.
pub(super) fn number(revision: &str) -> Option<u64> {
    let digits = revision.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

impl FromStr for Every {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (step, rest) = match text.split_once('n') {
            None => (text, "+0"),
            Some((step, "")) => (step, "+0"),
            Some(parts) => parts,
        };
        let rest: u64 = rest.strip_prefix('+').ok_or(())?.parse().map_err(|_| ())?;
        let step: u64 = step.parse().map_err(|_| ())?;
        if step == 0 || rest >= step {
            return Err(());
        }
        Ok(Self { step, rest })
    }
}
