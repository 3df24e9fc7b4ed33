//! [`Layer`]: what a store around a store changes. Whatever implements it *is* a [`Store`].

use std::{collections::BTreeMap, fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Entry, Key, Version},
    error::{Operation, Result},
    request::{Called, Ledger, Requests},
    store::{
        Begun, CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest,
        Reader, Store, UploadToken, Whereabouts,
    },
};

/// One concern around every call of a store. Each hook passes through unless the layer says otherwise.
pub trait Layer: Send + Sync + fmt::Debug + 'static {
    /// The store inside.
    fn inner(&self) -> &Arc<dyn Store>;

    /// What the store can do, seen through this layer.
    fn facts(&self) -> &Capabilities {
        self.inner().capabilities()
    }

    /// Around every call with one result. `make` makes the call, once each time it is asked; a layer that asks
    /// more than once says how a body comes again in [`Layer::send`].
    fn call<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> impl Future<Output = Result<T>> + Send + 'a {
        make()
    }

    /// Around every call with a body; as [`Layer::call`], the body passing through [`Layer::outgoing`].
    fn send<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: &'a Key,
        body: Body,
        mut make: impl FnMut(Body) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> impl Future<Output = Result<T>> + Send + 'a {
        let mut body = Some(self.outgoing(operation, key, body));
        self.call(operation, Some(key), move || {
            make(body.take().expect("a layer that calls more than once sends bodies its own way"))
        })
    }

    /// A body on its way to the store.
    fn outgoing(&self, _operation: Operation, _key: &Key, body: Body) -> Body {
        body
    }

    /// Around a read; as [`Layer::call`], the answer passing through [`Layer::incoming`].
    fn fetch<'a>(&'a self, key: &'a Key, request: ReadRequest) -> impl Future<Output = Result<Reader>> + Send + 'a {
        async move {
            let reader = self.call(Operation::Read, Some(key), || self.inner().read(key, request.clone())).await?;
            Ok(self.incoming(key, &request, reader))
        }
    }

    /// What was read, on its way to the caller.
    fn incoming(&self, _key: &Key, _request: &ReadRequest, reader: Reader) -> Reader {
        reader
    }

    /// Around a listing.
    fn pages(&self, request: ListRequest) -> Pages {
        self.inner().list(request)
    }

    /// Around a batch of deletions.
    fn erase<'a>(&'a self, targets: &'a [Deleted]) -> impl Future<Output = Vec<Result<()>>> + Send + 'a {
        self.inner().delete(targets)
    }
}

#[async_trait]
impl<L: Layer> Store for L {
    fn name(&self) -> &str {
        self.inner().name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.facts()
    }

    fn list(&self, request: ListRequest) -> Pages {
        self.pages(request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        self.call(Operation::Stat, Some(key), || self.inner().stat(key, version)).await
    }

    async fn tags(&self, key: &Key, version: Option<&Version>) -> Result<BTreeMap<String, String>> {
        self.call(Operation::Stat, Some(key), || self.inner().tags(key, version)).await
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        self.fetch(key, request).await
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        self.send(Operation::Put, key, body, |body| self.inner().put(key, request.clone(), body)).await
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        self.call(Operation::Begin, Some(key), || self.inner().begin(key, request)).await
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        self.send(Operation::PutPart, &token.key, body, |body| self.inner().put_part(token, part, body)).await
    }

    async fn copy_part(&self, token: &UploadToken, number: u32, from: &CopySource, range: Range<u64>) -> Result<Part> {
        self.call(Operation::CopyPart, Some(&token.key), || self.inner().copy_part(token, number, from, range.clone()))
            .await
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        self.call(Operation::Complete, Some(&token.key), || self.inner().complete(token, request, parts)).await
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        self.call(Operation::Abort, Some(&token.key), || self.inner().abort(token)).await
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        self.call(Operation::ListParts, Some(&token.key), || self.inner().parts(token)).await
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        self.call(Operation::ListParts, None, || self.inner().uploads(prefix)).await
    }

    async fn begun(&self, key: &Key, request: &PutRequest) -> Result<Vec<Begun>> {
        self.call(Operation::ListParts, Some(key), || self.inner().begun(key, request)).await
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        self.inner().whereabouts()
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        self.inner().ledger()
    }

    fn requests(&self, call: &Called<'_>) -> Requests {
        self.inner().requests(call)
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        self.inner().copy_source(key)
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        self.call(Operation::Copy, Some(key), || self.inner().copy(source, key, request.clone())).await
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        self.erase(targets).await
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        self.call(Operation::SetMetadata, Some(key), || self.inner().set_metadata(key, request.clone())).await
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        self.call(Operation::MakeDirectory, None, || self.inner().make_directory(path)).await
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        self.call(Operation::Delete, None, || self.inner().remove_directory(path)).await
    }
}
