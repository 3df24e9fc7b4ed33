//! The contract: [`Store`]. The comforts built on it: [`StoreExt`].
//!
//! What every store guarantees, and what `conformance` holds it to:
//!
//! * **Keys are exact.** What a store cannot hold, its [`KeyRules`](crate::KeyRules) refuse before a run.
//! * **A listing tells each object once**, with everything one listing call gives and never a request per
//!   object. A listing that ends early is an error, never a short listing.
//! * **A put is atomic.** Nobody ever sees half an object; a body that ends early leaves nothing. The entry it
//!   returns is what was stored, checked against what was sent.
//! * **A read** is the range that was asked for, of the version that was asked for, or an error.
//! * **Deleting what is not there succeeds.**
//! * **Dropping a future** of any call stops the work; at worst an upload in parts is left open.

use std::{collections::BTreeMap, fmt, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use serde::{Deserialize, Serialize};

use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Digests, Entry, Key, Metadata, Timestamp, Version},
    error::{Error, ErrorKind, Operation, Result},
    request::{Called, Ledger, Requests},
};

/// The pages of a listing, each as one call gave it.
pub type Pages = BoxStream<'static, Result<Vec<Entry>>>;

/// A place for objects. One value speaks for one bucket or one directory; keys are relative to it.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The place as people write it, such as `wasabi:bucket`; for messages.
    fn name(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// Where its root lies, the same in every run and under every name that leads there; `None` where nothing about its
    /// objects can be remembered.
    fn whereabouts(&self) -> Option<Whereabouts> {
        None
    }

    /// Lists what [`ListRequest`] asks for. An error ends the stream.
    fn list(&self, request: ListRequest) -> Pages;

    /// Everything known of one object, its metadata included.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchContainer`, `Denied`, or what stopped the call.
    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry>;

    /// The object's tags; none where the store keeps none. On S3 a request of its own, which [`Store::stat`] does
    /// not make.
    ///
    /// # Errors
    /// As [`Store::stat`].
    async fn tags(&self, _key: &Key, _version: Option<&Version>) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::new())
    }

    /// The bytes of one object, or a range of them.
    ///
    /// # Errors
    /// As [`Store::stat`]; `Precondition` where [`ReadRequest::if_match`] does not hold; the body itself may end
    /// in an error, and does where it is shorter than announced.
    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader>;

    /// Writes one object of at most [`Capabilities::max_put`] bytes in one call.
    ///
    /// # Errors
    /// `Integrity` where what was sent or stored is not what [`PutRequest::digests`] say; `Precondition` or
    /// `Exists` where its condition does not hold; `Unsupported` for a key it cannot hold; `Full`; `Denied`.
    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry>;

    /// Starts an upload in parts.
    ///
    /// # Errors
    /// `Unsupported` where [`Capabilities::multipart`] is `None`; else as [`Store::put`].
    async fn begin(&self, key: &Key, _request: &PutRequest) -> Result<UploadToken> {
        Err(Error::unsupported(Operation::Begin, "no uploads in parts").of(self.name()).at(key))
    }

    /// Writes one part. A part sent again replaces the earlier one.
    ///
    /// # Errors
    /// `NotFound` where the upload is gone; else as [`Store::put`].
    async fn put_part(&self, token: &UploadToken, _part: &PartRequest, _body: Body) -> Result<Part> {
        Err(Error::unsupported(Operation::PutPart, "no uploads in parts").of(self.name()).at(&token.key))
    }

    /// Writes part `number` from a range of an object in the same [domain](crate::CopyAbility::domain).
    ///
    /// # Errors
    /// `Precondition` where the source is no longer the one named; else as [`Store::put_part`].
    async fn copy_part(
        &self,
        token: &UploadToken,
        _number: u32,
        _from: &CopySource,
        _range: Range<u64>,
    ) -> Result<Part> {
        Err(Error::unsupported(Operation::CopyPart, "no copies of parts").of(self.name()).at(&token.key))
    }

    /// Puts the parts together; only now the object is visible. `parts` are all of them, in order.
    ///
    /// # Errors
    /// `Integrity` where the result is not what the parts make; `NotFound` where the upload is gone.
    async fn complete(&self, token: &UploadToken, _request: &PutRequest, _parts: &[Part]) -> Result<Entry> {
        Err(Error::unsupported(Operation::Complete, "no uploads in parts").of(self.name()).at(&token.key))
    }

    /// Gives an upload up and frees its parts. One that is gone already is no error.
    ///
    /// # Errors
    /// What stopped the call.
    async fn abort(&self, token: &UploadToken) -> Result<()> {
        Err(Error::unsupported(Operation::Abort, "no uploads in parts").of(self.name()).at(&token.key))
    }

    /// The parts of an open upload that are there, in order.
    ///
    /// # Errors
    /// `NotFound` where the upload is gone.
    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        Err(Error::unsupported(Operation::ListParts, "no uploads in parts").of(self.name()).at(&token.key))
    }

    /// The open uploads whose keys start with `prefix`.
    ///
    /// # Errors
    /// `Unsupported` where there are no uploads in parts; else what stopped the call.
    async fn uploads(&self, _prefix: &str) -> Result<Vec<IncompleteUpload>> {
        Err(Error::unsupported(Operation::ListParts, "no uploads in parts").of(self.name()))
    }

    /// The open uploads of exactly this key that [`Store::begin`] with this request may have begun, as far as one call
    /// tells; none where [`MultipartAbility::tells_begun`](crate::MultipartAbility::tells_begun) is false. What the
    /// store tells to have been begun otherwise is not among them.
    ///
    /// # Errors
    /// What stopped the call.
    async fn begun(&self, _key: &Key, _request: &PutRequest) -> Result<Vec<Begun>> {
        Ok(Vec::new())
    }

    /// The requests sent so far; `None` where nobody counts them at the wire, so that a call counts as one.
    fn ledger(&self) -> Option<Arc<Ledger>> {
        None
    }

    /// The requests that `call` sends where nothing fails. Nothing is asked of the server; what earlier calls have shown
    /// of it is taken into account. Each family says of its own where it can only say what they are at most.
    fn requests(&self, call: &Called<'_>) -> Requests {
        call.plainly()
    }

    /// How another store of the same [domain](crate::CopyAbility::domain) finds this object; `None` where there
    /// are no such copies.
    fn copy_source(&self, _key: &Key) -> Option<CopySource> {
        None
    }

    /// Copies inside the domain, without a byte through us, up to [`CopyAbility::max_copy`](crate::CopyAbility).
    /// `request` carries the time and digests to record and, with [`PutRequest::replace_metadata`], new metadata;
    /// else the source's own travel along, its time too where the request names none.
    ///
    /// # Errors
    /// `Precondition` where the source is no longer the one named; `Unsupported` outside the domain.
    async fn copy(&self, _source: &CopySource, key: &Key, _request: PutRequest) -> Result<Entry> {
        Err(Error::unsupported(Operation::Copy, "no copies inside the store").of(self.name()).at(key))
    }

    /// Deletes, one result a target, in order. Missing ones succeed. At most [`Capabilities::delete_batch`]
    /// targets travel in one request; more are split. Directories that a delete leaves empty go with it: where
    /// `a/b` was the last object below `a/`, an object `a` can be put afterwards.
    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>>;

    /// Sets the modification time, and with [`PutRequest::replace_metadata`] the metadata, without touching the bytes.
    /// What the request leaves open stays as it is. Where it is a copy of the object onto itself, it takes no larger object
    /// than a copy does.
    ///
    /// # Errors
    /// `Unsupported` where that is impossible; else as [`Store::copy`].
    async fn set_metadata(&self, key: &Key, _request: PutRequest) -> Result<()> {
        Err(Error::unsupported(Operation::SetMetadata, "metadata cannot be changed in place").of(self.name()).at(key))
    }

    /// Makes the store's root (the bucket, the directory) or, with a `path`, a directory inside it. What is there
    /// already is no error, and a store without directories makes nothing for a `path`.
    ///
    /// # Errors
    /// `Denied`, `Exists` where an object is in the way, or what stopped the call.
    async fn make_directory(&self, path: &str) -> Result<()>;

    /// Removes an *empty* directory inside the root, or the empty root itself (`path` empty). What is not there
    /// is no error.
    ///
    /// # Errors
    /// `Exists` where it is not empty.
    async fn remove_directory(&self, path: &str) -> Result<()>;
}

