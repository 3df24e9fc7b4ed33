//! How large a manifest becomes, before there is a snapshot.

use sha2::{Digest as _, Sha256};
use sterna_backends::{Entry, Result, Timestamp};

use super::{
    Content, Header, Line, Seen,
    manifest::{Draft, VERSION},
};

/// A manifest that is written and thrown away. A content that the listing does not tell the SHA-256 of has that of its key:
/// one that shrinks as little as any other.
pub struct ManifestSize(Draft);

impl ManifestSize {
    /// Of the place people write as `source`.
    ///
    /// # Errors
    /// What the disk for temporary files says.
    pub fn of(source: &str) -> Result<Self> {
        let source = source.to_owned();
        let (name, whereabouts) = (None, None);
        Draft::new(&Header { sterna_snapshot: VERSION, time: Timestamp::now(), name, source, whereabouts }).map(Self)
    }

    /// The next object of the listing.
    ///
    /// # Errors
    /// What the disk says.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        let of_key = || Sha256::digest(entry.key.as_str()).into();
        self.0.push(&Line {
            path: entry.key.clone(),
            size: entry.size.unwrap_or(0),
            modified: entry.modified,
            sha256: Content(entry.digests.sha256().unwrap_or_else(of_key)),
            chunks: Vec::new(),
            metadata: entry.metadata.clone().filter(|metadata| **metadata != Default::default()),
            seen: Seen::of(entry),
        })
    }

    /// Its bytes.
    ///
    /// # Errors
    /// What the disk says.
    pub fn end(self) -> Result<u64> {
        self.0.finish().map(|written| written.len)
    }
}
