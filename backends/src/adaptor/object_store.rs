//! A service of the crate `object_store` as a store: Azure Blob.
//!
//! An object is one request up to a part's size, and blocks that are committed at its end beyond it, so it appears whole
//! or not at all, and its length need not be known. The crate's own uploads in parts take no metadata, and no part of them
//! can be found again: they are not offered. The crate repeats nothing here: our layers do.

use std::{borrow::Cow, collections::VecDeque, error::Error as StdError, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::{
    Attribute, AttributeValue, Attributes, ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, RetryConfig, UpdateVersion,
    azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder},
    client::{HttpError, HttpErrorKind},
    list::{PaginatedListOptions, PaginatedListStore},
    path::Path,
};

use super::noted::{Answer, Noting, noted};
use crate::{
    body::{Body, Chunks},
    capability::{Capabilities, KeyRules, MetadataAbility},
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests, Entry, Key, Metadata, Timestamp, Version},
    error::{Error, ErrorKind, Operation, Result},
    registry::{Family, Holds, Opened, OptionSpec, Remote},
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store, VersionScope, delete_each},
    web::status,
};

/// Bytes of a block, and of the largest object that is one request. 50,000 of them make an object.
const BLOCK: usize = 16 * 1024 * 1024;
/// Most blocks of one object (<https://learn.microsoft.com/rest/api/storageservices/put-block-list>).
const BLOCKS: u64 = 50_000;
/// Blocks in flight for one object.
const IN_FLIGHT: usize = 3;
/// Objects deleted at once.
const AT_ONCE: usize = 8;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(30);
/// How long an answer may be silent; a block that is sent at 60 KB/s fits in.
const SILENCE: Duration = Duration::from_secs(300);
/// What the time of the content is kept under, as rclone keeps it (<https://rclone.org/azureblob/>), and its SHA-256.
const MTIME: &str = "mtime";
const SHA256: &str = "sha256";

/// The registry's entry for Azure Blob.
pub static AZURE: Family = Family {
    name: "azure",
    schemes: &["azure", "az"],
    about: "Azure Blob storage",
    options: &[
        OptionSpec::text("bucket", "the container; then NAME: is its root"),
        OptionSpec::text("account_name", "the storage account"),
        OptionSpec::secret("account_key", "the account's key"),
        OptionSpec::secret("sas_token", "a shared access signature"),
        OptionSpec::secret("token", "a bearer token"),
        OptionSpec::text("tenant_id", "the tenant of an application"),
        OptionSpec::text("client_id", "an application, or a managed identity of a user's"),
        OptionSpec::secret("client_secret", "the application's secret"),
        OptionSpec::text("authority_host", "where tokens are asked for"),
        OptionSpec::text("federated_token_file", "a file with a token of a workload's identity"),
        OptionSpec::text("msi_endpoint", "where a managed identity is asked for"),
        OptionSpec::text("object_id", "a managed identity by its object"),
        OptionSpec::text("msi_resource_id", "a managed identity by its resource"),
        OptionSpec::bool("use_azure_cli", "signs in as the command line of Azure does"),
        OptionSpec::bool("skip_signature", "asks without signing in"),
        OptionSpec::text("endpoint", "the address, where it is not Azure's own"),
        OptionSpec::bool("allow_http", "an endpoint without TLS"),
    ],
    open: |remote, path| open(remote, path).boxed(),
    digests: &[],
    buckets: None,
};

async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (container, prefix) = remote.split_bucket(path)?;
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        .with_allow_http(remote.bool("allow_http", false)?);
    let retry = RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() };
    let mut builder =
        MicrosoftAzureBuilder::new().with_client_options(client).with_retry(retry).with_http_connector(Noting);
    for spec in remote.family.options.iter().filter(|spec| !matches!(spec.name, "bucket" | "allow_http")) {
        let Some(value) = remote.text(spec.name) else { continue };
        let value = match spec.holds {
            Holds::Bool => remote.bool(spec.name, false)?.to_string(),
            _ => value.to_owned(),
        };
        let key: AzureConfigKey =
            spec.name.parse().map_err(|error| fault(Operation::Open, error, Answer::default()))?;
        builder = builder.with_config(key, value);
    }
    let service = builder.with_container_name(container).build();
    let service = service.map_err(|error| remote.wrong(error.to_string()))?;
    let name = remote.place_name(Some(container));
    let place = Place { name, service, capabilities: capabilities() };
    Ok(Opened { store: Arc::new(Azure { place: Arc::new(place) }), prefix: prefix.to_owned() })
}