/// Whether a directory (its path ends in `/`) is to be entered.
pub type Enter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What a listing is to contain.
#[derive(Clone)]
pub struct ListRequest {
    /// Only keys that start so; exact text, no pattern.
    pub prefix: String,
    /// All levels; else one level, what is deeper shown as one [`Directory`](crate::Kind::Directory) each.
    pub recursive: bool,
    /// Which versions.
    pub versions: VersionScope,
    /// Asked before a directory (ending in `/`) is entered. A store may list what is inside all the same; the
    /// caller filters again.
    pub enter: Option<Enter>,
    /// Whether directories that hold nothing are to be told, where the store has such.
    pub empty_directories: bool,
}

impl ListRequest {
    /// Everything whose key starts with `prefix`, latest versions only.
    #[must_use]
    pub fn all(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            recursive: true,
            versions: VersionScope::Latest,
            enter: None,
            empty_directories: false,
        }
    }

    /// One level below `prefix` (empty, or ending in `/`).
    #[must_use]
    pub fn level(prefix: impl Into<String>) -> Self {
        Self { recursive: false, ..Self::all(prefix) }
    }

    /// Whether `directory` (ending in `/`) is to be entered.
    #[must_use]
    pub fn enters(&self, directory: &str) -> bool {
        self.enter.as_ref().is_none_or(|enter| enter(directory))
    }
}

