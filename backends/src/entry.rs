//! The words both sides of the contract share: keys, entries, digests, times, metadata.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The exact name of an object inside a store: UTF-8, 1 to [`Key::MAX_BYTES`] bytes, nothing folded.
///
/// Keys order by their UTF-8 bytes, as S3 lists them
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// The longest key in bytes; the limit of S3 and B2.
    pub const MAX_BYTES: usize = 1024;

    /// Takes `name` as it is.
    ///
    /// # Errors
    /// [`InvalidKey`] when it is empty or longer than [`Key::MAX_BYTES`].
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, InvalidKey> {
        let name = name.into();
        match name.len() {
            0 => Err(InvalidKey::Empty),
            length if length > Self::MAX_BYTES => Err(InvalidKey::TooLong { length }),
            _ => Ok(Self(name)),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last `/`; the whole key where there is none.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl std::ops::Deref for Key {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;
    fn try_from(name: String) -> Result<Self, InvalidKey> {
        Self::new(name)
    }
}

impl TryFrom<&str> for Key {
    type Error = InvalidKey;
    fn try_from(name: &str) -> Result<Self, InvalidKey> {
        Self::new(name)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// A key has at least one byte.
    #[error("a key cannot be empty")]
    Empty,
    /// A key has at most [`Key::MAX_BYTES`] bytes.
    #[error("a key of {length} bytes is longer than {max}", max = Key::MAX_BYTES)]
    TooLong {
        /// Bytes of the name that was offered.
        length: usize,
    },
}

/// A version of an object, in the words of the store that made it (`VersionId`, B2's `fileId`).
pub type Version = Arc<str>;

/// Nanoseconds since 1970-01-01T00:00:00Z; from 1677 to 2262.
///
/// Serialised as RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "jiff::Timestamp", into = "jiff::Timestamp")]
pub struct Timestamp(i64);

impl Timestamp {
    /// From whole nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds and the nanoseconds inside that second (as `stat` gives a time before 1970, too);
    /// times out of range are clamped.
    #[must_use]
    pub const fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos as i64))
    }

    /// Whole nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Nanoseconds inside the second, 0 to 999,999,999.
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        self.0.rem_euclid(1_000_000_000) as u32
    }

    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }

    /// What stands for a time out of range.
    const fn far(past: bool) -> Self {
        Self(if past { i64::MIN } else { i64::MAX })
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(time: std::time::SystemTime) -> Self {
        jiff::Timestamp::try_from(time).map_or_else(|_| Self::far(time < std::time::UNIX_EPOCH), Self::from)
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        let nanos = time.as_nanosecond();
        i64::try_from(nanos).map_or_else(|_| Self::far(nanos < 0), Self)
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(time: Timestamp) -> Self {
        Self::from_nanosecond(i128::from(time.0)).expect("64 bits of nanoseconds lie inside jiff's range")
    }
}

/// RFC 3339 in UTC, with as many digits of the second as needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from(*self).fmt(f)
    }
}

/// A kind of digest that a store may know or verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RFC 1321, 16 bytes.
    Md5,
    /// FIPS 180-4, 20 bytes.
    Sha1,
    /// FIPS 180-4, 32 bytes.
    Sha256,
    /// Castagnoli, 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// The MD5 of the parts' MD5s and the number of parts: a multi-part `ETag` of S3.
    Parts,
}

impl Algorithm {
    /// The name people type: `md5`, `sha1`, `sha256`, `crc32c`, `crc64nvme`, `parts`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64nvme",
            Self::Parts => "parts",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One digest of one content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Digest {
    /// See [`Algorithm::Md5`].
    Md5([u8; 16]),
    /// See [`Algorithm::Sha1`].
    Sha1([u8; 20]),
    /// See [`Algorithm::Sha256`].
    Sha256([u8; 32]),
    /// See [`Algorithm::Crc32c`].
    Crc32c(u32),
    /// See [`Algorithm::Crc64Nvme`].
    Crc64Nvme(u64),
    /// See [`Algorithm::Parts`].
    Parts {
        /// MD5 over the concatenated MD5s of the parts.
        md5: [u8; 16],
        /// How many parts there were, 1 to 10,000.
        parts: u32,
    },
}

impl Digest {
    /// Which kind it is.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Md5(_) => Algorithm::Md5,
            Self::Sha1(_) => Algorithm::Sha1,
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Crc32c(_) => Algorithm::Crc32c,
            Self::Crc64Nvme(_) => Algorithm::Crc64Nvme,
            Self::Parts { .. } => Algorithm::Parts,
        }
    }

    /// Lower-case hexadecimal, without the name of the algorithm (`<32 hex>-<parts>` for [`Digest::Parts`]).
    #[must_use]
    pub fn hex(&self) -> String {
        match self {
            Self::Md5(bytes) => hex(bytes),
            Self::Sha1(bytes) => hex(bytes),
            Self::Sha256(bytes) => hex(bytes),
            Self::Crc32c(value) => hex(&value.to_be_bytes()),
            Self::Crc64Nvme(value) => hex(&value.to_be_bytes()),
            Self::Parts { md5, parts } => format!("{}-{parts}", hex(md5)),
        }
    }

    /// Reads what [`Digest::hex`] writes.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Md5 => Self::Md5(unhex(text)?),
            Algorithm::Sha1 => Self::Sha1(unhex(text)?),
            Algorithm::Sha256 => Self::Sha256(unhex(text)?),
            Algorithm::Crc32c => Self::Crc32c(u32::from_be_bytes(unhex(text)?)),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(u64::from_be_bytes(unhex(text)?)),
            Algorithm::Parts => {
                let (md5, parts) = text.split_once('-')?;
                Self::Parts { md5: unhex(md5)?, parts: parts.parse().ok()? }
            }
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `sha256:<hex>`, as [`Digest`] is displayed.
impl FromStr for Digest {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (name, value) = text.split_once(':').ok_or(InvalidDigest)?;
        let algorithm = [
            Algorithm::Md5,
            Algorithm::Sha1,
            Algorithm::Sha256,
            Algorithm::Crc32c,
            Algorithm::Crc64Nvme,
            Algorithm::Parts,
        ]
        .into_iter()
        .find(|algorithm| algorithm.name() == name)
        .ok_or(InvalidDigest)?;
        Self::from_hex(algorithm, value).ok_or(InvalidDigest)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;
    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text that is not `algorithm:hex`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is written algorithm:hex, such as sha256:9f86d0…")]
pub struct InvalidDigest;

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

/// What is known of one content: at most one digest of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Digest>", into = "Vec<Digest>")]
pub struct Digests(Vec<Digest>);

impl Digests {
    /// Nothing known.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Records `digest`, in place of one of the same kind. They stand in one order, whoever told them first.
    pub fn set(&mut self, digest: Digest) {
        match self.place(digest) {
            Ok(at) => self.0[at] = digest,
            Err(at) => self.0.insert(at, digest),
        }
    }