fn capabilities() -> Capabilities {
    Capabilities {
        keys: KeyRules {
            empty_segments: false,
            dot_segments: false,
            control: false,
            // Azure takes it for '/'.
            backslash: false,
            ..KeyRules::ANY
        },
        modified: Some(Duration::from_nanos(1)),
        digests_in_stat: vec![Algorithm::Sha256],
        max_put: BLOCK as u64 * BLOCKS,
        // Names of the user's own pairs have to be words of C#, which others' are not.
        metadata: MetadataAbility { content_type: true, headers: true, ..MetadataAbility::NONE },
        ..Capabilities::LEAST
    }
}

/// What an error of the crate is here: its own kinds, the status of the answer, what became of the connection.
fn fault(operation: Operation, error: object_store::Error, answer: Answer) -> Error {
    use object_store::Error as Theirs;
    let kind = match (&error, answer.status) {
        (Theirs::NotFound { .. }, _) => ErrorKind::NotFound,
        (Theirs::AlreadyExists { .. }, _) => ErrorKind::Exists,
        (Theirs::Precondition { .. } | Theirs::NotModified { .. }, _) => ErrorKind::Precondition,
        (Theirs::PermissionDenied { .. } | Theirs::Unauthenticated { .. }, _) => ErrorKind::Denied,
        (Theirs::NotSupported { .. } | Theirs::NotImplemented { .. } | Theirs::InvalidPath { .. }, _) => {
            ErrorKind::Unsupported
        }
        (Theirs::UnknownConfigurationKey { .. }, _) => ErrorKind::Config,
        (_, Some(status @ 300..)) => status::kind(status),
        _ => below(&error),
    };
    Error::new(kind, operation).after(answer.wait).because(error)
}

/// Of an answer that was none, or was none that could be read.
fn below(error: &object_store::Error) -> ErrorKind {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            let is_timeout = http.kind() == HttpErrorKind::Timeout;
            return if is_timeout { ErrorKind::Timeout } else { ErrorKind::Unavailable };
        }
        cause = inner.source();
    }
    ErrorKind::Other
}

/// A call of the crate, its error in our words.
async fn call<T>(operation: Operation, call: impl Future<Output = object_store::Result<T>>) -> Result<T> {
    let (result, answer) = noted(call).await;
    result.map_err(|error| fault(operation, error, answer))
}

/// A container.
#[derive(Debug)]
struct Place {
    name: String,
    service: MicrosoftAzure,
    capabilities: Capabilities,
}

impl Place {
    fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that the crate would change.
    fn path(&self, operation: Operation, key: &Key) -> Result<Path> {
        if let Some(why) = self.capabilities.keys.refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        let path = Path::parse(&**key).map_err(|error| Error::unsupported(operation, error.to_string()))?;
        if path.as_ref() == &**key {
            Ok(path)
        } else {
            Err(Error::unsupported(operation, "the library changes the key"))
        }
    }

    /// HEAD. A key that cannot be is not there.
    async fn look(&self, operation: Operation, key: &Key) -> Result<Entry> {
        let Ok(path) = self.path(operation, key) else { return Err(Error::new(ErrorKind::NotFound, operation)) };
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = call(operation, self.service.get_opts(&path, options)).await?;
        Ok(described(key.clone(), &found.meta, Some(&found.attributes)))
    }
}

