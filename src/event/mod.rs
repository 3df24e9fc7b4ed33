//! What the engine says while it works. Bars, JSON lines, logs and summaries consume it; the engine never prints.

use std::sync::Arc;

use serde::Serialize;
use sterna_backends::{Entry, Error, ErrorKind, Key, Timestamp};

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Another `objects` of a place have been listed.
    Listed {
        /// 0: the source; from 1: the destinations.
        place: usize,
        /// How many since the last such event.
        objects: u64,
    },
    /// A listing passed over something that is no object.
    Skipped {
        /// What it was, as text.
        path: String,
        /// Why it was passed over.
        why: String,
        /// Whether only its name stands against it.
        nameless: bool,
    },
    /// An action was decided on.
    Planned {
        /// What is to be done.
        deed: Deed,
        /// Bytes it will carry, if any.
        bytes: u64,
    },
    /// The plan is complete; the totals no longer grow.
    PlanEnded,
    /// A match that rests on its size alone.
    Unproven {
        /// The object.
        key: Key,
    },
    /// Work on an object begins.
    Started {
        /// Which destination, from 1.
        place: usize,
        /// The object.
        key: Key,
        /// What is being done.
        deed: Deed,
        /// Bytes to carry.
        bytes: u64,
    },
    /// Bytes of an object have passed.
    Bytes {
        /// Which destination, from 1.
        place: usize,
        /// The object.
        key: Key,
        /// How many.
        bytes: u64,
    },
    /// An object is done and checked.
    Finished {
        /// Which destination, from 1.
        place: usize,
        /// The object.
        key: Key,
        /// What was done.
        deed: Deed,
        /// Its size in bytes.
        bytes: u64,
        /// What nobody keeps any more by it: at the source for [`Deed::DeleteSource`], else at the destination.
        #[serde(skip_serializing_if = "Option::is_none")]
        gone: Option<Departed>,
    },
    /// An object could not be done.
    Failed {
        /// Which destination, from 1.
        place: usize,
        /// The object.
        key: Key,
        /// What was tried.
        deed: Deed,
        /// The kind of failure.
        kind: ErrorKind,
        /// The whole error, for people.
        message: String,
    },
    /// An object is read for its digests; nothing of it is carried anywhere.
    Reading {
        /// The object.
        key: Key,
        /// Its bytes.
        bytes: u64,
    },
    /// An object was read, and its digests are known.
    Read {
        /// The object.
        key: Key,
        /// Its bytes.
        bytes: u64,
    },
    /// An object's digests could not be learnt.
    Unread {
        /// The object.
        key: Key,
        /// The kind of failure.
        kind: ErrorKind,
        /// The whole error, for people.
        message: String,
    },
    /// A store has answered nothing for a while; it is asked again.
    Waiting {
        /// What came instead of an answer, for people.
        message: String,
    },
    /// An upload went on from parts that an earlier run had left.
    Resumed {
        /// The object.
        key: Key,
        /// Bytes that did not have to be sent again.
        bytes: u64,
    },
    /// The listing of one of several destinations broke off: nothing more is done there, and nothing deleted.
    Lost {
        /// Which destination, from 1.
        place: usize,
        /// The kind of failure.
        kind: ErrorKind,
        /// The whole error, for people.
        message: String,
    },
    /// One of several destinations tells what it holds more slowly than the others: it is made after them.
    LeftBehind {
        /// Which destination, from 1.
        place: usize,
        /// Its name.
        store: String,
    },
    /// Objects of later groups were not begun: something before them failed, or the run was stopped.
    GroupsHeld {
        /// Which destination, from 1.
        place: usize,
        /// How many.
        objects: u64,
    },
    /// The source was republished while it was listed; what names other objects is left out of the plan.
    Republished,
    /// Deletes were planned and are not carried out.
    DeletesBlocked {
        /// Which destination, from 1.
        place: usize,
        /// How many.
        objects: u64,
        /// Why.
        why: String,
    },
}

impl Event {
    /// [`Event::Failed`] from an error.
    #[must_use]
    pub fn failed(place: usize, key: &Key, deed: Deed, error: &Error) -> Self {
        Self::Failed { place, key: key.clone(), deed, kind: error.kind(), message: error.to_string() }
    }
}

/// An object that is kept no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Departed {
    /// Its bytes; 0 where they were not known.
    pub size: u64,
    /// When its store had taken it, where that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Timestamp>,
}

impl From<&Entry> for Departed {
    fn from(entry: &Entry) -> Self {
        Self { size: entry.size.unwrap_or(0), stored: entry.stored }
    }
}

/// What is done to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Its bytes are carried through us.
    Transfer,
    /// It is copied inside the endpoint.
    Copy,
    /// Its time is set; the bytes are the same.
    Touch,
    /// It is moved aside at the destination.
    Backup,
    /// It is deleted at the destination.
    Delete,
    /// It is deleted at the source, after it arrived.
    DeleteSource,
}

impl Deed {
    /// The word people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Copy => "copy",
            Self::Touch => "touch",
            Self::Backup => "back up",
            Self::Delete => "delete",
            Self::DeleteSource => "delete source",
        }
    }
}

/// Whoever wants to know. Called from many threads; must not block.
pub trait Observer: Send + Sync {
    /// `event` has just happened.
    fn on(&self, event: &Event);
}

/// A shared observer.
pub type Observers = Arc<dyn Observer>;

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&self, _event: &Event) {}
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn on(&self, event: &Event) {
        self(event);
    }
}
