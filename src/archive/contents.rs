//! A source seen by its contents: what transfers into an archive read from.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use sterna_backends::{
    Body, Capabilities, CopySource, Deleted, Digest, Entry, Error, Key, ListRequest, Operation, Pages, PutRequest,
    ReadRequest, Reader, Result, Store, Version,
};

use super::Content;

/// Objects and ranges of objects under the keys that their contents have in an archive. Holds only what is on its way.
#[derive(Debug)]
pub(super) struct Contents {
    source: Arc<dyn Store>,
    can: Capabilities,
    known: Mutex<HashMap<Key, Known>>,
}

/// Where the bytes of a content are.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The source's object, as it was listed.
    pub entry: Entry,
    /// The bytes of it that are the content; `None`: all.
    pub range: Option<Range<u64>>,
    /// The content.
    pub content: Content,
}

impl Contents {
    pub(super) fn new(source: &Arc<dyn Store>) -> Self {
        let can = Capabilities { read_only: true, ..source.capabilities().clone() };
        Self { source: Arc::clone(source), can, known: Mutex::default() }
    }

    /// What is to lie under `key` in the archive is read from there; returns its entry.
    pub(super) fn add(&self, key: &Key, at: Known) -> Entry {
        let entry = at.seen(key, &at.entry);
        self.lock().insert(key.clone(), at);
        entry
    }

    /// It has arrived.
    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, operation: Operation, key: &Key) -> Result<Known> {
        self.lock()
            .get(key)
            .cloned()
            .ok_or_else(|| Error::new(sterna_backends::ErrorKind::NotFound, operation).of(self.source.name()).at(key))
    }

    fn refuse(&self, operation: Operation) -> Error {
        Error::unsupported(operation, "contents are only read").of(self.source.name())
    }
}

impl Known {
    /// What the store told of the object, as told of the content.
    fn seen(&self, key: &Key, told: &Entry) -> Entry {
        let size = match &self.range {
            Some(range) => Some(range.end - range.start),
            None => told.size,
        };
        Entry {
            key: key.clone(),
            size,
            digests: [Digest::Sha256(self.content.0)].into_iter().collect(),
            // What travels beside the bytes is the snapshot's affair.
            metadata: Some(Arc::default()),
            ..told.clone()
        }
    }
}

#[async_trait]
impl Store for Contents {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    fn list(&self, _request: ListRequest) -> Pages {
        stream::iter([Err(self.refuse(Operation::List))]).boxed()
    }

    async fn stat(&self, key: &Key, _version: Option<&Version>) -> Result<Entry> {
        let at = self.at(Operation::Stat, key)?;
        let told = self.source.stat(&at.entry.key, at.entry.version.as_ref()).await?;
        Ok(at.seen(key, &told))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        let at = self.at(Operation::Read, key)?;
        let whole = at.range.clone().or_else(|| Some(0..at.entry.size?));
        let range = match (&whole, &request.range) {
            (Some(whole), Some(part)) => {
                let shifted = |to: u64| whole.start.saturating_add(to).min(whole.end);
                Some(shifted(part.start)..shifted(part.end))
            }
            _ if at.range.is_some() => at.range.clone(),
            (_, part) => part.clone(),
        };
        let reader = self.source.read(&at.entry.key, ReadRequest { range, ..request }).await?;
        Ok(Reader { entry: at.seen(key, &reader.entry), body: reader.body })
    }

    async fn put(&self, _key: &Key, _request: PutRequest, _body: Body) -> Result<Entry> {
        Err(self.refuse(Operation::Put))
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        let at = self.at(Operation::Copy, key).ok().filter(|at| at.range.is_none())?;
        self.source.copy_source(&at.entry.key)
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        targets.iter().map(|_| Err(self.refuse(Operation::Delete))).collect()
    }

    async fn make_directory(&self, _path: &str) -> Result<()> {
        Err(self.refuse(Operation::MakeDirectory))
    }

    async fn remove_directory(&self, _path: &str) -> Result<()> {
        Err(self.refuse(Operation::Delete))
    }
}