fn described(key: Key, meta: &ObjectMeta, attributes: Option<&Attributes>) -> Entry {
    let mut entry = Entry::object(key, meta.size);
    let at = meta.last_modified;
    entry.stored = Some(Timestamp::from_parts(at.timestamp(), at.timestamp_subsec_nanos()));
    entry.etag = meta.e_tag.as_deref().map(unquoted);
    let Some(attributes) = attributes else { return entry };
    let mut metadata = Metadata::default();
    for (attribute, value) in attributes {
        let text = value.as_ref();
        match attribute {
            Attribute::ContentType => metadata.content_type = Some(text.to_owned()),
            Attribute::CacheControl => metadata.cache_control = Some(text.to_owned()),
            Attribute::ContentDisposition => metadata.content_disposition = Some(text.to_owned()),
            Attribute::ContentEncoding => metadata.content_encoding = Some(text.to_owned()),
            Attribute::ContentLanguage => metadata.content_language = Some(text.to_owned()),
            Attribute::Metadata(name) if name.eq_ignore_ascii_case(MTIME) => {
                entry.modified = text.parse::<jiff::Timestamp>().ok().map(Timestamp::from);
            }
            Attribute::Metadata(name) if name.eq_ignore_ascii_case(SHA256) => {
                Digest::from_hex(Algorithm::Sha256, text).into_iter().for_each(|digest| entry.digests.set(digest));
            }
            Attribute::Metadata(name) => drop(metadata.user.insert(name.to_lowercase(), text.to_owned())),
            _ => {}
        }
    }
    // Who wrote no time wrote the object when it was stored.
    entry.modified = entry.modified.or(entry.stored);
    entry.metadata = Some(Arc::new(metadata));
    entry
}

