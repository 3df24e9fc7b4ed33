//! Google Cloud Storage, through opendal's service, which speaks the JSON interface.
//!
//! An object of up to a chunk's size is one request. Above, it is a resumable upload, which the library makes of writes
//! that carry a condition only (others become an upload in parts by the XML interface, which was tried against nothing):
//! so what lies there is looked at first, and the write is conditional on its generation. Either way the object appears
//! whole or not at all, and its length need not be known. The generation is what we call the `ETag`: the service's own
//! changes with the metadata, too.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use opendal::{
    Operator,
    options::{ListOptions, ReaderOptions, WriteOptions},
};

use super::calls::{fault, within};
use crate::{
    body::{Body, Chunks},
    capability::{Capabilities, DeleteMeaning, KeyRules, MetadataAbility, Order},
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests, Entry, Key, Metadata, Timestamp, Version},
    error::{Error, ErrorKind, Operation, Result},
    registry::{Family, Holds, Opened, OptionSpec, Remote},
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store, VersionScope, delete_each},
    web::checked::{Check, checked},
};

/// Bytes of the largest object that is one request.
const CHUNK: usize = 8 * 1024 * 1024;
/// The largest object (<https://cloud.google.com/storage/quotas#objects>).
const LARGEST: u64 = 5 << 40;
/// Objects deleted at once.
const AT_ONCE: usize = 8;
/// Entries handed on at once.
const PAGE: usize = 1_000;
/// How long one call may take: longer than any answer that is still on its way, connecting included.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the time of the content is kept under, as rclone keeps it (<https://rclone.org/googlecloudstorage/>), and its
/// SHA-256.
const MTIME: &str = "mtime";
const SHA256: &str = "sha256";

/// The registry's entry for Google Cloud Storage.
pub static GCS: Family = Family {
    name: "gcs",
    schemes: &["gcs", "gs"],
    about: "Google Cloud Storage",
    options: &[
        OptionSpec::text("bucket", "the bucket; then NAME: is its root"),
        OptionSpec::text("credential_path", "the file of a service account's key, or of other credentials"),
        OptionSpec::secret("credential", "the same, in base64"),
        OptionSpec::secret("token", "an access token"),
        OptionSpec::text("service_account", "the account to ask the machine's metadata server for"),
        OptionSpec::text("scope", "what access is asked for"),
        OptionSpec::bool("disable_vm_metadata", "does not ask the machine's metadata server"),
        OptionSpec::bool("skip_signature", "asks without signing in"),
        OptionSpec::text("predefined_acl", "who may read what is written, by one of the service's words"),
        OptionSpec::text("default_storage_class", "the storage class of what is written"),
        OptionSpec::text("endpoint", "the address, where it is not Google's own"),
    ],
    open: |remote, path| open(remote, path).boxed(),
    buckets: None,
};

async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (bucket, prefix) = remote.split_bucket(path)?;
    // The library passes over one that it cannot read, and signs in as somebody else.
    if remote.text("credential").is_some_and(|text| BASE64_STANDARD.decode(text.trim()).is_err()) {
        return Err(remote.wrong("credential is not base64"));
    }
    // Settings come from one place; the environment is none.
    let mut options =
        vec![("bucket".to_owned(), bucket.to_owned()), ("disable_config_load".to_owned(), "true".to_owned())];
    for spec in remote.family.options.iter().filter(|spec| spec.name != "bucket") {
        let Some(text) = remote.text(spec.name) else { continue };
        let text = match spec.holds {
            Holds::Bool => remote.bool(spec.name, false)?.to_string(),
            _ => text.to_owned(),
        };
        options.push((spec.name.to_owned(), text));
    }
    opendal::install_default();
    let operator = Operator::via_iter("gcs", options)
        .map_err(|error| fault(Operation::Open, error).of(format!("{}:", remote.name)))?;
    let name = match remote.text("bucket") {
        Some(_) => format!("{}:", remote.name),
        None => format!("{}:{bucket}", remote.name),
    };
    let place = Place { name, operator, capabilities: capabilities() };
    Ok(Opened { store: Arc::new(Gcs { place: Arc::new(place) }), prefix: prefix.to_owned() })
}

