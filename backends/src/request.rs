//! What goes over the wire, by the names that price lists know.
//!
//! A call of the contract is one request, or several, or none. What was really sent is counted where a family sends it, in
//! its [`Ledger`]; what a call would send [`Store::requests`](crate::Store::requests) tells beforehand, and is pure. The
//! names are S3's own, in snake case (`put_object`, `list_objects`), for whatever does the same elsewhere, and a family's own
//! (`b2_get_upload_url`, `webdav_move`) where S3 knows no such request.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    entry::Key,
    error::Operation,
    store::{CopySource, Deleted},
};

/// Requests by name; none of them with a count of 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Requests(BTreeMap<Cow<'static, str>, u64>);

impl Requests {
    /// One request of that name.
    #[must_use]
    pub fn one(name: &'static str) -> Self {
        Self::default().and(name, 1)
    }

    /// The same, and `count` of that name.
    #[must_use]
    pub fn and(mut self, name: &'static str, count: u64) -> Self {
        self.add(name, count);
        self
    }

    /// Adds `count` of that name.
    pub fn add(&mut self, name: impl Into<Cow<'static, str>>, count: u64) {
        if count > 0 {
            *self.0.entry(name.into()).or_default() += count;
        }
    }

    /// Adds all of `other`, `times` over.
    pub fn extend(&mut self, other: &Self, times: u64) {
        for (name, count) in &other.0 {
            self.add(name.clone(), count * times);
        }
    }

    /// What of these is not in `other`.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (name, count) in &self.0 {
            rest.add(name.clone(), count.saturating_sub(other.of(name)));
        }
        rest
    }

    /// How many there are of that name.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Name and count, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (&**name, *count))
    }
}

impl<N: Into<Cow<'static, str>>> FromIterator<(N, u64)> for Requests {
    fn from_iter<I: IntoIterator<Item = (N, u64)>>(pairs: I) -> Self {
        let mut requests = Self::default();
        pairs.into_iter().for_each(|(name, count)| requests.add(name, count));
        requests
    }
}

/// What passes between us and one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spend {
    /// Requests by name.
    pub requests: Requests,
    /// Bytes of contents read from the place.
    pub bytes_in: u64,
    /// Bytes of contents sent to the place.
    pub bytes_out: u64,
}

impl Spend {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.requests.extend(&other.requests, 1);
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

/// The requests that a store has sent, each counted when it is sent and whatever came of it: a refusal is billed like an
/// answer.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<(bool, &'static str), u64>>);

impl Ledger {
    /// A request is on its way, for that call of the contract.
    pub fn count(&self, operation: Operation, name: &'static str) {
        *self.rows().entry((operation == Operation::List, name)).or_default() += 1;
    }

    /// All that were sent.
    #[must_use]
    pub fn all(&self) -> Requests {
        self.rows().iter().map(|((_, name), count)| (*name, *count)).collect()
    }

    /// Those that were sent to list.
    #[must_use]
    pub fn listing(&self) -> Requests {
        self.rows().iter().filter(|((listing, _), _)| *listing).map(|((_, name), count)| (*name, *count)).collect()
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<(bool, &'static str), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of the contract, as far as its requests depend on it.
#[derive(Clone, Copy, Debug)]
pub enum Called<'a> {
    /// [`Store::stat`](crate::Store::stat).
    Stat,
    /// [`Store::tags`](crate::Store::tags).
    Tags,
    /// [`Store::read`](crate::Store::read).
    Read,
    /// [`Store::put`](crate::Store::put).
    Put {
        /// The key that will appear.
        key: &'a Key,
        /// Whether something lies there.
        replaces: bool,
        /// Which put of the run it is.
        turn: Turn,
    },
    /// [`Store::begin`](crate::Store::begin).
    Begin,
    /// [`Store::put_part`](crate::Store::put_part).
    PutPart {
        /// Which part of its upload it is.
        turn: Turn,
    },
    /// [`Store::copy_part`](crate::Store::copy_part).
    CopyPart(&'a CopySource),
    /// [`Store::complete`](crate::Store::complete).
    Complete,
    /// [`Store::begun`](crate::Store::begun).
    Begun,
    /// [`Store::copy`](crate::Store::copy).
    Copy {
        /// What is copied.
        source: &'a CopySource,
        /// The key that will appear.
        key: &'a Key,
        /// Whether something lies there.
        replaces: bool,
        /// Whether the request brings metadata of its own.
        replaces_metadata: bool,
        /// Whether the request names a time.
        dated: bool,
    },
    /// [`Store::delete`](crate::Store::delete).
    Delete(&'a [Deleted]),
    /// [`Store::set_metadata`](crate::Store::set_metadata).
    SetMetadata,
}

/// Which of several alike calls one is: some requests are made once for each that are under way together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// From 0.
    pub nth: u64,
    /// The most that may be under way together.
    pub at_once: u64,
}

impl Turn {
    /// Whether it may find all others still under way.
    #[must_use]
    pub const fn may_be_fresh(self) -> bool {
        self.nth < self.at_once
    }
}

impl Called<'_> {
    /// The requests of a store that makes one for each call, and for each key that is deleted.
    #[must_use]
    pub fn plainly(&self) -> Requests {
        match self {
            Self::Delete(targets) => Requests::default().and("delete_object", targets.len() as u64),
            Self::SetMetadata => Requests::one("copy_object"),
            Self::Tags => Requests::one("get_object_tagging"),
            Self::Stat => Requests::one("head_object"),
            Self::Read => Requests::one("get_object"),
            Self::Put { .. } => Requests::one("put_object"),
            Self::Begin => Requests::one("create_multipart"),
            Self::PutPart { .. } => Requests::one("upload_part"),
            Self::CopyPart(_) => Requests::one("upload_part_copy"),
            Self::Complete => Requests::one("complete_multipart"),
            Self::Begun => Requests::one("list_multipart"),
            Self::Copy { .. } => Requests::one("copy_object"),
        }
    }
}

/// The request an operation is, for a store that does not count what it sends.
pub(crate) const fn plain_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Open => "head_bucket",
        Operation::List => "list_objects",
        Operation::Stat => "head_object",
        Operation::Read => "get_object",
        Operation::Put => "put_object",
        Operation::Begin => "create_multipart",
        Operation::PutPart => "upload_part",
        Operation::CopyPart => "upload_part_copy",
        Operation::Complete => "complete_multipart",
        Operation::Abort => "abort_multipart",
        Operation::ListParts => "list_parts",
        Operation::Copy | Operation::SetMetadata => "copy_object",
        Operation::Delete => "delete_object",
        Operation::MakeDirectory => "put_bucket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_counted_apart() {
        let ledger = Ledger::default();
        ledger.count(Operation::List, "list_objects");
        ledger.count(Operation::Delete, "list_objects");
        ledger.count(Operation::Put, "put_object");
        assert_eq!(ledger.all(), Requests::one("put_object").and("list_objects", 2));
        assert_eq!(ledger.listing(), Requests::one("list_objects"));
        assert_eq!(ledger.all().beyond(&ledger.listing()).total(), 2);
    }

    #[test]
    fn requests_are_read_back() {
        let requests = Requests::one("get_object").and("list_objects", 3).and("never", 0);
        let text = serde_json::to_string(&requests).unwrap();
        assert_eq!(text, r#"{"get_object":1,"list_objects":3}"#);
        assert_eq!(serde_json::from_str::<Requests>(&text).unwrap(), requests);
    }
}