fn unquoted(etag: &str) -> Arc<str> {
    etag.trim_matches('"').into()
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// What travels beside the bytes.
fn attributes(request: &PutRequest, digests: &Digests) -> Attributes {
    let mut attributes = Attributes::new();
    let mut set = |attribute, text: Option<String>| {
        if let Some(text) = text {
            attributes.insert(attribute, AttributeValue::from(text));
        }
    };
    let metadata = &request.metadata;
    set(Attribute::ContentType, metadata.content_type.clone());
    set(Attribute::CacheControl, metadata.cache_control.clone());
    set(Attribute::ContentDisposition, metadata.content_disposition.clone());
    set(Attribute::ContentEncoding, metadata.content_encoding.clone());
    set(Attribute::ContentLanguage, metadata.content_language.clone());
    set(Attribute::Metadata(Cow::Borrowed(MTIME)), request.modified.map(|time| time.to_string()));
    let sha256 = digests.get(Algorithm::Sha256).map(|digest| digest.hex());
    set(Attribute::Metadata(Cow::Borrowed(SHA256)), sha256);
    attributes
}

/// The chunks of a body cut into blocks, hashed as they pass.
struct Blocks {
    chunks: Chunks,
    hasher: Hasher,
    rest: BytesMut,
    len: u64,
}

impl Blocks {
    fn new(body: Body, claimed: &Digests) -> Self {
        let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
        algorithms.push(Algorithm::Sha256);
        Self { chunks: body.chunks(), hasher: Hasher::new(&algorithms), rest: BytesMut::new(), len: 0 }
    }

    /// The next block, shorter than the others only where the body ends; empty at its end.
    async fn next(&mut self) -> Result<Bytes> {
        while self.rest.len() < BLOCK {
            let Some(chunk) = self.chunks.try_next().await? else { break };
            self.hasher.update(&chunk);
            self.len += chunk.len() as u64;
            self.rest.extend_from_slice(&chunk);
        }
        let at = self.rest.len().min(BLOCK);
        Ok(self.rest.split_to(at).freeze())
    }

    /// All has passed: what it was.
    ///
    /// # Errors
    /// `Integrity` where it is not what it was said to be.
    fn finish(self, claimed: &Digests) -> Result<(u64, Digests)> {
        let digests = self.hasher.finish();
        held(Operation::Put, claimed, &digests)?;
        Ok((self.len, digests))
    }
}

async fn put(place: &Place, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    let operation = Operation::Put;
    let path = place.path(operation, key)?;
    let mut blocks = Blocks::new(body.sized(request.size)?, &request.digests);
    let first = blocks.next().await?;
    let (stored, (len, digests)) = if first.len() < BLOCK {
        let told = blocks.finish(&request.digests)?;
        let mode = match (&request.if_match, request.if_absent) {
            (Some(etag), _) => PutMode::Update(UpdateVersion { e_tag: Some(quoted(etag)), version: None }),
            (None, true) => PutMode::Create,
            (None, false) => PutMode::Overwrite,
        };
        let options = PutOptions { mode, attributes: attributes(&request, &told.1), ..PutOptions::default() };
        (call(operation, place.service.put_opts(&path, first.into(), options)).await.map_err(missing_container)?, told)
    } else {
        holds(place, key, &request).await?;
        // What is sent with the last call is chosen with the first: only what is known before is recorded.
        let options = PutMultipartOptions {
            attributes: attributes(&request, &request.digests),
            ..PutMultipartOptions::default()
        };
        let mut upload =
            call(operation, place.service.put_multipart_opts(&path, options)).await.map_err(missing_container)?;
        let sent = match send(&mut *upload, first, &mut blocks).await {
            Ok(()) => blocks.finish(&request.digests),
            Err(error) => Err(error),
        };
        match sent {
            Ok(told) => (call(operation, upload.complete()).await.map_err(missing_container)?, told),
            Err(error) => {
                // Blocks that are not committed are nobody's object, and Azure removes them after a week.
                let _best_effort = upload.abort().await;
                return Err(error);
            }
        }
    };
    let mut entry = Entry::object(key.clone(), len);
    entry.etag = stored.e_tag.as_deref().map(unquoted);
    entry.modified = request.modified;
    entry.digests = digests;
    Ok(entry)
}

/// The crate commits blocks without a condition: it is looked at beforehand.
async fn holds(place: &Place, key: &Key, request: &PutRequest) -> Result<()> {
    if !request.if_absent && request.if_match.is_none() {
        return Ok(());
    }
    match place.look(Operation::Put, key).await {
        Ok(_) if request.if_absent => Err(Error::new(ErrorKind::Exists, Operation::Put)),
        Ok(found) if found.etag == request.if_match => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound && request.if_match.is_none() => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Err(Error::new(ErrorKind::Precondition, Operation::Put)),
    }
}

/// Sends block after block, some at once.
async fn send(upload: &mut dyn MultipartUpload, first: Bytes, blocks: &mut Blocks) -> Result<()> {
    let mut sending = VecDeque::from([tokio::spawn(call(Operation::Put, upload.put_part(first.into())))]);
    let outcome = loop {
        let block = match blocks.next().await {
            Ok(block) if block.is_empty() => break Ok(()),
            Ok(block) => block,
            Err(error) => break Err(error),
        };
        if sending.len() >= IN_FLIGHT
            && let Some(oldest) = sending.pop_front()
            && let Err(error) = sent(oldest.await)
        {
            break Err(error);
        }
        sending.push_back(tokio::spawn(call(Operation::Put, upload.put_part(block.into()))));
    };
    for part in sending {
        if outcome.is_err() {
            part.abort();
        } else {
            sent(part.await)?;
        }
    }
    outcome
}

fn sent(part: std::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    part.map_err(|panic| Error::new(ErrorKind::Other, Operation::Put).because(panic))?.map_err(missing_container)
}

/// Where no object was asked for, what is not found is the container.
fn missing_container(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return Error::new(ErrorKind::NoSuchContainer, error.operation()).because(error);
    }
    error
}

async fn read(place: &Place, key: &Key, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    if request.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    let Ok(path) = place.path(operation, key) else { return Err(Error::new(ErrorKind::NotFound, operation)) };
    if request.range.as_ref().is_some_and(|range| range.start >= range.end) {
        return Ok(Reader { entry: place.look(operation, key).await?, body: Body::empty() });
    }
    let options = GetOptions {
        range: request.range.clone().map(GetRange::Bounded),
        if_match: request.if_match.as_deref().map(quoted),
        ..GetOptions::default()
    };
    let found = match call(operation, place.service.get_opts(&path, options)).await {
        Ok(found) => found,
        Err(error) => {
            let Some(range) = &request.range else { return Err(error) };
            // A range that begins at the end is cut to nothing by our contract, and an error there.
            let entry = match error.kind() {
                ErrorKind::NotFound | ErrorKind::Precondition | ErrorKind::Denied => return Err(error),
                _ => place.look(operation, key).await?,
            };
            if entry.size.is_none_or(|size| range.start < size) {
                return Err(error);
            }
            if request.if_match.is_some() && request.if_match != entry.etag {
                return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
            }
            return Ok(Reader { entry, body: Body::empty() });
        }
    };
    let entry = described(key.clone(), &found.meta, Some(&found.attributes));
    let len = found.range.end.saturating_sub(found.range.start);
    let (name, key) = (place.name.clone(), key.clone());
    let chunks =
        found.into_stream().map_err(move |error| fault(operation, error, Answer::default()).of(&name).at(&key)).boxed();
    Ok(Reader { entry, body: Body::stream(Some(len), chunks) })
}

