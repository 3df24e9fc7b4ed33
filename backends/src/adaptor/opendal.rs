//! A service of opendal as a store.
//!
//! opendal gives neither atomic writes nor time limits, and folds some keys. So: an object is written under a temporary
//! name, looked at, and renamed, where the service renames; every call has its time; a key that the library would change
//! is refused. Nothing is tried again here.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use opendal::{Operator, Writer};

use super::{
    calls::{fault, within},
    walk,
};
use crate::{
    body::Body,
    capability::{Capabilities, DeleteMeaning, KeyRules, MetadataAbility, Order},
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests, Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    registry::{Family, Opened, OptionSpec, Remote},
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store, delete_each},
    unfinished::{Draft, Removes, Stale, is_unfinished},
};

/// How long one call may take: longer than any answer that is still on its way, connecting included.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take over what it does with a whole object: closing it, renaming it.
const LONG_WORK: Duration = Duration::from_secs(300);
/// Objects deleted at once.
const AT_ONCE: usize = 4;

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    /// opendal's word for it.
    scheme: &'static str,
    /// The option that takes what stands between `//` and the path in a URL, and what is put before it.
    host: (&'static str, &'static str),
    /// Objects in flight that suit it.
    transfers: usize,
}

/// Through the `ssh` program: its configuration, agent and known hosts hold.
#[cfg(feature = "sftp")]
static SFTP_SERVICE: Service = Service { scheme: "sftp", host: ("endpoint", "ssh://"), transfers: 4 };

/// The registry's entry for SFTP.
#[cfg(feature = "sftp")]
pub static SFTP: Family = Family {
    name: "sftp",
    schemes: &["sftp"],
    about: "SFTP, through the ssh program",
    options: &[
        OptionSpec::text("endpoint", "[user@]host, ssh://[user@]host[:port], or a Host of ssh's configuration"),
        OptionSpec::text("root", "the directory on the server; without it, the one a login starts in"),
        OptionSpec::text("user", "whom to sign in as"),
        OptionSpec::text("key", "the file of the private key; without it, ssh looks where it always does"),
        OptionSpec::text("known_hosts_strategy", "Strict (the default), Add or Accept unknown host keys"),
    ],
    open: |remote, path| open(remote, path, &SFTP_SERVICE).boxed(),
    buckets: None,
};

/// Opens a service with the options the remote has. Nothing is asked of the server yet.
///
/// # Errors
/// `Config` for what the library does not take.
async fn open(remote: &Remote, path: &str, service: &'static Service) -> Result<Opened> {
    let mut options: Vec<(String, String)> = remote
        .family
        .options
        .iter()
        .filter_map(|spec| remote.text(spec.name).map(|value| (spec.name.to_owned(), value.to_owned())))
        .collect();
    let mut prefix = path.trim_start_matches('/');
    let (host_option, before) = service.host;
    if remote.text(host_option).is_none() {
        if !remote.family.schemes.contains(&remote.name.as_str()) {
            return Err(remote.wrong(format!("it needs the option '{host_option}'")));
        }
        let (host, rest) = prefix.split_once('/').unwrap_or((prefix, ""));
        if host.is_empty() {
            return Err(remote.wrong(format!("name a host: {}://HOST/PATH", remote.name)));
        }
        options.push((host_option.to_owned(), format!("{before}{host}")));
        options.push(("root".to_owned(), "/".to_owned()));
        prefix = rest;
    }
    // Without opendal's default features nobody else makes its services known.
    opendal::install_default();
    let operator = Operator::via_iter(service.scheme, options)
        .map_err(|error| fault(Operation::Open, error).of(format!("{}:", remote.name)))?;
    let capabilities = capabilities(service, operator.info().capability());
    let name = format!("{}:", remote.name);
    let place = Place { name, operator, capabilities, stale: Stale::default() };
    Ok(Opened { store: Arc::new(Adapted { place: Arc::new(place) }), prefix: prefix.to_owned() })
}