fn capabilities() -> Capabilities {
    Capabilities {
        keys: KeyRules {
            max_bytes: Key::MAX_BYTES,
            max_segment: Key::MAX_BYTES,
            // The library folds them.
            empty_segments: false,
            dot_segments: false,
            // The service takes no line breaks, and advises against the others.
            control: false,
            backslash: true,
            leading_space: false,
            trailing_space: false,
            file_beside_directory: true,
            folds_case: false,
        },
        order: Order::Unknown,
        modified: Some(Duration::from_nanos(1)),
        modified_assumed: false,
        modified_in_list: false,
        digests_in_list: vec![Algorithm::Md5],
        digests_in_stat: vec![Algorithm::Sha256],
        cheap_read: false,
        max_put: LARGEST,
        multipart: None,
        copy: None,
        // They are sent; that they are kept was seen nowhere.
        conditional_put: false,
        delete: DeleteMeaning::Removes,
        delete_batch: 1,
        versions: false,
        old_versions: None,
        // The library sends no Content-Language, and Content-Disposition neither.
        metadata: MetadataAbility { content_type: true, user: true, ..MetadataAbility::default() },
        read_only: false,
        directories: false,
        transfers: 8,
    }
}

/// A bucket.
#[derive(Debug)]
struct Place {
    name: String,
    operator: Operator,
    capabilities: Capabilities,
}

impl Place {
    fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that the library would change.
    fn accepts(&self, operation: Operation, key: &Key) -> Result<()> {
        self.capabilities.keys.refuse(key).map_or(Ok(()), |why| Err(Error::unsupported(operation, why)))
    }

    /// # Errors
    /// `NotFound`.
    async fn look(&self, operation: Operation, key: &Key) -> Result<Entry> {
        if self.accepts(operation, key).is_err() {
            return Err(Error::new(ErrorKind::NotFound, operation));
        }
        let found = within(PATIENCE, operation, self.operator.stat(key)).await?;
        Ok(described(key.clone(), &found, true))
    }
}

/// An object as the library tells of it; a listing tells less.
fn described(key: Key, found: &opendal::Metadata, whole: bool) -> Entry {
    let mut entry = Entry::object(key, found.content_length());
    entry.stored = found.last_modified().map(|time| time.into_inner().into());
    entry.etag = found.version().map(Into::into);
    // Composed objects have none.
    let md5 = found.content_md5().and_then(|text| BASE64_STANDARD.decode(text).ok()?.try_into().ok());
    md5.into_iter().for_each(|md5| entry.digests.set(Digest::Md5(md5)));
    if !whole {
        return entry;
    }
    let mut metadata = Metadata { content_type: found.content_type().map(str::to_owned), ..Metadata::default() };
    for (name, value) in found.user_metadata().into_iter().flatten() {
        match name {
            MTIME => entry.modified = value.parse::<jiff::Timestamp>().ok().map(Timestamp::from),
            SHA256 => {
                Digest::from_hex(Algorithm::Sha256, value).into_iter().for_each(|digest| entry.digests.set(digest));
            }
            _ => drop(metadata.user.insert(name.to_owned(), value.to_owned())),
        }
    }
    // Who wrote no time wrote the object when it was stored.
    entry.modified = entry.modified.or(entry.stored);
    entry.metadata = Some(Arc::new(metadata));
    entry
}

/// What travels beside the bytes.
fn beside(request: &PutRequest, digests: &Digests) -> WriteOptions {
    let mut user: HashMap<String, String> = request.metadata.user.clone().into_iter().collect();
    if let Some(time) = request.modified {
        user.insert(MTIME.to_owned(), time.to_string());
    }
    if let Some(sha256) = digests.get(Algorithm::Sha256) {
        user.insert(SHA256.to_owned(), sha256.hex());
    }
    WriteOptions {
        content_type: request.metadata.content_type.clone(),
        user_metadata: (!user.is_empty()).then_some(user),
        ..WriteOptions::default()
    }
}

fn hasher(claimed: &Digests) -> Hasher {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.extend([Algorithm::Md5, Algorithm::Sha256]);
    Hasher::new(&algorithms)
}

