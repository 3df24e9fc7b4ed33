//! A snapshot as a store that is only read.

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};
use sterna_backends::{
    Algorithm, Body, Capabilities, Chunks, CopySource, DeleteMeaning, Deleted, Entry, Error, ErrorKind, Key, KeyRules,
    ListRequest, Operation, Order, Pages, PutRequest, ReadRequest, Reader, Result, Store, Version,
    capability::MetadataAbility, digest::not_as_claimed,
};

use super::{Archive, Content, Line, Manifest, SnapshotId, layout::Shape};

/// Entries of a page.
const PAGE: usize = 1000;

/// The objects of a snapshot under their paths, with their SHA-256, times and metadata.
#[derive(Debug)]
pub struct Snapshot {
    store: Arc<dyn Store>,
    manifest: Manifest,
    name: String,
    can: Capabilities,
}

impl Snapshot {
    pub(super) fn new(archive: &Archive, id: &SnapshotId, manifest: Manifest) -> Self {
        let inner = archive.store.capabilities();
        let can = Capabilities {
            keys: KeyRules::ANY,
            order: Order::Bytes,
            modified: Some(Duration::from_nanos(1)),
            modified_assumed: false,
            modified_in_list: true,
            digests_in_list: vec![Algorithm::Sha256],
            digests_in_stat: vec![Algorithm::Sha256],
            multipart: None,
            // What is copied by a server or by the file system is not read, and so not proven.
            copy: None,
            conditional_put: false,
            delete: DeleteMeaning::Removes,
            versions: false,
            old_versions: None,
            metadata: MetadataAbility {
                content_type: true,
                headers: true,
                user: true,
                storage_class: false,
                tags: false,
            },
            read_only: true,
            directories: false,
            ..inner.clone()
        };
        Self { store: Arc::clone(&archive.store), manifest, name: format!("{}#{id}", archive.store.name()), can }
    }

    /// What it is read from.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of an object. They end in an error where they are not what the manifest names.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn proven(&self, key: &Key) -> Result<Chunks> {
        let wanted = self.line(Operation::Read, key)?.sha256;
        let chunks = self.read(key, ReadRequest::default()).await?.body.chunks();
        let damaged = not_as_claimed(Operation::Read, Algorithm::Sha256).retryable(false).of(&self.name).at(key);
        let state = (chunks, Some((Sha256::new(), damaged)));
        Ok(stream::try_unfold(state, move |(mut chunks, state)| async move {
            let Some((mut sha256, damaged)) = state else { return Ok(None) };
            match chunks.try_next().await? {
                Some(chunk) => {
                    sha256.update(&chunk);
                    Ok(Some((chunk, (chunks, Some((sha256, damaged))))))
                }
                None if Content(sha256.finalize().into()) == wanted => Ok(None),
                None => Err(damaged),
            }
        })
        .boxed())
    }

    fn line(&self, operation: Operation, key: &Key) -> Result<Line> {
        let gone = || Error::new(ErrorKind::NotFound, operation).of(&self.name).at(key);
        self.manifest.find(key)?.ok_or_else(gone)
    }

    fn refuse(&self, operation: Operation) -> Error {
        Error::new(ErrorKind::Denied, operation).of(&self.name).because("a snapshot never changes")
    }
}

/// One level of a listing: what is deeper as one directory each.
fn level(prefix: &str, entry: Entry, last: &mut Option<Key>) -> Option<Entry> {
    let deeper = entry.key[prefix.len()..].find('/').map(|at| prefix.len() + at + 1);
    let entry = match deeper {
        Some(end) => Entry::directory(Key::new(&entry.key[..end]).ok()?),
        None => entry,
    };
    if last.as_ref() == Some(&entry.key) {
        return None;
    }
    *last = Some(entry.key.clone());
    Some(entry)
}

#[async_trait]
impl Store for Snapshot {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    fn list(&self, request: ListRequest) -> Pages {
        let (prefix, recursive) = (request.prefix, request.recursive);
        let mut last = None;
        let entries = self.manifest.lines().filter_map(move |line| {
            let entry = match line {
                Ok(line) => line.entry(),
                Err(error) => return Some(Err(error)),
            };
            if !entry.key.starts_with(&prefix) {
                return None;
            }
            if recursive { Some(Ok(entry)) } else { level(&prefix, entry, &mut last).map(Ok) }
        });
        stream::iter(entries).try_chunks(PAGE).map_err(|chunk| chunk.1).boxed()
    }

    async fn stat(&self, key: &Key, _version: Option<&Version>) -> Result<Entry> {
        self.line(Operation::Stat, key).map(|line| line.entry())
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        let line = self.line(Operation::Read, key)?;
        let wanted = request.range.unwrap_or(0..line.size);
        let wanted = wanted.start.min(line.size)..wanted.end.min(line.size);
        let entry = line.entry();
        if line.chunks.is_empty() {
            let at = Shape::Whole.key(line.sha256);
            let whole = wanted == (0..line.size);
            let range = (!whole).then(|| wanted.clone());
            let reader = self.store.read(&at, ReadRequest { range, ..ReadRequest::default() }).await?;
            if reader.entry.size.is_some_and(|size| size != line.size) {
                let why = format!("the content {} has another size", line.sha256);
                return Err(Error::new(ErrorKind::Integrity, Operation::Read)
                    .retryable(false)
                    .of(&self.name)
                    .at(key)
                    .because(why));
            }
            return Ok(Reader { entry, body: reader.body });
        }
        let store = Arc::clone(&self.store);
        let len = wanted.end.saturating_sub(wanted.start);
        let pieces = stream::iter(pieces(&line, &wanted)).then(move |(at, range)| {
            let store = Arc::clone(&store);
            async move {
                let request = ReadRequest { range: Some(range), ..ReadRequest::default() };
                Ok::<_, Error>(store.read(&at, request).await?.body.chunks())
            }
        });
        Ok(Reader { entry, body: Body::stream(Some(len), pieces.try_flatten().boxed()) })
    }

    /// Where the content lies, for who makes a view; `None` where it lies in pieces.
    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        let line = self.line(Operation::Copy, key).ok().filter(|line| line.chunks.is_empty())?;
        let at = self.store.copy_source(&Shape::Whole.key(line.sha256))?;
        Some(CopySource { size: Some(line.size), ..at })
    }

    async fn put(&self, _key: &Key, _request: PutRequest, _body: Body) -> Result<Entry> {
        Err(self.refuse(Operation::Put))
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

/// The pieces that hold the bytes `wanted`, each with the range of it.
fn pieces(line: &Line, wanted: &Range<u64>) -> Vec<(Key, Range<u64>)> {
    let mut start = 0;
    let mut found = Vec::new();
    for (content, size) in &line.chunks {
        let end = start + size;
        if start < wanted.end && end > wanted.start {
            let range = wanted.start.max(start) - start..wanted.end.min(end) - start;
            found.push((Shape::Piece.key(*content), range));
        }
        start = end;
    }
    found
}