/// What the service can do, where it is a tree of files.
fn capabilities(service: &Service, can: opendal::Capability) -> Capabilities {
    Capabilities {
        keys: KeyRules {
            max_bytes: Key::MAX_BYTES,
            max_segment: 255,
            empty_segments: false,
            dot_segments: false,
            control: true,
            backslash: true,
            leading_space: false,
            trailing_space: false,
            file_beside_directory: false,
            folds_case: false,
        },
        order: Order::Unknown,
        // The library tells times and sets none.
        modified: None,
        modified_assumed: false,
        modified_in_list: false,
        digests_in_list: Vec::new(),
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: can.write_total_max_size.map_or(u64::MAX, |most| most as u64),
        multipart: None,
        copy: None,
        conditional_put: false,
        delete: DeleteMeaning::Removes,
        delete_batch: 1,
        versions: false,
        old_versions: None,
        metadata: MetadataAbility::default(),
        read_only: !can.write,
        directories: true,
        transfers: service.transfers,
    }
}

/// The service, as all calls share it.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub operator: Operator,
    pub capabilities: Capabilities,
    /// Temporary files that nobody works on any more, seen in listings.
    pub stale: Stale,
}

impl Place {
    fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that the service or the library would change.
    fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        if let Some(why) = self.capabilities.keys.refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        if is_unfinished(key) {
            return Err(Error::unsupported(operation, "files on their way are called so"));
        }
        Ok(())
    }

    /// # Errors
    /// `NotFound`, for directories, too.
    async fn look(&self, operation: Operation, key: &Key) -> Result<Entry> {
        match self.look_at(operation, key).await? {
            Some(found) if found.is_object() => Ok(found),
            _ => Err(Error::new(ErrorKind::NotFound, operation)),
        }
    }

    /// What lies there, if something does.
    async fn look_at(&self, operation: Operation, key: &Key) -> Result<Option<Entry>> {
        if self.accepts(operation, key).is_err() {
            return Ok(None);
        }
        match within(PATIENCE, operation, self.operator.stat(key)).await {
            Ok(found) if found.is_dir() => Ok(Some(Entry::directory(key.clone()))),
            Ok(found) => Ok(Some(described(key.clone(), &found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => self.below_an_object(operation, key).await.map_or(Ok(None), |()| Err(error)),
        }
    }

    /// Some servers fail, rather than find nothing, where a directory of the path is a file.
    ///
    /// # Errors
    /// `Exists` where that is so.
    async fn below_an_object(&self, operation: Operation, key: &str) -> Result<()> {
        for (at, _) in key.match_indices('/') {
            let above = within(PATIENCE, operation, self.operator.stat(&key[..at])).await;
            if above.is_ok_and(|found| !found.is_dir()) {
                let why = format!("'{}' is no directory", &key[..at]);
                return Err(Error::new(ErrorKind::Exists, operation).because(why));
            }
        }
        Ok(())
    }

    /// Why a write failed, where what lies there explains it.
    async fn explain(&self, key: &Key, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Other | ErrorKind::Exists)
        {
            return error;
        }
        if let Err(exists) = self.below_an_object(Operation::Put, key).await {
            return exists;
        }
        match within(PATIENCE, Operation::Put, self.operator.stat(key)).await {
            Ok(found) if found.is_dir() => {
                Error::new(ErrorKind::Exists, Operation::Put).because("a directory has that name")
            }
            // A directory was removed when it had just been made; the next try makes it again.
            _ if error.kind() == ErrorKind::NotFound => {
                Error::new(ErrorKind::Unavailable, Operation::Put).because(error)
            }
            _ => error,
        }
    }

    /// Removes what listings saw and nobody works on. Only who writes may, so a listing does not.
    async fn sweep(&self) {
        for path in self.stale.take() {
            let _best_effort = within(PATIENCE, Operation::Put, self.operator.delete(&path)).await;
        }
    }
}

impl Removes for Place {
    async fn discard(&self, path: &str) {
        let _best_effort = within(PATIENCE, Operation::Put, self.operator.delete(path)).await;
    }
}

/// An object as the library tells of it.
pub(super) fn described(key: Key, found: &opendal::Metadata) -> Entry {
    let mut entry = Entry::object(key, found.content_length());
    entry.stored = found.last_modified().map(|time| time.into_inner().into());
    entry.etag = found.etag().map(|etag| etag.trim_matches('"').into());
    entry
}

/// What was sent.
struct Sent {
    len: u64,
    digests: Digests,
}

/// Writes all of `body`. Whoever gets an error gives the writer up: closing it would store what had come.
async fn fill(writer: &mut Writer, body: Body, claimed: &Digests) -> Result<Sent> {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.push(Algorithm::Sha256);
    let (mut hasher, mut len) = (Hasher::new(&algorithms), 0);
    let mut chunks = body.chunks();
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
        len += chunk.len() as u64;
        within(PATIENCE, Operation::Put, writer.write(chunk)).await?;
    }
    let digests = hasher.finish();
    held(Operation::Put, claimed, &digests)?;
    Ok(Sent { len, digests })
}

