//! [`Memory`]: the store itself.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::Range,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::{behaviour::Behaviour, listing, revision::Content, state::State, upload::Offered};
use crate::{
    body::Body,
    capability::Capabilities,
    digest,
    entry::{Digests, Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{
        Begun, CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest,
        Reader, Store, UploadToken, Whereabouts,
    },
};

/// Where copies find their sources, by container.
static CONTAINERS: LazyLock<Mutex<HashMap<String, Weak<Container>>>> = LazyLock::new(Mutex::default);
/// What `memory:NAME` opens; it lives as long as the process.
static SHARED: LazyLock<Mutex<HashMap<String, Memory>>> = LazyLock::new(Mutex::default);
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// A store in memory. A clone is the same store.
#[derive(Clone)]
pub struct Memory {
    name: String,
    container: Arc<Container>,
}

pub(super) struct Container {
    /// Unique in the process.
    id: String,
    behaviour: Behaviour,
    state: Mutex<State>,
}

impl Container {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({})", self.container.id)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// An empty store of its own, shown as `memory:NAME`; another of the same name is another store.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::with(name, Behaviour::strict())
    }

    /// The same with a behaviour other than [`Behaviour::strict`].
    #[must_use]
    pub fn with(name: impl Into<String>, behaviour: Behaviour) -> Self {
        let name = name.into();
        let id = format!("{name}#{}", SERIAL.fetch_add(1, Ordering::Relaxed));
        Self::open(&name, id, behaviour)
    }

    /// The store of that name in this process; empty when it is first named.
    #[must_use]
    pub fn shared(name: impl Into<String>) -> Self {
        let name = name.into();
        locked(&SHARED)
            .entry(name.clone())
            .or_insert_with(|| Self::open(&name, name.clone(), Behaviour::strict()))
            .clone()
    }

    /// The names [`Memory::shared`] was given, in order.
    pub(super) fn shared_names() -> Vec<String> {
        let mut names: Vec<_> = locked(&SHARED).keys().cloned().collect();
        names.sort();
        names
    }

    fn open(name: &str, id: String, behaviour: Behaviour) -> Self {
        let container = Arc::new(Container { id: id.clone(), behaviour, state: Mutex::default() });
        let mut containers = locked(&CONTAINERS);
        containers.retain(|_, known| known.strong_count() > 0);
        containers.insert(id, Arc::downgrade(&container));
        Self { name: format!("memory:{name}"), container }
    }

    fn behaviour(&self) -> &Behaviour {
        &self.container.behaviour
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.container.state()
    }

    /// Names store and key in an error.
    fn told(&self, key: &Key) -> impl Fn(Error) -> Error {
        let (name, key) = (self.name.clone(), key.clone());
        move |error| error.of(name.clone()).at(&key)
    }

    /// All bytes of `body`, which are as many as `size` says.
    async fn receive(&self, operation: Operation, size: Option<u64>, limit: u64, body: Body) -> Result<Bytes> {
        let announced = size.or(body.len()).unwrap_or(0);
        if announced > limit {
            let why = format!("{announced} bytes are more than the {limit} one call takes");
            return Err(Error::new(ErrorKind::BadRequest, operation).because(why));
        }
        let bytes = body.collect().await?;
        let taken = bytes.len() as u64;
        match size {
            Some(size) if size != taken => {
                let why = format!("{size} bytes were announced, {taken} came");
                Err(Error::new(ErrorKind::BadRequest, operation).because(why))
            }
            _ => Ok(bytes),
        }
    }

    /// What `source` names.
    fn source(&self, operation: Operation, source: &CopySource) -> Result<Content> {
        source.near(operation, &self.behaviour().capabilities)?;
        let container = locked(&CONTAINERS).get(&source.container).and_then(Weak::upgrade);
        let container = container.ok_or_else(|| Error::new(ErrorKind::NoSuchContainer, operation))?;
        let state = container.state();
        let (_, _, content) = state.find(&container.behaviour, operation, &source.key, source.version.as_ref())?;
        if source.if_match.is_some() && content.etag != source.if_match {
            return Err(Error::new(ErrorKind::Precondition, operation));
        }
        Ok(content.clone())
    }

    fn copied(&self, source: &CopySource, key: &Key, request: &PutRequest) -> Result<Entry> {
        const COPY: Operation = Operation::Copy;
        let content = self.source(COPY, source)?;
        let limit = self.behaviour().capabilities.copy.as_ref().map_or(0, |ability| ability.max_copy);
        if content.size() > limit {
            return Err(Error::new(ErrorKind::BadRequest, COPY).because("too large to be copied in one call"));
        }
        if digest::contradicted(&request.digests, &content.bytes).is_some() {
            return Err(Error::new(ErrorKind::Integrity, COPY).because("the source is not what its digests say"));
        }
        let mut whole = request.clone();
        whole.modified = request.modified.or_else(|| content.modified.filter(|_| !request.replace_metadata));
        whole.digests = content.digests.iter().chain(request.digests.iter()).copied().collect();
        if !request.replace_metadata {
            whole.metadata = Arc::clone(&content.metadata);
        }
        let mut state = self.state();
        state.permits(self.behaviour(), COPY, key, request)?;
        let content = Content::new(self.behaviour(), &whole, content.bytes, None);
        Ok(state.store(self.behaviour(), key, content))
    }
}

