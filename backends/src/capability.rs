//! What a store promises, as data: the engine asks here instead of asking which family it is.

use std::time::Duration;

use serde::Serialize;

use crate::{
    entry::{Algorithm, Key},
    words::bytes,
};

/// What a store can do and how. Found when the store is opened; `sterna doctor` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Capabilities {
    /// Which keys it holds unchanged.
    pub keys: KeyRules,
    /// In which order a listing arrives.
    pub order: Order,
    /// Precision of a content's own modification time; `None` where it keeps none.
    pub modified: Option<Duration>,
    /// Whether it is only assumed that the times it tells are the contents' own: they may be those at which it took the
    /// objects. Equal times are evidence all the same, others are none.
    pub modified_assumed: bool,
    /// Whether a listing tells that time; if not, it takes a [`stat`](crate::Store::stat).
    pub modified_in_list: bool,
    /// Digests a listing may tell.
    pub digests_in_list: Vec<Algorithm>,
    /// Digests [`stat`](crate::Store::stat) may tell beyond those of the listing.
    pub digests_in_stat: Vec<Algorithm>,
    /// Whether reading costs no request and no money: small files there may be read to compare them.
    pub cheap_read: bool,
    /// The largest object one [`put`](crate::Store::put) takes, in bytes.
    pub max_put: u64,
    /// Uploads in parts; `None` where there are none.
    pub multipart: Option<MultipartAbility>,
    /// Copies inside the endpoint; `None` where there are none.
    pub copy: Option<CopyAbility>,
    /// Whether `If-None-Match: *` and `If-Match` on writing are kept, as probed or known.
    pub conditional_put: bool,
    /// What deleting does to old versions.
    pub delete: DeleteMeaning,
    /// Keys one [`delete`](crate::Store::delete) call sends in one request, at least 1.
    pub delete_batch: usize,
    /// Whether old versions can be listed and read.
    pub versions: bool,
    /// What old versions cost; `None` where there are none, or nobody says.
    pub old_versions: Option<OldVersions>,
    /// What of [`Metadata`](crate::Metadata) it keeps.
    pub metadata: MetadataAbility,
    /// Whether it refuses every change.
    pub read_only: bool,
    /// Whether directories exist by themselves.
    pub directories: bool,
    /// Objects in flight that suit it, where the user names no number.
    pub transfers: usize,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By the UTF-8 bytes of the whole key. It is still checked, key by key.
    Bytes,
    /// Not known, or known to be another one: whoever needs order sorts.
    Unknown,
}

/// Which keys a store holds unchanged.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct KeyRules {
    /// Longest key in bytes.
    pub max_bytes: usize,
    /// Longest segment between slashes, in bytes.
    pub max_segment: usize,
    /// Whether `a//b`, `/a` and `a/` are keys of their own.
    pub empty_segments: bool,
    /// Whether `.` and `..` may stand as segments.
    pub dot_segments: bool,
    /// Whether codes below 32 and 127 may stand in a key.
    pub control: bool,
    /// Whether `\` may stand in a key.
    pub backslash: bool,
    /// Whether a key may begin with white space.
    pub leading_space: bool,
    /// Whether a key may end with white space.
    pub trailing_space: bool,
    /// Whether `a` may lie beside `a/b`.
    pub file_beside_directory: bool,
    /// Whether keys that differ in case only are the same object.
    pub folds_case: bool,
}

impl KeyRules {
    /// Every legal key, as in S3.
    pub const ANY: Self = Self {
        max_bytes: Key::MAX_BYTES,
        max_segment: Key::MAX_BYTES,
        empty_segments: true,
        dot_segments: true,
        control: true,
        backslash: true,
        leading_space: true,
        trailing_space: true,
        file_beside_directory: true,
        folds_case: false,
    };

    /// What a path of files can be, on nearly every disk.
    pub const PATHS: Self = Self {
        max_segment: 255,
        empty_segments: false,
        dot_segments: false,
        file_beside_directory: false,
        ..Self::ANY
    };

    /// Why this store cannot hold `key`; `None` where it can.
    #[must_use]
    pub fn refuse(&self, key: &str) -> Option<&'static str> {
        if key.len() > self.max_bytes {
            return Some("the key is too long");
        }
        if !self.control && key.bytes().any(|byte| byte < 32 || byte == 127) {
            return Some("the key has a control character");
        }
        if !self.backslash && key.contains('\\') {
            return Some("the key has a '\\'");
        }
        if !self.leading_space && key.trim_start() != key {
            return Some("the key begins with white space");
        }
        if !self.trailing_space && key.trim_end() != key {
            return Some("the key ends with white space");
        }
        for segment in key.split('/') {
            if !self.empty_segments && segment.is_empty() {
                return Some("the key has an empty segment (a leading, trailing or doubled '/')");
            }
            if !self.dot_segments && matches!(segment, "." | "..") {
                return Some("the key has a segment '.' or '..'");
            }
            if segment.len() > self.max_segment {
                return Some("a segment of the key is too long");
            }
        }
        None
    }
}

/// Uploads in parts.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MultipartAbility {
    /// Smallest part but the last, in bytes.
    pub min_part: u64,
    /// Largest part, in bytes.
    pub max_part: u64,
    /// Fewest parts of an object.
    pub min_parts: u32,
    /// Most parts, numbered from 1.
    pub max_parts: u32,
    /// The size of part that suits the store, in bytes; `None`: it does not care.
    pub part: Option<u64>,
    /// The size from which an upload in parts pays, in bytes.
    pub threshold: u64,
    /// Whether parts survive the process that sent them.
    pub resumable: bool,
    /// Whether [`Store::begun`](crate::Store::begun) finds the open uploads of one key, in one call.
    pub tells_begun: bool,
    /// The digest of a part that the store tells and that a later run can check against the source.
    pub part_digest: Option<Algorithm>,
    /// The digest of a part that the store verifies if it is told before the bytes; `None`: it is none the wiser.
    pub part_checksum: Option<Algorithm>,
}