/// The prefix that is asked for: one letter less where it is no directory, as the crate leaves out the object that is
/// called like the prefix.
fn asked(prefix: &str) -> &str {
    match prefix.chars().next_back() {
        Some(last) if last != '/' => &prefix[..prefix.len() - last.len_utf8()],
        _ => prefix,
    }
}

/// Pages as the service gives them. The crate fails on a page that tells of a key it cannot hold.
fn pages(place: Arc<Place>, request: ListRequest) -> Pages {
    let name = place.name.clone();
    let state = (place, request, Some(None::<String>));
    let pages = stream::try_unfold(state, |(place, request, token)| async move {
        let Some(token) = token else { return Ok(None) };
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let options = PaginatedListOptions {
            delimiter: (!request.recursive).then_some(Cow::Borrowed("/")),
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let prefix = Some(asked(&request.prefix)).filter(|prefix| !prefix.is_empty());
        let page =
            call(Operation::List, place.service.list_paginated(prefix, options)).await.map_err(missing_container)?;
        let key = |path: &str| Key::new(path).map_err(|error| Error::unsupported(Operation::List, error.to_string()));
        let mut entries = Vec::with_capacity(page.result.objects.len());
        for meta in page.result.objects.iter().filter(|meta| meta.location.as_ref().starts_with(&request.prefix)) {
            entries.push(described(key(meta.location.as_ref())?, meta, None));
        }
        for directory in &page.result.common_prefixes {
            entries.push(Entry::directory(key(&format!("{directory}/"))?));
        }
        let next = page.page_token.filter(|token| !token.is_empty()).map(Some);
        Ok(Some((entries, (place, request, next))))
    });
    pages.map_err(move |error: Error| error.of(&name)).boxed()
}

async fn delete_one(place: &Place, target: &Deleted) -> Result<()> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    let Ok(path) = place.path(Operation::Delete, &target.key) else { return Ok(()) };
    match call(Operation::Delete, place.service.delete(&path)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        deleted => deleted,
    }
}

/// A container of Azure Blob.
#[derive(Debug)]
struct Azure {
    place: Arc<Place>,
}

#[async_trait]
impl Store for Azure {
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
        let looked = match version {
            Some(_) => Err(Error::unsupported(Operation::Stat, "no old versions")),
            None => self.place.look(Operation::Stat, key).await,
        };
        looked.map_err(|error| self.place.name_error(error, Some(key)))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        read(&self.place, key, request).await.map_err(|error| self.place.name_error(error, Some(key)))
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        put(&self.place, key, request, body).await.map_err(|error| self.place.name_error(error, Some(key)))
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let place = &self.place;
        delete_each(targets, AT_ONCE, |target| async move {
            delete_one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
        })
        .await
    }

    /// Directories are nothing there. The crate makes no containers.
    async fn make_directory(&self, path: &str) -> Result<()> {
        if !path.is_empty() {
            return Ok(());
        }
        let listed = pages(Arc::clone(&self.place), ListRequest::level("")).try_next().await;
        listed.map(drop).map_err(|error| match error.kind() {
            ErrorKind::NoSuchContainer => {
                Error::unsupported(Operation::MakeDirectory, "make the container by other means").of(&self.place.name)
            }
            _ => error,
        })
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        if !path.is_empty() {
            return Ok(());
        }
        Err(Error::unsupported(Operation::Delete, "remove the container by other means").of(&self.place.name))
    }
}