impl fmt::Debug for ListRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRequest")
            .field("prefix", &self.prefix)
            .field("recursive", &self.recursive)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// Which versions a listing tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionScope {
    /// The newest of each key, unless it is deleted.
    #[default]
    Latest,
    /// All, newest first within a key, delete markers included.
    All,
    /// The one that was the newest at that time, unless it was deleted then.
    At(Timestamp),
}

/// Where a store's root lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The container: family, endpoint and bucket, or "local". Never an account or a key.
    pub place: String,
    /// What comes before a key of this store inside the container.
    pub base: String,
    /// An object that was changed less than this ago may change once more and tell the same tag and time.
    pub settles: Duration,
}

impl Whereabouts {
    /// A store at the container's own root.
    #[must_use]
    pub const fn new(place: String, settles: Duration) -> Self {
        Self { place, base: String::new(), settles }
    }
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct ReadRequest {
    /// Bytes from start (inclusive) to end (exclusive), at most [`ReadRequest::FAR`]; `None`: all. An end beyond the object is
    /// cut to its end.
    pub range: Option<Range<u64>>,
    /// Only if the object still has this `ETag`; stores without `ETag`s ignore it.
    pub if_match: Option<Arc<str>>,
    /// An old version instead of the newest.
    pub version: Option<Version>,
}

impl ReadRequest {
    /// Behind the end of every object. Servers read positions as signed numbers of 64 bits: SeaweedFS refuses larger ones.
    pub const FAR: u64 = i64::MAX.unsigned_abs();
}

/// An object that is being read.
#[derive(Debug)]
pub struct Reader {
    /// What the answer says of the whole object; its size is the object's, not the range's.
    pub entry: Entry,
    /// The bytes of the range, its length known.
    pub body: Body,
}

/// What to store beside the bytes, and what must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PutRequest {
    /// The content's own modification time, kept where the store can.
    pub modified: Option<Timestamp>,
    /// What the content is known to be: sent for the server to verify, checked on the way, and recorded.
    pub digests: Digests,
    /// What travels beside it.
    pub metadata: Arc<Metadata>,
    /// For copies: `metadata` replaces the source's.
    pub replace_metadata: bool,
    /// Whether something is known to be there that is to be replaced. A hint, which saves requests where it is true.
    pub replaces: bool,
    /// Write only if nothing is there.
    pub if_absent: bool,
    /// Write only over the object that has this `ETag`.
    pub if_match: Option<Arc<str>>,
    /// Bytes to come, where known; required by [`Store::begin`].
    pub size: Option<u64>,
}

impl PutRequest {
    /// Takes from `now`, what lies there, all that the request leaves open: for stores that change metadata by writing all
    /// of it again.
    pub fn fill_from(&mut self, now: &Entry) {
        self.modified = self.modified.or(now.modified);
        for digest in now.digests.iter() {
            if self.digests.get(digest.algorithm()).is_none() {
                self.digests.set(*digest);
            }
        }
        if !self.replace_metadata
            && let Some(metadata) = &now.metadata
        {
            self.metadata = Arc::clone(metadata);
        }
    }
}

/// A part that is to be written.
#[derive(Clone, Debug)]
pub struct PartRequest {
    /// From 1.
    pub number: u32,
    /// Where it starts in the object.
    pub offset: u64,
    /// What it is known to be: sent for the server to verify, and checked on the way.
    pub digests: Digests,
}

impl PartRequest {
    /// Part `number`, of which nothing is known but where it starts.
    #[must_use]
    pub const fn new(number: u32, offset: u64) -> Self {
        Self { number, offset, digests: Digests::new() }
    }
}

/// An upload in parts as a value: with it another process goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadToken {
    /// The key that will appear.
    pub key: Key,
    /// The store's own word for the upload.
    pub id: String,
}

/// A part that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// The store's tag for the part, needed to complete.
    pub etag: Option<Arc<str>>,
    /// What the store tells of its content, or what was sent.
    #[serde(default)]
    pub digests: Digests,
}

