//! A bucket: everything the calls share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_sdk_s3::{Client, types::RequestPayer};
use http::HeaderMap;

use super::{headers, headers::Defaults, provider::Provider, settings::Checksum, wire::Wire};
use crate::{
    capability::Capabilities,
    entry::{Algorithm, Digest, Entry, Key, Timestamp},
    error::{Error, Operation, Result},
    request::Ledger,
    store::Whereabouts,
};

/// A bucket and how it is spoken to.
pub(super) struct Place {
    /// As people write it: `wasabi:bucket`.
    pub name: String,
    pub bucket: String,
    pub whereabouts: Whereabouts,
    pub provider: &'static Provider,
    pub wire: Wire,
    /// What was sent.
    pub ledger: Arc<Ledger>,
    pub sdk: Client,
    pub capabilities: Capabilities,
    pub defaults: Defaults,
    pub checksum: Checksum,
    pub unsigned_payload: bool,
    pub version_at: Option<Timestamp>,
    /// The region to create the bucket in.
    pub region: String,
    /// What the server showed while we worked.
    pub learned: Learned,
}

/// Facts that answers taught us.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// It refused `x-amz-checksum-…`.
    pub no_checksums: AtomicBool,
    /// It repeated a checksum it was sent, as servers do that have verified it.
    pub repeats_checksums: AtomicBool,
    /// The bucket answered once.
    pub bucket_seen: AtomicBool,
    /// It does not tell its open uploads, or not to us.
    pub no_upload_list: AtomicBool,
    /// It has no `DeleteObjects`.
    pub no_bulk_delete: AtomicBool,
    /// It encrypts in a way that makes `ETag`s opaque.
    pub opaque_etags: AtomicBool,
    /// Which odd keys it keeps.
    pub tried: super::fold::Tried,
}

impl Place {
    /// Whether a 32-digit `ETag` is an MD5, as far as we know.
    pub fn etag_is_md5(&self) -> bool {
        self.provider.etag_is_md5 && !self.learned.opaque_etags.load(Ordering::Relaxed)
    }

    /// Notes what the headers of an answer give away.
    pub fn learn(&self, headers: &HeaderMap) {
        if headers::is_etag_opaque(headers) {
            self.learned.opaque_etags.store(true, Ordering::Relaxed);
        }
    }

    /// An entry from an answer's headers.
    pub fn entry(&self, key: &Key, size: Option<u64>, headers: &HeaderMap) -> Entry {
        self.learn(headers);
        let entry = headers::entry(key, size, headers, self.etag_is_md5());
        Entry { version: self.version(headers::text(headers, "x-amz-version-id")), ..entry }
    }

    /// The MD5 an `ETag` is, where it is one.
    pub fn etag_md5(&self, etag: &str) -> Option<[u8; 16]> {
        match headers::etag_digest(etag) {
            Some(Digest::Md5(md5)) if self.etag_is_md5() => Some(md5),
            _ => None,
        }
    }

    /// The kind of checksum header a put carries; `None`: none.
    pub fn put_checksum(&self) -> Option<Algorithm> {
        use super::provider::Taken;
        match self.checksum {
            Checksum::Auto if self.provider.checksums == Taken::No => None,
            Checksum::Auto if self.learned.no_checksums.load(Ordering::Relaxed) => None,
            Checksum::Auto | Checksum::Sha256 => Some(Algorithm::Sha256),
            Checksum::Crc32c => Some(Algorithm::Crc32c),
            Checksum::Crc64Nvme => Some(Algorithm::Crc64Nvme),
            Checksum::Md5 => Some(Algorithm::Md5),
            Checksum::None => None,
        }
    }

    /// The kind of checksum header a part carries; `None`: at most the MD5, where it is known.
    pub fn part_checksum(&self) -> Option<Algorithm> {
        let refused = self.checksum == Checksum::Auto && self.learned.no_checksums.load(Ordering::Relaxed);
        self.checksum.of_parts(self.provider).filter(|_| !refused)
    }

    /// Whether the server verifies the checksums it is sent, so that nothing else need be compared with what was stored:
    /// the table says so of its kind, and an answer has shown it of this one.
    pub fn verifies(&self, operation: Operation) -> bool {
        let kind = match operation {
            Operation::PutPart => self.provider.part_checksum.is_some(),
            _ => self.provider.checksums == super::provider::Taken::Yes,
        };
        kind && self.learned.repeats_checksums.load(Ordering::Relaxed)
    }

    /// A version as an answer tells it. Garage names one of every object, and tells it of some calls only; without versions
    /// that can be read again it says nothing.
    pub fn version(&self, told: Option<&str>) -> Option<Arc<str>> {
        told.filter(|version| self.capabilities.versions && *version != "null").map(Arc::from)
    }

    /// Adds the store, and the key where there is one.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// Refuses what the server would change in silence.
    ///
    /// # Errors
    /// `Unsupported` for a key it cannot hold, and for every change where an old state is being read.
    pub fn accept(&self, operation: Operation, key: &Key) -> Result<()> {
        self.accept_change(operation)?;
        match self.capabilities.keys.refuse(key) {
            Some(why) => Err(self.name_error(Error::unsupported(operation, why), Some(key))),
            None => Ok(()),
        }
    }

    /// Refuses changes where an old state is being read.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn accept_change(&self, operation: Operation) -> Result<()> {
        if self.version_at.is_some() {
            let why = "version_at is set: the past cannot be changed";
            return Err(self.name_error(Error::unsupported(operation, why), None));
        }
        Ok(())
    }

    /// What the SDK's calls take for `requester_pays`.
    pub fn payer(&self) -> Option<RequestPayer> {
        self.wire.requester_pays.then_some(RequestPayer::Requester)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("name", &self.name).field("provider", &self.provider.name).finish_non_exhaustive()
    }
}

/// A shared bucket.
pub(super) type Shared = Arc<Place>;