/// Writes to a temporary name, looks at it, and renames it.
async fn put(place: &Arc<Place>, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    let operator = &place.operator;
    place.accepts(Operation::Put, key)?;
    let body = body.sized(request.size)?;
    if request.if_absent || request.if_match.is_some() {
        match place.look_at(Operation::Put, key).await? {
            Some(_) if request.if_absent => return Err(Error::new(ErrorKind::Exists, Operation::Put)),
            found
                if request.if_match.is_some()
                    && found.as_ref().and_then(|found| found.etag.clone()) != request.if_match =>
            {
                return Err(Error::new(ErrorKind::Precondition, Operation::Put));
            }
            _ => {}
        }
    }
    place.sweep().await;
    let draft = Draft::beside(place, key);
    let written = async {
        let mut writer = within(PATIENCE, Operation::Put, operator.writer(&draft.path)).await?;
        let sent = match fill(&mut writer, body, &request.digests).await {
            Ok(sent) => sent,
            Err(error) => {
                let _best_effort = within(PATIENCE, Operation::Put, writer.abort()).await;
                return Err(error);
            }
        };
        within(LONG_WORK, Operation::Put, writer.close()).await?;
        let stored = within(PATIENCE, Operation::Put, operator.stat(&draft.path)).await?;
        if stored.content_length() != sent.len {
            let why = format!("{} bytes were sent and {} are there", sent.len, stored.content_length());
            return Err(Error::new(ErrorKind::Integrity, Operation::Put).because(why));
        }
        within(LONG_WORK, Operation::Put, operator.rename(&draft.path, key)).await?;
        let mut entry = described(key.clone(), &stored);
        sent.digests.iter().for_each(|digest| entry.digests.set(*digest));
        Ok(entry)
    };
    let written = written.await;
    draft.done(&written).await;
    match written {
        Err(error) => Err(place.explain(key, error).await),
        written => written,
    }
}

/// How often an object that is replaced while it is opened is looked at anew.
const LOOKS: usize = 5;

/// Reads a range. The library tells of an object and opens it in two calls, between which it may be replaced: so it is
/// looked at once more when it is open. The whole of it is read to where it ends, so that one that is longer than was
/// told is an error, not a shorter object.
async fn read(place: &Place, key: &Key, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    if request.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    let mut entry = place.look(operation, key).await?;
    for _ in 0..LOOKS {
        if request.if_match.is_some() && entry.etag.is_some() && entry.etag != request.if_match {
            return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
        }
        let size = entry.size.unwrap_or_default();
        let asked = request.range.clone().unwrap_or(0..size);
        let end = asked.end.min(size);
        let len = end.saturating_sub(asked.start);
        if len == 0 {
            return Ok(Reader { entry, body: Body::empty() });
        }
        let reader = within(PATIENCE, operation, place.operator.reader(key)).await?;
        let range = if end == size { opendal::BytesRange::from(asked.start..) } else { (asked.start..end).into() };
        let mut chunks = within(PATIENCE, operation, reader.into_stream(range)).await?;
        let first = within(PATIENCE, operation, chunks.try_next()).await?;
        let now = place.look(operation, key).await?;
        if (now.size, now.stored, &now.etag) != (entry.size, entry.stored, &entry.etag) {
            entry = now;
            continue;
        }
        let rest = stream::try_unfold(chunks, |mut chunks| async move {
            let next = within(PATIENCE, Operation::Read, chunks.try_next()).await?;
            Ok(next.map(|chunk| (chunk.to_bytes(), chunks)))
        });
        let first = stream::iter(first.map(|chunk| Ok(chunk.to_bytes())));
        let (name, key) = (place.name.clone(), key.clone());
        let chunks = first.chain(rest).map_err(move |error: Error| error.of(&name).at(&key)).boxed();
        return Ok(Reader { entry, body: Body::stream(Some(len), chunks) });
    }
    Err(Error::new(ErrorKind::Unavailable, operation).because("it is replaced again and again"))
}