#[async_trait]
impl Store for Memory {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.behaviour().capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        Some(Whereabouts::new(format!("memory:{}", self.container.id), std::time::Duration::ZERO))
    }

    fn list(&self, request: ListRequest) -> Pages {
        let store = self.clone();
        let pages = async move {
            let pages = listing::pages(&store.state(), store.behaviour(), &request);
            let pages = match pages {
                Ok(pages) => pages.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error.of(store.name))],
            };
            futures::stream::iter(pages)
        };
        futures::stream::once(pages).flatten().boxed()
    }

    async fn tags(&self, key: &Key, version: Option<&Version>) -> Result<BTreeMap<String, String>> {
        Ok(self.stat(key, version).await?.metadata.map(|metadata| metadata.tags.clone()).unwrap_or_default())
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        let state = self.state();
        let (object, revision, _) =
            state.find(self.behaviour(), Operation::Stat, key, version).map_err(self.told(key))?;
        Ok(revision.entry(self.behaviour(), &object.key, true))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        let state = self.state();
        let told = self.told(key);
        let (object, revision, content) =
            state.find(self.behaviour(), Operation::Read, key, request.version.as_ref()).map_err(&told)?;
        let failed = |kind| told(Error::new(kind, Operation::Read));
        if request.if_match.is_some() && content.etag.is_some() && content.etag != request.if_match {
            return Err(failed(ErrorKind::Precondition));
        }
        let size = content.size();
        let Range { start, end } = request.range.unwrap_or(0..size);
        if start > size || start > end || end > ReadRequest::FAR {
            return Err(failed(ErrorKind::BadRequest).because("the range lies outside the object"));
        }
        let inside = |offset: u64| usize::try_from(offset.min(size)).expect("it lies in memory");
        let body = content.body(self.behaviour(), inside(start), inside(end));
        Ok(Reader { entry: revision.entry(self.behaviour(), &object.key, true), body })
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        let told = self.told(key);
        self.state().permits(self.behaviour(), Operation::Put, key, &request).map_err(&told)?;
        let limit = self.behaviour().capabilities.max_put;
        let bytes = self.receive(Operation::Put, request.size, limit, body).await.map_err(&told)?;
        if let Some(claim) = digest::contradicted(&request.digests, &bytes) {
            let error = Error::new(ErrorKind::Integrity, Operation::Put);
            return Err(told(error.because(format!("what came is not {claim}"))));
        }
        let content = Content::new(self.behaviour(), &request, bytes, None);
        let mut state = self.state();
        state.permits(self.behaviour(), Operation::Put, key, &request).map_err(&told)?;
        Ok(state.store(self.behaviour(), key, content))
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        self.state().begin(self.behaviour(), key, request).map_err(self.told(key))
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        const PUT_PART: Operation = Operation::PutPart;
        let told = self.told(&token.key);
        self.state().upload(PUT_PART, token).map(drop).map_err(&told)?;
        let limit = self.behaviour().capabilities.multipart.map_or(0, |ability| ability.max_part);
        let bytes = self.receive(PUT_PART, None, limit, body).await.map_err(&told)?;
        let mut state = self.state();
        let offered = Offered { number: part.number, offset: Some(part.offset), digests: &part.digests, bytes };
        state.take_part(self.behaviour(), PUT_PART, token, offered).map_err(&told)
    }

    async fn copy_part(&self, token: &UploadToken, number: u32, from: &CopySource, range: Range<u64>) -> Result<Part> {
        const COPY_PART: Operation = Operation::CopyPart;
        let told = self.told(&token.key);
        if self.behaviour().capabilities.copy.as_ref().is_none_or(|ability| !ability.parts) {
            return Err(told(Error::unsupported(COPY_PART, "no copies of parts")));
        }
        let content = self.source(COPY_PART, from).map_err(&told)?;
        if range.start > range.end || range.end > content.size() {
            return Err(told(Error::new(ErrorKind::BadRequest, COPY_PART).because("the range lies outside")));
        }
        let inside = |offset: u64| usize::try_from(offset).expect("it lies in memory");
        let bytes = content.bytes.slice(inside(range.start)..inside(range.end));
        let mut state = self.state();
        let offered = Offered { number, offset: None, digests: &Digests::new(), bytes };
        state.take_part(self.behaviour(), COPY_PART, token, offered).map_err(&told)
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        self.state().complete(self.behaviour(), token, request, parts).map_err(self.told(&token.key))
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        let mut state = self.state();
        state.present(Operation::Abort).map_err(self.told(&token.key))?;
        state.uploads.remove(&token.id);
        Ok(())
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        let mut state = self.state();
        state.upload(Operation::ListParts, token).map(|upload| upload.parts()).map_err(self.told(&token.key))
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        if self.behaviour().capabilities.multipart.is_none() {
            return Err(Error::unsupported(Operation::ListParts, "no uploads in parts").of(&*self.name));
        }
        let state = self.state();
        state.present(Operation::ListParts).map_err(|error| error.of(&*self.name))?;
        Ok(state.open_uploads(prefix))
    }

    async fn begun(&self, key: &Key, request: &PutRequest) -> Result<Vec<Begun>> {
        let state = self.state();
        state.present(Operation::ListParts).map_err(self.told(key))?;
        Ok(state.begun(key, request))
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        let ability = self.behaviour().capabilities.copy.as_ref()?;
        Some(CopySource {
            domain: ability.domain.clone(),
            container: self.container.id.clone(),
            key: key.clone(),
            version: None,
            if_match: None,
            size: None,
        })
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        self.copied(source, key, &request).map_err(self.told(key))
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let mut state = self.state();
        let erase = |target: &Deleted| {
            state.present(Operation::Delete).map_err(self.told(&target.key))?;
            state.erase(self.behaviour(), &target.key, target.version.as_ref());
            Ok(())
        };
        targets.iter().map(erase).collect()
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        const SET: Operation = Operation::SetMetadata;
        let told = self.told(key);
        let can = &self.behaviour().capabilities;
        if can.modified.is_none() && can.metadata == Default::default() {
            return Err(told(Error::unsupported(SET, "nothing but bytes is kept")));
        }
        let mut state = self.state();
        let (_, _, content) = state.find(self.behaviour(), SET, key, None).map_err(&told)?;
        if can.conditional_put && request.if_match.is_some() && content.etag != request.if_match {
            return Err(told(Error::new(ErrorKind::Precondition, SET)));
        }
        if can.copy.as_ref().is_some_and(|copy| content.size() > copy.max_copy) {
            return Err(told(Error::new(ErrorKind::BadRequest, SET).because("too large to be copied onto itself")));
        }
        let mut content = content.clone();
        let kept = if request.replace_metadata { request.metadata } else { Arc::clone(&content.metadata) };
        content.describe(self.behaviour(), &PutRequest { metadata: kept, ..request });
        state.store(self.behaviour(), key, content);
        Ok(())
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        let mut state = self.state();
        if path.is_empty() {
            state.gone = false;
            return Ok(());
        }
        state.present(Operation::MakeDirectory).map_err(|error| error.of(&*self.name))?;
        let can = &self.behaviour().capabilities;
        if can.directories {
            if !can.keys.file_beside_directory && state.objects.contains_key(path.trim_end_matches('/')) {
                return Err(Error::new(ErrorKind::Exists, Operation::MakeDirectory).of(&*self.name));
            }
            state.add_directory(path);
        }
        Ok(())
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        let mut state = self.state();
        if state.gone {
            return Ok(());
        }
        if (path.is_empty() || self.behaviour().capabilities.directories) && !state.is_empty(path) {
            let error = Error::new(ErrorKind::Exists, Operation::Delete);
            return Err(error.of(&*self.name).because("the directory is not empty"));
        }
        if path.is_empty() {
            state.gone = true;
        } else {
            state.remove_directory(path);
        }
        Ok(())
    }
}
