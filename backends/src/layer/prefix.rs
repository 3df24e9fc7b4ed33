//! [`Prefix`]: what lies below a prefix, as a store of its own.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use async_trait::async_trait;
use futures::StreamExt;

use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    request::{Called, Ledger, Requests},
    store::{
        Begun, CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest,
        Reader, Store, UploadToken, Whereabouts,
    },
};

/// The objects whose keys start with a text, their keys relative to it.
///
/// Any text will do, with `/` at its end or without. An object whose key *is* the text (the marker of a
/// directory) lies outside: its relative key would be empty.
#[derive(Clone, Debug)]
pub struct Prefix {
    inner: Arc<dyn Store>,
    name: String,
    prefix: Arc<str>,
    capabilities: Capabilities,
}

impl Prefix {
    /// `inner` below `prefix`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, prefix: impl Into<Arc<str>>) -> Self {
        let prefix = prefix.into();
        let mut capabilities = inner.capabilities().clone();
        capabilities.keys.max_bytes = capabilities.keys.max_bytes.saturating_sub(prefix.len());
        // What was to stand first is inside a key now.
        capabilities.keys.leading_space |= !prefix.is_empty() && prefix.trim_start() == &*prefix;
        let slash = if inner.name().ends_with([':', '/']) || prefix.is_empty() { "" } else { "/" };
        let name = format!("{}{slash}{}", inner.name(), prefix.strip_suffix('/').unwrap_or(&prefix));
        Self { inner, name, prefix, capabilities }
    }

    /// The key as the store inside knows it.
    fn outer(&self, operation: Operation, key: &Key) -> Result<Key> {
        Key::new(format!("{}{key}", self.prefix))
            .map_err(|invalid| Error::unsupported(operation, invalid.to_string()).at(key).of(&*self.name))
    }

    fn relative(&self, key: &Key) -> Option<Key> {
        Key::new(key.strip_prefix(&*self.prefix)?).ok()
    }

    fn error(&self, error: Error) -> Error {
        let key = error.key().and_then(|key| self.relative(key));
        let error = error.of(&*self.name);
        if let Some(key) = key { error.at(&key) } else { error }
    }

    /// # Errors
    /// `Integrity` where the store tells of a key outside the prefix.
    fn entry(&self, operation: Operation, mut entry: Entry) -> Result<Entry> {
        match self.relative(&entry.key) {
            Some(key) => entry.key = key,
            None => {
                let error = Error::new(ErrorKind::Integrity, operation).of(&*self.name).retryable(false);
                return Err(error.because(format!("{:?} lies outside the prefix", entry.key)));
            }
        }
        Ok(entry)
    }

    fn token(&self, operation: Operation, token: &UploadToken) -> Result<UploadToken> {
        Ok(UploadToken { key: self.outer(operation, &token.key)?, id: token.id.clone() })
    }

    fn page(&self, page: Vec<Entry>) -> Result<Vec<Entry>> {
        let inside = page.into_iter().filter(|entry| entry.key.as_str() != &*self.prefix);
        inside.map(|entry| self.entry(Operation::List, entry)).collect()
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

#[async_trait]
impl Store for Prefix {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn list(&self, request: ListRequest) -> Pages {
        let mut inside = request.clone();
        inside.prefix = self.path(&request.prefix);
        inside.enter = request.enter.map(|enter| {
            let prefix = Arc::clone(&self.prefix);
            let translated: crate::store::Enter = Arc::new(move |directory: &str| {
                directory.strip_prefix(&*prefix).is_none_or(|inside| inside.is_empty() || enter(inside))
            });
            translated
        });
        let this = self.clone();
        let pages = self.inner.list(inside);
        pages.map(move |page| page.map_err(|error| this.error(error)).and_then(|page| this.page(page))).boxed()
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        let outer = self.outer(Operation::Stat, key)?;
        let entry = self.inner.stat(&outer, version).await.map_err(|error| self.error(error))?;
        self.entry(Operation::Stat, entry)
    }

    async fn tags(&self, key: &Key, version: Option<&Version>) -> Result<BTreeMap<String, String>> {
        let outer = self.outer(Operation::Stat, key)?;
        self.inner.tags(&outer, version).await.map_err(|error| self.error(error))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        let outer = self.outer(Operation::Read, key)?;
        let reader = self.inner.read(&outer, request).await.map_err(|error| self.error(error))?;
        Ok(Reader { entry: self.entry(Operation::Read, reader.entry)?, body: reader.body })
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        let outer = self.outer(Operation::Put, key)?;
        let entry = self.inner.put(&outer, request, body).await.map_err(|error| self.error(error))?;
        self.entry(Operation::Put, entry)
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        let outer = self.outer(Operation::Begin, key)?;
        let token = self.inner.begin(&outer, request).await.map_err(|error| self.error(error))?;
        Ok(UploadToken { key: key.clone(), id: token.id })
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        let token = self.token(Operation::PutPart, token)?;
        self.inner.put_part(&token, part, body).await.map_err(|error| self.error(error))
    }

    async fn copy_part(&self, token: &UploadToken, number: u32, from: &CopySource, range: Range<u64>) -> Result<Part> {
        let token = self.token(Operation::CopyPart, token)?;
        self.inner.copy_part(&token, number, from, range).await.map_err(|error| self.error(error))
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        let token = self.token(Operation::Complete, token)?;
        let entry = self.inner.complete(&token, request, parts).await.map_err(|error| self.error(error))?;
        self.entry(Operation::Complete, entry)
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        let token = self.token(Operation::Abort, token)?;
        self.inner.abort(&token).await.map_err(|error| self.error(error))
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        let token = self.token(Operation::ListParts, token)?;
        self.inner.parts(&token).await.map_err(|error| self.error(error))
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        let open = self.inner.uploads(&self.path(prefix)).await.map_err(|error| self.error(error))?;
        let inside = open.into_iter().filter_map(|upload| {
            let key = self.relative(&upload.token.key)?;
            Some(IncompleteUpload { token: UploadToken { key, ..upload.token }, ..upload })
        });
        Ok(inside.collect())
    }

    async fn begun(&self, key: &Key, request: &PutRequest) -> Result<Vec<Begun>> {
        let outer = self.outer(Operation::ListParts, key)?;
        let found = self.inner.begun(&outer, request).await.map_err(|error| self.error(error))?;
        let named = |begun: Begun| Begun { token: UploadToken { key: key.clone(), ..begun.token }, ..begun };
        Ok(found.into_iter().map(named).collect())
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        let inside = self.inner.whereabouts()?;
        Some(Whereabouts { base: format!("{}{}", inside.base, self.prefix), ..inside })
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        self.inner.ledger()
    }

    fn requests(&self, call: &Called<'_>) -> Requests {
        // A key that cannot be inside is refused before anything is sent.
        let outer = |key: &Key| self.outer(Operation::Open, key).ok();
        match *call {
            Called::Put { key, replaces, turn } => outer(key)
                .map_or_else(Requests::default, |key| self.inner.requests(&Called::Put { key: &key, replaces, turn })),
            Called::Copy { source, key, replaces, replaces_metadata, dated } => outer(key)
                .map_or_else(Requests::default, |key| {
                    self.inner.requests(&Called::Copy { source, key: &key, replaces, replaces_metadata, dated })
                }),
            Called::Delete(targets) => {
                let inside =
                    |target: &Deleted| Some(Deleted { key: outer(&target.key)?, version: target.version.clone() });
                self.inner.requests(&Called::Delete(&targets.iter().filter_map(inside).collect::<Vec<_>>()))
            }
            _ => self.inner.requests(call),
        }
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        self.inner.copy_source(&self.outer(Operation::Copy, key).ok()?)
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        let outer = self.outer(Operation::Copy, key)?;
        let entry = self.inner.copy(source, &outer, request).await.map_err(|error| self.error(error))?;
        self.entry(Operation::Copy, entry)
    }

    /// A key too long to exist inside is missing, so deleting it succeeds.
    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let outer = |target: &Deleted| {
            let key = self.outer(Operation::Delete, &target.key).ok()?;
            Some(Deleted { key, version: target.version.clone() })
        };
        let mapped: Vec<_> = targets.iter().map(outer).collect();
        let inside: Vec<_> = mapped.iter().flatten().cloned().collect();
        let mut results = self.inner.delete(&inside).await.into_iter();
        let result = |target: &Option<Deleted>| match target {
            Some(_) => results.next().unwrap_or_else(|| Err(missing_result())).map_err(|error| self.error(error)),
            None => Ok(()),
        };
        mapped.iter().map(result).collect()
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        let outer = self.outer(Operation::SetMetadata, key)?;
        self.inner.set_metadata(&outer, request).await.map_err(|error| self.error(error))
    }

    /// The root of the place is the root of the store and the directory that the prefix names.
    async fn make_directory(&self, path: &str) -> Result<()> {
        if path.is_empty() {
            self.inner.make_directory("").await.map_err(|error| self.error(error))?;
        }
        let whole = self.path(path);
        if whole.is_empty() {
            return Ok(());
        }
        self.inner.make_directory(&whole).await.map_err(|error| self.error(error))
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        self.inner.remove_directory(&self.path(path)).await.map_err(|error| self.error(error))
    }
}

/// A store that answers fewer deletions than it was asked for.
pub(super) fn missing_result() -> Error {
    Error::new(ErrorKind::Integrity, Operation::Delete).because("the store gave fewer results than targets")
}