/// Deletes one object. What the library says of a delete is not believed where something is still there.
async fn delete_one(place: &Place, target: &Deleted) -> Result<bool> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    match place.look_at(Operation::Delete, &target.key).await? {
        Some(found) if found.is_object() => {}
        // A directory is not the object.
        _ => return Ok(false),
    }
    within(PATIENCE, Operation::Delete, place.operator.delete(&target.key)).await.map(|()| true)
}

/// Removes what is empty of `paths` and, then, of what is above; never the root. The server refuses where something is
/// inside, a file on its way included.
async fn prune(place: &Place, mut paths: BTreeSet<String>) {
    // A path sorts before everything below it, so the last is a deepest one.
    while let Some(path) = paths.pop_last() {
        if path.is_empty() || within(PATIENCE, Operation::Delete, place.operator.delete(&path)).await.is_err() {
            continue;
        }
        paths.insert(above(path.trim_end_matches('/')).to_owned());
    }
}

/// The directory a key lies in: empty, or ending in `/`.
fn above(key: &str) -> &str {
    &key[..key.rfind('/').map_or(0, |at| at + 1)]
}

async fn make_directory(place: &Place, path: &str) -> Result<()> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(());
    }
    let operation = Operation::MakeDirectory;
    place.accepts(operation, path)?;
    let made = within(PATIENCE, operation, place.operator.create_dir(&format!("{path}/"))).await;
    // The library takes every refusal for a directory that is there already.
    match within(PATIENCE, operation, place.operator.stat(path)).await {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Exists, operation).because("an object is in the way")),
        Err(error) => {
            place.below_an_object(operation, path).await?;
            made.and(Err(error))
        }
    }
}

async fn remove_directory(place: &Place, path: &str) -> Result<()> {
    let path = path.trim_end_matches('/');
    let operation = Operation::Delete;
    if path.is_empty() {
        return Err(Error::unsupported(operation, "the root of the server stays"));
    }
    place.accepts(operation, path)?;
    match within(PATIENCE, operation, place.operator.stat(path)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.is_dir() => return Err(Error::new(ErrorKind::Exists, operation).because("an object")),
        Ok(_) => {}
    }
    let path = format!("{path}/");
    if !walk::is_empty(place, &path).await? {
        return Err(Error::new(ErrorKind::Exists, operation).because("it is not empty"));
    }
    within(PATIENCE, operation, place.operator.delete(&path)).await
}

/// A service of opendal.
#[derive(Debug)]
struct Adapted {
    place: Arc<Place>,
}

impl Adapted {
    fn named<T>(&self, result: Result<T>, key: &Key) -> Result<T> {
        result.map_err(|error| self.place.name_error(error, Some(key)))
    }
}

#[async_trait]
impl Store for Adapted {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
    }

    fn list(&self, request: ListRequest) -> Pages {
        walk::pages(Arc::clone(&self.place), request)
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
        let results = delete_each(targets, AT_ONCE, |target| async move {
            delete_one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
        })
        .await;
        let gone = targets.iter().zip(&results).filter(|(_, result)| matches!(result, Ok(true)));
        prune(place, gone.map(|(target, _)| above(&target.key).to_owned()).collect()).await;
        results.into_iter().map(|result| result.map(drop)).collect()
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        make_directory(&self.place, path).await.map_err(|error| self.place.name_error(error, None))
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        remove_directory(&self.place, path).await.map_err(|error| self.place.name_error(error, None))
    }
}
