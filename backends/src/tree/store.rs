//! The contract, call by call.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};

use super::{delete, family::Tree, list, parts, put};
use crate::{
    body::Body,
    capability::Capabilities,
    directories::make,
    entry::{Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{
        CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest, Reader,
        Store, UploadToken, Whereabouts,
    },
};

/// A directory on a server, as a store.
#[derive(Debug)]
pub(crate) struct TreeStore<T> {
    tree: Arc<T>,
}

impl<T: Tree> TreeStore<T> {
    pub fn new(tree: T) -> Self {
        Self { tree: Arc::new(tree) }
    }

    fn named<R>(&self, result: Result<R>, key: &Key) -> Result<R> {
        result.map_err(|error| self.tree.root().named(error, Some(key)))
    }
}

#[async_trait]
impl<T: Tree> Store for TreeStore<T> {
    fn name(&self) -> &str {
        &self.tree.root().name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.tree.root().capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        self.tree.whereabouts()
    }

    fn list(&self, request: ListRequest) -> Pages {
        list::pages(Arc::clone(&self.tree), request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        self.named(stat(&*self.tree, key, version).await, key)
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        self.named(read(&self.tree, key, request).await, key)
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        self.named(put::put(&self.tree, key, request, body).await, key)
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        self.named(parts::begin(&self.tree, key, request).await, key)
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        self.named(parts::put_part(&*self.tree, token, part, body).await, &token.key)
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        self.named(parts::complete(&self.tree, token, request, parts).await, &token.key)
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        self.named(parts::abort(&*self.tree, token).await, &token.key)
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        self.named(parts::parts(&self.tree, token).await, &token.key)
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        parts::uploads(&self.tree, prefix).await.map_err(|error| self.tree.root().named(error, None))
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        let root = self.tree.root();
        let domain = root.capabilities.copy.as_ref()?.domain.clone();
        let container = root.path.clone();
        Some(CopySource { domain, container, key: key.clone(), version: None, if_match: None, size: None })
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        self.named(put::copy(&self.tree, source, key, request).await, key)
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        delete::delete(&*self.tree, targets).await
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        self.named(set_time(&*self.tree, key, &request).await, key)
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        let root = self.tree.root();
        let made = async { make(&*self.tree, &root.directory(Operation::MakeDirectory, path)?).await };
        made.await.map_err(|error| root.named(error, None))
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        let removed = delete::remove_directory(&*self.tree, path).await;
        removed.map_err(|error| self.tree.root().named(error, None))
    }
}

async fn stat<T: Tree>(tree: &T, key: &Key, version: Option<&Version>) -> Result<Entry> {
    if version.is_some() {
        return Err(Error::unsupported(Operation::Stat, "no old versions"));
    }
    Ok(tree.described(key.clone(), &tree.look_at_object(Operation::Stat, key).await?))
}

async fn read<T: Tree>(tree: &Arc<T>, key: &Key, request: ReadRequest) -> Result<Reader> {
    if request.version.is_some() {
        return Err(Error::unsupported(Operation::Read, "no old versions"));
    }
    if tree.accepts(Operation::Read, key).is_err() {
        return Err(Error::new(ErrorKind::NotFound, Operation::Read));
    }
    let Reader { entry, body } = tree.read(key, &tree.root().path(key), request).await?;
    if body.is_empty() {
        return Ok(Reader { entry, body });
    }
    let (tree, key, len) = (Arc::clone(tree), key.clone(), body.len());
    let chunks = body.chunks().map_err(move |error| tree.root().named(error, Some(&key)));
    Ok(Reader { entry, body: Body::stream(len, chunks.boxed()) })
}

/// The time is all that can be set.
async fn set_time<T: Tree>(tree: &T, key: &Key, request: &PutRequest) -> Result<()> {
    let operation = Operation::SetMetadata;
    let Some(time) = request.modified.filter(|_| tree.sets_times()) else {
        return Err(Error::unsupported(operation, "all that can be set is a time, where the server takes one"));
    };
    tree.look_at_object(operation, key).await?;
    tree.touch(operation, &tree.root().path(key), time).await
}