/// Copies that carry no byte through us.
#[derive(Clone, Debug, Serialize)]
pub struct CopyAbility {
    /// Stores of the same domain copy from one another: endpoint and account, or "local".
    pub domain: String,
    /// The largest object one copy call takes, in bytes; above it parts are copied.
    pub max_copy: u64,
    /// Whether [`copy_part`](crate::Store::copy_part) works.
    pub parts: bool,
}

/// What becomes of the old versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteMeaning {
    /// Gone, and no longer paid for.
    Removes,
    /// Hidden behind a marker; old versions stay and are paid for.
    Hides,
}

/// What old versions cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OldVersions {
    /// Whether overwriting leaves the old version behind, stored and paid for like any object until it is deleted.
    pub overwritten_stay: bool,
    /// Bytes a delete marker is paid for; `None`: not known.
    pub marker_bytes: Option<u64>,
}

/// Targets handed to one delete call where a request takes fewer.
const DELETED_TOGETHER: usize = 100;

impl Capabilities {
    /// What every store does at least: a family says what it does beyond that.
    pub const LEAST: Self = Self {
        keys: KeyRules::ANY,
        order: Order::Unknown,
        modified: None,
        modified_assumed: false,
        modified_in_list: false,
        digests_in_list: Vec::new(),
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: u64::MAX,
        multipart: None,
        copy: None,
        conditional_put: false,
        delete: DeleteMeaning::Removes,
        delete_batch: 1,
        versions: false,
        old_versions: None,
        metadata: MetadataAbility::NONE,
        read_only: false,
        directories: false,
        transfers: 8,
    };

    /// Whether a digest of that kind is recorded beside the bytes and told again.
    #[must_use]
    pub fn records(&self, algorithm: Algorithm) -> bool {
        self.digests_in_list.contains(&algorithm) || self.digests_in_stat.contains(&algorithm)
    }

    /// What it can do in words, a row each: what, and how.
    #[must_use]
    pub fn words(&self) -> [(&'static str, String); 11] {
        let yes = |holds: bool| if holds { "yes" } else { "no" };
        let names = |algorithms: &[Algorithm]| {
            let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let most = |size: u64| if size == u64::MAX { "any size".to_owned() } else { bytes(size) };
        let modified = self.modified.map_or_else(|| "not kept".to_owned(), |precision| format!("to {precision:?}"));
        let parts = self.multipart.map_or_else(
            || "no".to_owned(),
            |parts| match parts.max_part {
                u64::MAX => format!("{} parts at most, of any size from {} on", parts.max_parts, bytes(parts.min_part)),
                most => format!("{} parts at most, of {} to {}", parts.max_parts, bytes(parts.min_part), bytes(most)),
            },
        );
        let copy = self.copy.as_ref().map_or_else(
            || "no".to_owned(),
            |copy| match copy.max_copy {
                u64::MAX => "of any size".to_owned(),
                most => format!("up to {}{}", bytes(most), if copy.parts { ", above in parts" } else { "" }),
            },
        );
        [
            ("order of listings", format!("{:?}", self.order).to_lowercase()),
            ("modification time", modified),
            ("digests in listings", names(&self.digests_in_list)),
            ("digests beyond those", names(&self.digests_in_stat)),
            ("largest single put", most(self.max_put)),
            ("uploads in parts", parts),
            ("copies inside", copy),
            ("conditional writes", yes(self.conditional_put).to_owned()),
            ("deleting", format!("{:?}, {} a request", self.delete, self.delete_batch).to_lowercase()),
            ("old versions", self.old_versions_in_words()),
            ("read only", yes(self.read_only).to_owned()),
        ]
    }

    /// What is kept, and what that costs.
    fn old_versions_in_words(&self) -> String {
        let mut told = if self.versions { "yes".to_owned() } else { "no".to_owned() };
        if let Some(cost) = self.old_versions {
            if cost.overwritten_stay {
                told.push_str(", stored and paid for until they are deleted");
            }
            if let Some(marker) = cost.marker_bytes {
                told.push_str(&format!("; a delete marker bills {}", bytes(marker)));
            }
        }
        told
    }

    /// Targets that are best handed to one [`delete`](crate::Store::delete): those of one request, or enough to keep
    /// several requests under way.
    #[must_use]
    pub fn deleted_together(&self) -> usize {
        self.delete_batch.max(DELETED_TOGETHER)
    }
}

impl MultipartAbility {
    /// The smallest object that can be cut into as many parts as the store wants, in bytes.
    #[must_use]
    pub fn smallest(&self) -> u64 {
        u64::from(self.min_parts.saturating_sub(1)).saturating_mul(self.min_part).saturating_add(1)
    }
}

/// What of [`Metadata`](crate::Metadata) a store keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MetadataAbility {
    /// `Content-Type`.
    pub content_type: bool,
    /// `Cache-Control`, `Content-Disposition`, `Content-Encoding`, `Content-Language`.
    pub headers: bool,
    /// The user's own pairs.
    pub user: bool,
    /// Storage classes.
    pub storage_class: bool,
    /// Tags.
    pub tags: bool,
}

impl MetadataAbility {
    /// Nothing of it.
    pub const NONE: Self = Self { content_type: false, headers: false, user: false, storage_class: false, tags: false };
}
