//! One thing to do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sterna_backends::{CopySource, Digests, Entry, Error, ErrorKind, Key, Metadata};

use crate::{compare::Reason, event::Deed};

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Item {
    /// To be done.
    Action(Box<Action>),
    /// Cannot be done.
    Problem(Problem),
    /// Nothing more can be done at a destination.
    Lost(Lost),
}

impl Item {
    /// Which destination, from 1.
    #[must_use]
    pub fn to(&self) -> usize {
        match self {
            Self::Action(action) => action.to,
            Self::Problem(problem) => problem.to,
            Self::Lost(lost) => lost.to,
        }
    }

    /// Which group, from 0.
    #[must_use]
    pub fn group(&self) -> usize {
        match self {
            Self::Action(action) => action.group,
            Self::Problem(problem) => problem.group,
            Self::Lost(_) => 0,
        }
    }
}

/// What is to be done to one object, and what must hold for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// What is done.
    #[serde(rename = "do")]
    pub deed: Deed,
    /// Which destination, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub to: usize,
    /// The key at the destination.
    pub key: Key,
    /// Which group of the plan, from 0: begun at its destination when all before it in the plan are there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub group: usize,
    /// Why.
    pub reason: Reason,
    /// The source's object as it was seen; the precondition on the source. Its key is the key there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Entry>,
    /// Where the content already lies at the destination's side, for a copy of something other than the source. A
    /// transfer with an origin is one whose copy could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How many destinations the plan sends the source's object to: it is read once for all of them.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub readers: usize,
    /// The destination's object as it was seen; the precondition on the destination. `None`: nothing was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Entry>,
    /// Where what is overwritten or deleted is kept: a key of the backup place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Key>,
    /// Metadata that rules set, over the source's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Arc<Metadata>>,
    /// The source's object is deleted once it has arrived (`move`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete_source: bool,
}

/// What is copied instead of sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// How the destination's store finds it.
    pub at: CopySource,
    /// What the content is.
    #[serde(default)]
    pub digests: Digests,
    /// Its key at the destination itself, where it lies inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Key>,
    /// The object as it was seen. `None`: it is written by an earlier action of the same plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Entry>,
}

impl Origin {
    /// The object at the destination that is to be looked at before it is copied, and what it was: there are servers that do
    /// not heed the condition of a copy. `None` where the copy names a version, which nobody writes to, or where the same
    /// plan writes the object.
    #[must_use]
    pub fn to_look_at(&self) -> Option<(&Key, &Entry)> {
        self.inside.as_ref().zip(self.seen.as_ref()).filter(|_| self.at.version.is_none())
    }
}

impl Action {
    /// Bytes the action carries; 0 where it carries none.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match (self.deed, &self.source) {
            (Deed::Transfer | Deed::Copy, Some(source)) => source.size.unwrap_or(0),
            _ => 0,
        }
    }
}

/// An object that should be at the destination and cannot be put there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Which destination, from 1.
    pub to: usize,
    /// The key.
    pub key: Key,
    /// Which group of the plan, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub group: usize,
    /// Why not.
    pub problem: String,
}

/// A destination whose listing broke off: what it has is not known, so the rest of the plan is not about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// Which destination, from 1.
    pub to: usize,
    /// The whole error, for people.
    #[serde(rename = "lost")]
    pub why: String,
    /// The error for machines.
    #[serde(flatten)]
    pub loss: Loss,
}

/// Why a destination is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// Whether trying again later may help.
    pub retryable: bool,
}

impl Lost {
    /// Destination `to`, by `error`.
    #[must_use]
    pub fn new(to: usize, error: &Error) -> Self {
        Self { to, why: error.to_string(), loss: Loss { kind: error.kind(), retryable: error.is_retryable() } }
    }
}

const fn first() -> usize {
    1
}

const fn is_zero(group: &usize) -> bool {
    *group == 0
}

const fn is_first(to: &usize) -> bool {
    *to == 1
}