/// An upload that was begun and not completed.
#[derive(Clone, Debug)]
pub struct IncompleteUpload {
    /// How to go on with it, or abort it.
    pub token: UploadToken,
    /// When it was begun.
    pub started: Option<Timestamp>,
}

/// An open upload that may be one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// How to go on with it.
    pub token: UploadToken,
    /// Whether the store told that all the request says (time, digests, metadata) was said when it was begun. Where it
    /// tells less, the object is to be looked at once it is complete.
    pub described: bool,
}

/// An object as another store of the same domain names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySource {
    /// The [domain](crate::CopyAbility::domain) it lies in.
    pub domain: String,
    /// Bucket or root directory.
    pub container: String,
    /// The key inside it.
    pub key: Key,
    /// An old version instead of the newest.
    pub version: Option<Version>,
    /// Copy only what still has this `ETag`.
    pub if_match: Option<Arc<str>>,
    /// Its size in bytes, where known.
    pub size: Option<u64>,
}

impl CopySource {
    /// # Errors
    /// `Unsupported` where a store of these capabilities cannot copy from it.
    pub(crate) fn near(&self, operation: Operation, capabilities: &Capabilities) -> Result<()> {
        match &capabilities.copy {
            Some(copy) if copy.domain == self.domain => Ok(()),
            _ => Err(Error::unsupported(operation, "the source lies elsewhere")),
        }
    }
}

/// What to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The object.
    pub key: Key,
    /// This version only, for good; `None`: the object, as [`DeleteMeaning`](crate::DeleteMeaning) says.
    pub version: Option<Version>,
}

impl From<Key> for Deleted {
    fn from(key: Key) -> Self {
        Self { key, version: None }
    }
}

/// Deletes with a call for each target, at most `at_once` at a time; results in order.
#[cfg(any(
    feature = "webdav",
    feature = "ftp",
    feature = "sftp",
    feature = "ipfs",
    feature = "opendal",
    feature = "azure"
))]
pub(crate) async fn delete_each<'a, T, One: Future<Output = Result<T>>>(
    targets: &'a [Deleted],
    at_once: usize,
    one: impl Fn(&'a Deleted) -> One,
) -> Vec<Result<T>> {
    // Futures that are made before they are streamed: a closure over borrows is not general enough inside one.
    let calls: Vec<_> = targets.iter().map(one).collect();
    futures::stream::iter(calls).buffered(at_once).collect().await
}

/// Comforts for every store.
#[async_trait]
pub trait StoreExt: Store {
    /// A listing entry by entry.
    fn entries(&self, request: ListRequest) -> BoxStream<'static, Result<Entry>> {
        self.list(request).map_ok(|page| futures::stream::iter(page.into_iter().map(Ok))).try_flatten().boxed()
    }

    /// A whole listing in memory; for tests and small places.
    ///
    /// # Errors
    /// What ended the listing.
    async fn list_to_vec(&self, request: ListRequest) -> Result<Vec<Entry>> {
        self.list(request).try_concat().await
    }

    /// A whole object in memory; for small objects.
    ///
    /// # Errors
    /// As [`Store::read`].
    async fn get(&self, key: &Key) -> Result<bytes::Bytes> {
        self.read(key, ReadRequest::default()).await?.body.collect().await
    }

    /// Writes a few bytes, whatever lies there.
    ///
    /// # Errors
    /// As [`Store::put`].
    async fn put_bytes(&self, key: &Key, bytes: Vec<u8>) -> Result<()> {
        let request = PutRequest { size: Some(bytes.len() as u64), ..PutRequest::default() };
        self.put(key, request, Body::from(bytes)).await.map(drop)
    }

    /// Deletes objects, as many in one call as the store takes.
    ///
    /// # Errors
    /// The first failure.
    async fn delete_keys(&self, keys: Vec<Key>) -> Result<()> {
        let targets: Vec<Deleted> = keys.into_iter().map(Deleted::from).collect();
        for batch in targets.chunks(self.capabilities().deleted_together()) {
            self.delete(batch).await.into_iter().collect::<Result<Vec<()>>>()?;
        }
        Ok(())
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// As [`Store::stat`], but for `NotFound`.
    async fn holds(&self, key: &Key) -> Result<bool> {
        match self.stat(key, None).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether `other` can copy from this store without bytes through us.
    fn shares_domain(&self, other: &dyn Store) -> bool {
        match (&self.capabilities().copy, &other.capabilities().copy) {
            (Some(mine), Some(theirs)) => mine.domain == theirs.domain,
            _ => false,
        }
    }
}

impl<S: Store + ?Sized> StoreExt for S {}
