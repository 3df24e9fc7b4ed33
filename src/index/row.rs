//! One row: which version of which object, and what is known of its content.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sterna_backends::{Algorithm, Digest, Digests, Entry, Timestamp};

/// The digests that are remembered, in the order of the columns.
pub(super) const REMEMBERED: [Algorithm; 4] = [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5, Algorithm::Parts];

/// An exact version of an object, in a few bytes.
pub(super) type Mark = [u8; 16];

/// The mark of `entry`, the same whether it was listed, looked at or just stored; `None` where it tells nothing that a
/// change would change. With `timed` a time will do.
///
/// Of everything an entry may tell, the first of these that it has: stamp, strong tag, version, time. Only one of them
/// is taken, because the calls do not all tell the same.
pub(super) fn mark(entry: &Entry, timed: bool) -> Option<Mark> {
    let mut hasher = Sha256::new();
    hasher.update(entry.size?.to_be_bytes());
    let strong = entry.etag.as_deref().filter(|tag| !tag.starts_with("W/"));
    match (entry.stamp, strong, &entry.version, entry.modified) {
        (Some(stamp), ..) => {
            hasher.update(b"stamp");
            hasher.update(stamp.to_be_bytes());
        }
        (None, Some(tag), ..) => {
            hasher.update(b"tag");
            hasher.update(tag.as_bytes());
        }
        (None, None, Some(version), _) => {
            hasher.update(b"version");
            hasher.update(version.as_bytes());
        }
        (None, None, None, Some(time)) if timed => {
            hasher.update(b"time");
            hasher.update(time.as_nanos().to_be_bytes());
        }
        _ => return None,
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(&hasher.finalize()[..16]);
    Some(mark)
}

/// Whether `entry` was changed so recently that another change may tell the same;
/// see [`Whereabouts::settles`](sterna_backends::Whereabouts).
pub(super) fn is_young(entry: &Entry, settles: Duration, now: Timestamp) -> bool {
    let settles = i64::try_from(settles.as_nanos()).unwrap_or(i64::MAX);
    let time = entry.modified.or(entry.stored);
    settles > 0 && time.is_some_and(|time| time.as_nanos() > now.as_nanos().saturating_sub(settles))
}

/// What a content may be looked up by, beside its size: the first eight bytes of each of its digests.
pub(super) fn handles(digests: &Digests) -> Vec<Vec<u8>> {
    let kinds = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256];
    kinds.into_iter().filter_map(|kind| Some(to_column(digests, kind)?[..8].to_vec())).collect()
}

/// A row to be written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// The place's number.
    pub place: i64,
    /// The key inside the container.
    pub key: String,
    pub size: u64,
    pub mark: Mark,
    pub digests: Digests,
    /// For exports: no entry learns it, or a plan would depend on what earlier runs saw.
    pub modified: Option<Timestamp>,
    /// Seconds since 1970.
    pub written: i64,
}

/// A row that was found.
#[derive(Clone, Debug)]
pub struct Row {
    /// The container.
    pub place: String,
    /// The key inside the container.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Of the content.
    pub digests: Digests,
    /// The content's own time.
    pub modified: Option<Timestamp>,
    pub(super) mark: Mark,
    pub(super) written: i64,
    /// The container's number.
    pub(super) number: i64,
}

/// A digest as a column holds it.
pub(super) fn to_column(digests: &Digests, kind: Algorithm) -> Option<Vec<u8>> {
    Some(match digests.get(kind)? {
        Digest::Md5(bytes) => bytes.to_vec(),
        Digest::Sha1(bytes) => bytes.to_vec(),
        Digest::Sha256(bytes) => bytes.to_vec(),
        Digest::Parts { md5, parts } => [&md5[..], &parts.to_be_bytes()].concat(),
        Digest::Crc32c(_) | Digest::Crc64Nvme(_) => return None,
    })
}

/// What [`to_column`] wrote; `None` for anything else.
pub(super) fn from_column(kind: Algorithm, bytes: &[u8]) -> Option<Digest> {
    Some(match kind {
        Algorithm::Md5 => Digest::Md5(bytes.try_into().ok()?),
        Algorithm::Sha1 => Digest::Sha1(bytes.try_into().ok()?),
        Algorithm::Sha256 => Digest::Sha256(bytes.try_into().ok()?),
        Algorithm::Parts => {
            let (md5, parts) = bytes.split_first_chunk::<16>()?;
            Digest::Parts { md5: *md5, parts: u32::from_be_bytes(parts.try_into().ok()?) }
        }
        Algorithm::Crc32c | Algorithm::Crc64Nvme => return None,
    })
}