    /// Records `digest` where none of its kind is known.
    pub fn add(&mut self, digest: Digest) {
        if let Err(at) = self.place(digest) {
            self.0.insert(at, digest);
        }
    }

    fn place(&self, digest: Digest) -> Result<usize, usize> {
        self.0.binary_search_by_key(&digest.algorithm(), Digest::algorithm)
    }

    /// The digest of that kind, if known.
    #[must_use]
    pub fn get(&self, algorithm: Algorithm) -> Option<Digest> {
        self.0.iter().copied().find(|known| known.algorithm() == algorithm)
    }

    /// The SHA-256, if known.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.0.iter().find_map(|known| if let Digest::Sha256(bytes) = known { Some(*bytes) } else { None })
    }

    /// The MD5, if known.
    #[must_use]
    pub fn md5(&self) -> Option<[u8; 16]> {
        self.0.iter().find_map(|known| if let Digest::Md5(bytes) = known { Some(*bytes) } else { None })
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is known.
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter()
    }

    /// Compares by the strongest kind both sides know: `Some((kind, equal))`, or `None` where they share none.
    ///
    /// Two different [`Digest::Parts`] prove nothing (the same bytes, cut differently, differ), so they count
    /// only where they are equal.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<(Algorithm, bool)> {
        const STRONGEST_FIRST: [Algorithm; 5] =
            [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5, Algorithm::Crc64Nvme, Algorithm::Parts];
        STRONGEST_FIRST.into_iter().find_map(|algorithm| {
            let equal = self.get(algorithm)? == other.get(algorithm)?;
            (equal || algorithm != Algorithm::Parts).then_some((algorithm, equal))
        })
    }
}

impl From<Digests> for Vec<Digest> {
    fn from(digests: Digests) -> Self {
        digests.0
    }
}

impl From<Vec<Digest>> for Digests {
    fn from(digests: Vec<Digest>) -> Self {
        digests.into_iter().collect()
    }
}

impl Extend<Digest> for Digests {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, digests: I) {
        digests.into_iter().for_each(|digest| self.set(digest));
    }
}

impl IntoIterator for Digests {
    type Item = Digest;
    type IntoIter = std::vec::IntoIter<Digest>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Digest> for Digests {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        let mut known = Self::new();
        digests.into_iter().for_each(|digest| known.set(digest));
        known
    }
}

/// What an entry of a listing stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Bytes under a key.
    #[default]
    Object,
    /// A directory of a store that has them, or a common prefix of a listing of one level. Its key ends in `/`.
    Directory,
    /// A marker that hides older versions; only in listings of versions.
    DeleteMarker,
}

/// One object, as far as the call that produced it tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its key, relative to the store's root.
    pub key: Key,
    /// Object, directory or delete marker.
    #[serde(default, skip_serializing_if = "Entry::is_plain")]
    pub kind: Kind,
    /// Bytes; `None` where the store does not say without another call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the *content* was last changed (mtime), where the call tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// When the store took it (S3's `LastModified`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Timestamp>,
    /// The store's `ETag` without its quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Arc<str>>,
    /// The version that was listed, where the store keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Changes whenever the file may have: its inode and the time of the inode's last change, folded. `None` where the
    /// store has no such thing; only equal or not equal means anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<u64>,
    /// Digests that the call tells.
    #[serde(default, skip_serializing_if = "Digests::is_empty")]
    pub digests: Digests,
    /// The store's word for the storage class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<Arc<str>>,
    /// `None`: not fetched. Listings leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Arc<Metadata>>,
}

impl Entry {
    /// An object of which only key and size are known.
    #[must_use]
    pub fn object(key: Key, size: u64) -> Self {
        Self {
            key,
            kind: Kind::Object,
            size: Some(size),
            modified: None,
            stored: None,
            etag: None,
            version: None,
            stamp: None,
            digests: Digests::new(),
            storage_class: None,
            metadata: None,
        }
    }

    /// A directory; `key` ends in `/`.
    #[must_use]
    pub fn directory(key: Key) -> Self {
        Self { kind: Kind::Directory, size: None, ..Self::object(key, 0) }
    }

    fn is_plain(kind: &Kind) -> bool {
        *kind == Kind::Object
    }

    /// Whether it is an object (not a directory, not a delete marker).
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.kind == Kind::Object
    }
}

/// What travels beside the bytes. Modification time and digests are not here: they are fields of [`Entry`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// Storage class to store under, in the destination's words; `None`: the store's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The user's own pairs; names in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// Tags, where they were asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
