//! Two entries -> a verdict with its evidence. Pure: no store, no clock, no file, nothing awaited.
//!
//! Where the entries do not say enough, the verdict is a [`Question`]; whoever can answer it (the
//! [`index`](crate::index)) learns more of one side and asks again.

mod judge;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sterna_backends::{Algorithm, Capabilities};

pub use judge::judge;

/// How entries are compared; the names are rclone's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Size, then a digest both sides know, else time, else the bytes of small files.
    #[default]
    Default,
    /// Size and a digest; what has no common digest is read.
    Checksum,
    /// Size alone.
    SizeOnly,
    /// Everything is transferred.
    IgnoreTimes,
}

/// What to do where both sides have an object; the names are rclone's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Policy {
    /// How entries are compared.
    pub mode: Mode,
    /// Leave alone what is newer at the destination.
    pub update: bool,
    /// Leave alone whatever exists at the destination.
    pub ignore_existing: bool,
    /// Refuse to change what exists at the destination.
    pub immutable: bool,
    /// Leave the destination's time as it is where only the time differs.
    pub keep_times: bool,
    /// Files up to this many bytes are read where nothing else decides.
    pub read_below: u64,
    /// Times this far apart count as equal, if that is more than the stores' own precision.
    pub modify_window: Duration,
}

impl Policy {
    /// The default of [`Policy::read_below`]: 1 MiB.
    pub const READ_BELOW: u64 = 1024 * 1024;
}

/// The facts about a store that a comparison needs.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Precision of its modification times; `None`: it keeps none.
    pub modified: Option<Duration>,
    /// Whether those times may be the store's own: other times are then no difference.
    pub assumed: bool,
    /// Whether its listings tell them.
    pub lists_times: bool,
    /// Whether reading it is free of requests.
    pub cheap_read: bool,
}

impl From<&Capabilities> for Side {
    fn from(capabilities: &Capabilities) -> Self {
        Self {
            modified: capabilities.modified,
            assumed: capabilities.modified_assumed,
            lists_times: capabilities.modified_in_list,
            cheap_read: capabilities.cheap_read,
        }
    }
}

/// On what a match rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A digest of both contents is equal.
    Proven(Algorithm),
    /// Size and modification time are equal.
    Likely,
    /// The size is equal, and nothing more is known.
    Unproven,
}

/// Why an object is to be transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The destination does not have it.
    Missing,
    /// The sizes differ.
    Size,
    /// Digests of that kind differ.
    Digest(Algorithm),
    /// The times differ, and no digest says that the contents are equal.
    Time,
    /// It was asked for.
    Forced,
    /// The source no longer has it (deletes only).
    Extra,
}

/// One of the two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// The source's.
    Source,
    /// The destination's.
    Target,
}

/// What must be learnt before a verdict is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Everything the store tells of that side's object without its bytes.
    Stat(Which),
    /// A digest of that side's bytes.
    Digest(Which, Algorithm),
    /// The [digest of parts](Algorithm::Parts) of that side's bytes, cut as the other side's object may have been.
    Parts(Which),
}

impl Question {
    /// Whom it is put to.
    #[must_use]
    pub const fn which(self) -> Which {
        match self {
            Self::Stat(which) | Self::Digest(which, _) | Self::Parts(which) => which,
        }
    }
}

/// The outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to transfer.
    Same {
        /// On what that rests.
        evidence: Evidence,
        /// The bytes are equal and the destination's time is not: it can be set.
        touch: bool,
    },
    /// To be transferred.
    Differs(Reason),
    /// Left alone by [`Policy::update`] or [`Policy::ignore_existing`].
    Kept,
    /// [`Policy::immutable`] forbids the change; the reason is why there would be one.
    Immutable(Reason),
    /// More must be known.
    Ask(Question),
}
