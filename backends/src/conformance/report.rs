//! What the suite found, as a value and as a table.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::{capability::Capabilities, error::Error, layer::Counts, words::bytes};

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "note")]
pub enum Outcome {
    /// The guarantee held.
    Held,
    /// It did not; what was seen.
    Broken(String),
    /// The store does not offer what it is about; why.
    NotOffered(String),
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// Its name, `theme.check`.
    pub name: &'static str,
    /// What was to hold.
    pub guarantee: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The store, as people write it.
    pub store: String,
    /// What it says it can do.
    pub capabilities: Capabilities,
    /// Each check, in the order of the suite.
    pub checks: Vec<Checked>,
    /// Requests and bytes it took, cleaning up included.
    pub cost: Counts,
    /// Where it worked, and why something may be left there; `None`: all was removed.
    pub left_behind: Option<String>,
    /// Why the suite ended before its last check; `None`: it did not.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<Arc<Error>>,
}

fn as_text<S: serde::Serializer>(error: &Option<Arc<Error>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&error.as_ref().map_or_else(String::new, ToString::to_string))
}

impl Report {
    /// The checks whose guarantee did not hold.
    pub fn broken(&self) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Broken(_)))
    }

    /// Whether everything that is offered held, and all was removed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.broken().next().is_none() && self.left_behind.is_none() && self.unreachable.is_none()
    }
}

/// A table for people: outcome, guarantee, note; then the capabilities and the cost.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.store)?;
        for check in &self.checks {
            let (word, note) = match &check.outcome {
                Outcome::Held => ("held", ""),
                Outcome::Broken(what) => ("BROKEN", what.as_str()),
                Outcome::NotOffered(why) => ("-", why.as_str()),
            };
            let break_before_note = if note.is_empty() { "" } else { "\n          " };
            writeln!(f, "  {word:<7} {:<24} {}{break_before_note}{note}", check.name, check.guarantee)?;
        }
        writeln!(f, "capabilities")?;
        self.capabilities.words().iter().try_for_each(|(what, found)| writeln!(f, "  {what:<22} {found}"))?;
        let count = |word: &str| self.checks.iter().filter(|check| outcome_word(&check.outcome) == word).count();
        let (held, broken, absent) = (count("held"), count("broken"), count("not offered"));
        writeln!(f, "{held} held, {broken} broken, {absent} not offered")?;
        let Counts { bytes_in, bytes_out, .. } = self.cost;
        let (sent, read) = (bytes(bytes_out), bytes(bytes_in));
        writeln!(f, "cost: {} requests, {sent} sent, {read} read", self.cost.total())?;
        match &self.left_behind {
            Some(what) => writeln!(f, "left behind: {what}"),
            None => Ok(()),
        }
    }
}

fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::Broken(_) => "broken",
        Outcome::NotOffered(_) => "not offered",
    }
}