async fn put(place: &Place, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    place.accepts(Operation::Put, key)?;
    let mut chunks = body.sized(request.size)?.chunks();
    let (mut first, mut hasher) = (BytesMut::new(), hasher(&request.digests));
    while first.len() <= CHUNK {
        let Some(chunk) = chunks.try_next().await? else {
            let digests = hasher.finish();
            held(Operation::Put, &request.digests, &digests)?;
            return whole(place, key, &request, &digests, first.freeze()).await;
        };
        hasher.update(&chunk);
        first.extend_from_slice(&chunk);
    }
    streamed(place, key, &request, hasher, first.freeze(), chunks).await
}

/// What has to lie there for the write to go ahead, in the words of the library.
async fn condition(place: &Place, key: &Key, request: &PutRequest, options: &mut WriteOptions) -> Result<()> {
    let operation = Operation::Put;
    if request.if_absent {
        options.if_not_exists = true;
        return Ok(());
    }
    options.if_version_match = match &request.if_match {
        Some(etag) => Some(etag.to_string()),
        None => match place.look(operation, key).await {
            Ok(found) => found.etag.map(|etag| etag.to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        },
    };
    options.if_not_exists = options.if_version_match.is_none();
    Ok(())
}

/// One request.
async fn whole(place: &Place, key: &Key, request: &PutRequest, digests: &Digests, bytes: Bytes) -> Result<Entry> {
    let operation = Operation::Put;
    let mut options = beside(request, digests);
    if request.if_absent || request.if_match.is_some() {
        condition(place, key, request, &mut options).await?;
    }
    let stored = within(PATIENCE, operation, place.operator.write_options(key, bytes, options)).await?;
    proven(key, &stored, request, digests)
}

/// A resumable upload. Given up by whoever gets an error: only its last request makes an object of it.
async fn streamed(
    place: &Place,
    key: &Key,
    request: &PutRequest,
    mut hasher: Hasher,
    first: Bytes,
    mut rest: Chunks,
) -> Result<Entry> {
    let operation = Operation::Put;
    let asked = request.if_absent || request.if_match.is_some();
    // Written before the bytes are: only what was known beforehand.
    let mut options = beside(request, &request.digests);
    condition(place, key, request, &mut options).await?;
    let mut writer = within(PATIENCE, operation, place.operator.writer_options(key, options)).await?;
    let sent = async {
        within(PATIENCE, operation, writer.write(first)).await?;
        while let Some(chunk) = rest.try_next().await? {
            hasher.update(&chunk);
            within(PATIENCE, operation, writer.write(chunk)).await?;
        }
        let digests = hasher.finish();
        held(operation, &request.digests, &digests)?;
        let stored = within(PATIENCE, operation, writer.close()).await?;
        Ok::<_, Error>((stored, digests))
    };
    match sent.await {
        Ok((stored, digests)) => proven(key, &stored, request, &digests),
        Err(error) => {
            let _best_effort = within(PATIENCE, operation, writer.abort()).await;
            // Somebody else wrote meanwhile, and nobody asked for him not to: the next try writes over what he wrote.
            let raced = !asked && error.kind() == ErrorKind::Precondition;
            Err(if raced { Error::new(ErrorKind::Unavailable, operation).because(error) } else { error })
        }
    }
}

/// Compares what was stored with what was sent.
fn proven(key: &Key, stored: &opendal::Metadata, request: &PutRequest, digests: &Digests) -> Result<Entry> {
    let mut entry = described(key.clone(), stored, true);
    if let Some((algorithm, false)) = digests.compare(&entry.digests) {
        let why = format!("what was stored has another {algorithm}");
        return Err(Error::new(ErrorKind::Integrity, Operation::Put).because(why));
    }
    digests.iter().for_each(|digest| entry.digests.set(*digest));
    entry.modified = request.modified.or(entry.stored);
    Ok(entry)
}

/// The bytes of the generation that was looked at, and of no other.
async fn read(place: &Place, key: &Key, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    if request.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    let entry = place.look(operation, key).await?;
    if request.if_match.is_some() && entry.etag != request.if_match {
        return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
    }
    let size = entry.size.unwrap_or_default();
    let asked = request.range.clone().unwrap_or(0..size);
    let (start, end) = (asked.start, asked.end.min(size));
    let len = end.saturating_sub(start);
    if len == 0 {
        return Ok(Reader { entry, body: Body::empty() });
    }
    let generation = entry.etag.as_ref().map(ToString::to_string);
    let options = ReaderOptions { if_version_match: generation, ..ReaderOptions::default() };
    let reader = within(PATIENCE, operation, place.operator.reader_options(key, options)).await?;
    // To where it ends, so that one that is longer than was told is an error, not a shorter object.
    let range = if end == size { opendal::BytesRange::from(start..) } else { (start..end).into() };
    let chunks = within(PATIENCE, operation, reader.into_stream(range)).await?;
    let chunks = stream::try_unfold(chunks, |mut chunks| async move {
        let next = within(PATIENCE, Operation::Read, chunks.try_next()).await?;
        Ok(next.map(|chunk| (chunk.to_bytes(), chunks)))
    });
    let check = Check::strongest(&entry.digests).filter(|_| len == size);
    let (name, key) = (place.name.clone(), key.clone());
    let chunks = checked(chunks, len, check).map_err(move |error: Error| error.of(&name).at(&key)).boxed();
    Ok(Reader { entry, body: Body::stream(Some(len), chunks) })
}

/// Lists what `request` asks for, page by page. What ends in `/` is told as a directory by the library: such objects, which
/// other programs leave as folders, are left out.
fn pages(place: Arc<Place>, request: ListRequest) -> Pages {
    let name = place.name.clone();
    let pages = stream::once(async move {
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let prefix = &request.prefix;
        // The library would list another prefix; and nothing lies below such keys.
        if prefix.trim() != prefix || prefix.starts_with('/') || prefix.contains("//") {
            return Ok(stream::empty().boxed());
        }
        let options = ListOptions { recursive: request.recursive, ..ListOptions::default() };
        let lister = within(PATIENCE, Operation::List, place.operator.lister_options(prefix, options)).await?;
        let pages = stream::try_unfold(Some(lister), move |lister| {
            let request = request.clone();
            async move {
                let Some(mut lister) = lister else { return Ok(None) };
                let mut page = Vec::new();
                while page.len() < PAGE {
                    let Some(found) = within(PATIENCE, Operation::List, lister.try_next()).await? else {
                        return Ok(Some((page, None)));
                    };
                    let (path, facts) = found.into_parts();
                    if !path.starts_with(&request.prefix) || path == request.prefix && facts.is_dir() {
                        continue;
                    }
                    let refused = |error| Error::new(ErrorKind::Unsupported, Operation::List).because(error);
                    let key = Key::new(path).map_err(refused)?;
                    match facts.is_dir() {
                        false => page.push(described(key, &facts, false)),
                        true if !request.recursive => page.push(Entry::directory(key)),
                        true => {}
                    }
                }
                Ok::<_, Error>(Some((page, Some(lister))))
            }
        });
        Ok(pages.boxed())
    });
    pages.try_flatten().map_err(move |error: Error| error.of(&name)).boxed()
}

async fn delete_one(place: &Place, target: &Deleted) -> Result<()> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    if place.accepts(Operation::Delete, &target.key).is_err() {
        return Ok(());
    }
    within(PATIENCE, Operation::Delete, place.operator.delete(&target.key)).await
}

/// A bucket of Google Cloud Storage.
#[derive(Debug)]
struct Gcs {
    place: Arc<Place>,
}

impl Gcs {
    fn named<T>(&self, result: Result<T>, key: &Key) -> Result<T> {
        result.map_err(|error| self.place.name_error(error, Some(key)))
    }
}

#[async_trait]
impl Store for Gcs {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
    }

    fn list(&self, request: ListRequest) -> Pages {
        pages(Arc::clone(&self.place), request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        if version.is_some() {
            return self.named(Err(Error::unsupported(Operation::Stat, "no old versions")), key);
        }
        self.named(self.place.look(Operation::Stat, key).await, key)
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        self.named(read(&self.place, key, request).await, key)
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        self.named(put(&self.place, key, request, body).await, key)
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let place = &self.place;
        delete_each(targets, AT_ONCE, |target| async move {
            delete_one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
        })
        .await
    }

    /// Buckets are made elsewhere.
    async fn make_directory(&self, _path: &str) -> Result<()> {
        Ok(())
    }

    /// There are none.
    async fn remove_directory(&self, _path: &str) -> Result<()> {
        Ok(())
    }
}
