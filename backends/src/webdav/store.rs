//! The contract, call by call.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    chunks, copy, delete, list,
    place::{Place, Shared},
    properties, put, read, requests,
};
use crate::{
    body::Body,
    capability::Capabilities,
    directories::{make, named},
    entry::{Entry, Key, Version},
    error::{Error, Operation, Result},
    request::{Called, Ledger, Requests},
    store::{
        CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest, Reader,
        Store, UploadToken, Whereabouts,
    },
};

/// A root on a WebDAV server.
#[derive(Debug)]
pub(super) struct WebDav {
    place: Shared,
}

impl WebDav {
    pub fn new(place: Place) -> Self {
        Self { place: Arc::new(place) }
    }

    fn named<T>(&self, result: Result<T>, key: &Key) -> Result<T> {
        result.map_err(|error| self.place.name_error(error, Some(key)))
    }
}

#[async_trait]
impl Store for WebDav {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        Some(self.place.address.whereabouts())
    }

    fn list(&self, request: ListRequest) -> Pages {
        list::pages(self.place.clone(), request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        if version.is_some() {
            return self.named(Err(Error::unsupported(Operation::Stat, "no old versions")), key);
        }
        self.named(read::stat(&self.place, key).await, key)
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        self.named(read::read(&self.place, key, request).await, key)
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        self.named(put::put(&self.place, key, request, body).await, key)
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        self.named(chunks::begin(&self.place, key, request).await, key)
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        self.named(chunks::put_part(&self.place, token, part, body).await, &token.key)
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        self.named(chunks::complete(&self.place, token, request, parts).await, &token.key)
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        self.named(chunks::abort(&self.place, token).await, &token.key)
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        self.named(chunks::parts(&self.place, token).await, &token.key)
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        chunks::uploads(&self.place, prefix).await.map_err(|error| self.place.name_error(error, None))
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        Some(self.place.site.ledger())
    }

    fn requests(&self, call: &Called<'_>) -> Requests {
        requests::of(&self.place, call)
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        self.place.capabilities.copy.as_ref().map(|_| copy::source(&self.place, key))
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        self.named(copy::copy(&self.place, source, key, request).await, key)
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        delete::delete(&self.place, targets).await
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        self.named(set_time(&self.place, key, &request).await, key)
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        let place = &*self.place;
        let made = async { make(place, named(&place.capabilities.keys, Operation::MakeDirectory, path)?).await };
        made.await.map_err(|error| place.name_error(error, None))
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        delete::remove_directory(&self.place, path).await.map_err(|error| self.place.name_error(error, None))
    }
}

/// The time is all that can be set.
async fn set_time(place: &Place, key: &Key, request: &PutRequest) -> Result<()> {
    let operation = Operation::SetMetadata;
    let cannot = || Error::unsupported(operation, "the server sets times by itself");
    let Some(time) = request.modified.filter(|_| place.abilities.touch) else { return Err(cannot()) };
    properties::look_at_object(place, operation, key).await?;
    if properties::touch(place, operation, key, time).await? { Ok(()) } else { Err(cannot()) }
}
