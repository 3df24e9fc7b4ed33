//! How a memory store behaves: its capabilities, and what capabilities do not say.

use std::time::Duration;

use crate::{
    capability::{Capabilities, CopyAbility, DeleteMeaning, KeyRules, MetadataAbility, MultipartAbility, Order},
    entry::Algorithm,
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// What a [`Memory`](super::Memory) does. Start from one of the presets and change fields.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Kept to the letter: keys outside the rules are refused, digests are told only where they stand here, and
    /// so on. The one thing that is not refused is a condition on writing where `conditional_put` is off: it is
    /// ignored, as such servers do.
    pub capabilities: Capabilities,
    /// In which order listings really arrive, whatever the capabilities say.
    pub listed: Listed,
    /// Entries in one page of a listing, at least 1.
    pub page: usize,
    /// Whether each page begins with the last entry of the one before it, as some servers do. This breaks the
    /// promise that a listing tells each object once.
    pub overlapping_pages: bool,
    /// Digests it computes of what it takes. Others are told only if they were sent along.
    pub computes: Vec<Algorithm>,
    /// Whether it has `ETag`s: the MD5, or the MD5 of the parts' MD5s.
    pub etags: bool,
    /// Bytes in one chunk of a body that is read; `None`: all of it in memory, at once.
    pub read_chunk: Option<usize>,
}

/// The order in which a listing arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// By the bytes of the whole key.
    Bytes,
    /// As a tree is walked: all below `a/` before `a!`.
    Tree,
    /// In an order that this seed makes.
    Shuffled(u64),
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::strict()
    }
}

impl Behaviour {
    /// Everything the contract knows: every key, byte order, MD5 and SHA-256 in listings, times to the
    /// nanosecond, uploads in parts of at least 64 KiB, copies of at most 5 GiB, conditions kept.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            capabilities: Capabilities {
                keys: KeyRules::ANY,
                order: Order::Bytes,
                modified: Some(Duration::from_nanos(1)),
                modified_assumed: false,
                modified_in_list: true,
                digests_in_list: vec![Algorithm::Md5, Algorithm::Sha256, Algorithm::Parts],
                digests_in_stat: Vec::new(),
                cheap_read: false,
                max_put: 5 * GIB,
                multipart: Some(MultipartAbility {
                    min_part: 64 * KIB,
                    max_part: 5 * GIB,
                    min_parts: 1,
                    max_parts: 10_000,
                    part: None,
                    threshold: 8 * MIB,
                    resumable: true,
                    tells_begun: true,
                    part_digest: Some(Algorithm::Md5),
                    part_checksum: None,
                }),
                copy: Some(CopyAbility { domain: "memory".to_owned(), max_copy: 5 * GIB, parts: true }),
                conditional_put: true,
                delete: DeleteMeaning::Removes,
                delete_batch: 1000,
                versions: false,
                old_versions: None,
                metadata: MetadataAbility {
                    content_type: true,
                    headers: true,
                    user: true,
                    storage_class: true,
                    tags: true,
                },
                read_only: false,
                directories: false,
                transfers: 16,
            },
            listed: Listed::Bytes,
            page: 1000,
            overlapping_pages: false,
            computes: vec![Algorithm::Md5, Algorithm::Sha256],
            etags: true,
            read_chunk: None,
        }
    }

    /// As S3: a listing tells the MD5 of what came in one piece, the time and a SHA-256 that was sent along
    /// come with a stat only.
    #[must_use]
    pub fn s3() -> Self {
        let mut s3 = Self::strict();
        s3.computes = vec![Algorithm::Md5];
        s3.read_chunk = Some(64 * 1024);
        s3.capabilities.modified_in_list = false;
        s3.capabilities.digests_in_list = vec![Algorithm::Md5, Algorithm::Parts];
        s3.capabilities.digests_in_stat = vec![Algorithm::Sha256];
        s3
    }

    /// As S3 with versioning switched on.
    #[must_use]
    pub fn versioned() -> Self {
        let mut versioned = Self::s3();
        versioned.capabilities.versions = true;
        versioned.capabilities.delete = DeleteMeaning::Hides;
        versioned
    }

    /// As a directory: listed as a tree, no digests, no `ETag`s, keys that are paths, directories that stay when they are
    /// empty, reading costs nothing.
    #[must_use]
    pub fn directory() -> Self {
        let mut local = Self::strict();
        local.listed = Listed::Tree;
        local.computes = Vec::new();
        local.etags = false;
        local.capabilities.keys = KeyRules {
            max_segment: 255,
            empty_segments: false,
            dot_segments: false,
            file_beside_directory: false,
            ..KeyRules::ANY
        };
        local.capabilities.order = Order::Unknown;
        local.capabilities.digests_in_list = Vec::new();
        local.capabilities.cheap_read = true;
        local.capabilities.multipart = None;
        local.capabilities.conditional_put = false;
        local.capabilities.metadata = MetadataAbility::default();
        local.capabilities.directories = true;
        local
    }

    /// The least a store can be: sizes and nothing else; no times, digests, parts, copies, conditions, metadata;
    /// any order.
    #[must_use]
    pub fn bare() -> Self {
        let mut bare = Self::strict();
        bare.listed = Listed::Shuffled(7);
        bare.computes = Vec::new();
        bare.etags = false;
        bare.capabilities.order = Order::Unknown;
        bare.capabilities.modified = None;
        bare.capabilities.modified_in_list = false;
        bare.capabilities.digests_in_list = Vec::new();
        bare.capabilities.multipart = None;
        bare.capabilities.copy = None;
        bare.capabilities.conditional_put = false;
        bare.capabilities.delete_batch = 1;
        bare.capabilities.metadata = MetadataAbility::default();
        bare
    }

    /// The same with `page` entries in a page.
    #[must_use]
    pub fn paged(mut self, page: usize) -> Self {
        self.page = page.max(1);
        self
    }
}
