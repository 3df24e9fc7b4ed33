//! The lines of a manifest.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use sterna_backends::{Algorithm, Digest, Entry, Key, Metadata, Timestamp, Version};

use crate::archive::layout::Shape;

/// The version of the form that is written; others are refused.
pub(in crate::archive) const VERSION: u32 = 1;

/// A content, by its SHA-256; as text 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Content(pub [u8; 32]);

/// A text that is not 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is written as 64 hexadecimal digits in lower case")]
pub struct InvalidContent;

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Digest::Sha256(self.0).hex())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Content {
    type Err = InvalidContent;

    fn from_str(text: &str) -> Result<Self, InvalidContent> {
        match Digest::from_hex(Algorithm::Sha256, text) {
            Some(Digest::Sha256(bytes)) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err(InvalidContent),
        }
    }
}

impl TryFrom<String> for Content {
    type Error = InvalidContent;

    fn try_from(text: String) -> Result<Self, InvalidContent> {
        text.parse()
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.to_string()
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the form: 1.
    pub sterna_snapshot: u32,
    /// When the snapshot was begun.
    pub time: Timestamp,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The place it was made of, as people wrote it.
    pub source: String,
    /// Where that lies, the same under every name; what a later snapshot of the same place knows it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whereabouts: Option<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its key, below the place.
    pub path: Key,
    /// Bytes.
    pub size: u64,
    /// When its content was last changed, where the place told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Its content.
    pub sha256: Content,
    /// The pieces that make the content, each with its bytes; none where it lies as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<(Content, u64)>,
    /// What travels beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Arc<Metadata>>,
    /// What the listing told of it; `None` where that may not change when the object does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// What a listing told of a version of an object, beside its size: what another snapshot knows it by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<u64>,
}

impl Seen {
    /// Of an entry of a listing; `None` where nothing that it tells would change with the object.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        let etag = entry.etag.clone().filter(|tag| !tag.starts_with("W/"));
        let tells = entry.modified.is_some() || etag.is_some() || entry.version.is_some() || entry.stamp.is_some();
        tells.then(|| Self {
            modified: entry.modified,
            stored: entry.stored,
            etag,
            version: entry.version.clone(),
            stamp: entry.stamp,
        })
    }
}

impl Line {
    /// Whether `entry` of a listing of the same place is the very version that this line is of.
    #[must_use]
    pub fn is(&self, entry: &Entry) -> bool {
        entry.size == Some(self.size) && self.seen.is_some() && self.seen == Seen::of(entry)
    }

    /// What must lie in the archive for it, in order.
    pub(in crate::archive) fn contents(&self) -> impl Iterator<Item = (Shape, Content)> {
        let whole = self.chunks.is_empty().then_some((Shape::Whole, self.sha256));
        whole.into_iter().chain(self.chunks.iter().map(|(content, _)| (Shape::Piece, *content)))
    }

    /// The bytes of each of [`Line::contents`].
    pub(in crate::archive) fn sizes(&self) -> impl Iterator<Item = u64> {
        let whole = self.chunks.is_empty().then_some(self.size);
        whole.into_iter().chain(self.chunks.iter().map(|(_, size)| *size))
    }

    /// The line as an object of a store.
    #[must_use]
    pub fn entry(&self) -> Entry {
        Entry {
            modified: self.modified,
            digests: [Digest::Sha256(self.sha256.0)].into_iter().collect(),
            metadata: Some(self.metadata.clone().unwrap_or_default()),
            ..Entry::object(self.path.clone(), self.size)
        }
    }
}

/// The last line: that all lines are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::archive) struct Trailer {
    /// Lines of objects.
    pub objects: u64,
    /// Their sizes together.
    pub bytes: u64,
}
