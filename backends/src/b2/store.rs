//! The contract, call by call.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;

use super::{bucket, copy, delete, list, multipart, place::Shared, put, read, requests};
use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Entry, Key, Version},
    error::{Error, Result},
    request::{Called, Ledger, Requests},
    store::{
        Begun, CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest,
        Reader, Store, UploadToken, Whereabouts,
    },
};

/// A bucket.
#[derive(Debug)]
pub(super) struct B2(Shared);

impl From<Shared> for B2 {
    fn from(place: Shared) -> Self {
        Self(place)
    }
}

impl B2 {
    fn named<'a>(&'a self, key: &'a Key) -> impl Fn(Error) -> Error + 'a {
        move |error| self.0.name_error(error, Some(key))
    }

    fn nameless(&self) -> impl Fn(Error) -> Error {
        |error| self.0.name_error(error, None)
    }
}

#[async_trait]
impl Store for B2 {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        let place = format!("b2:{}/{}", self.0.account.authority(), self.0.bucket);
        Some(Whereabouts::new(place, std::time::Duration::ZERO))
    }

    fn list(&self, request: ListRequest) -> Pages {
        list::list(&self.0, request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        read::stat(&self.0, key, version).await.map_err(self.named(key))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        read::read(&self.0, key, request).await.map_err(self.named(key))
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        put::put(&self.0, key, request, body).await.map_err(self.named(key))
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        multipart::begin(&self.0, key, request).await.map_err(self.named(key))
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        multipart::put_part(&self.0, token, part, body).await.map_err(self.named(&token.key))
    }

    async fn copy_part(&self, token: &UploadToken, number: u32, from: &CopySource, range: Range<u64>) -> Result<Part> {
        copy::copy_part(&self.0, token, number, from, range).await.map_err(self.named(&token.key))
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        multipart::complete(&self.0, token, request, parts).await.map_err(self.named(&token.key))
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        multipart::abort(&self.0, token).await.map_err(self.named(&token.key))
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        multipart::parts(&self.0, token).await.map_err(self.named(&token.key))
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        multipart::uploads(&self.0, prefix).await.map_err(self.nameless())
    }

    async fn begun(&self, key: &Key, request: &PutRequest) -> Result<Vec<Begun>> {
        multipart::begun(&self.0, key, request).await.map_err(self.named(key))
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        Some(self.0.account.web.ledger())
    }

    fn requests(&self, call: &Called<'_>) -> Requests {
        requests::of(&self.0, call)
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        let copy = self.0.capabilities.copy.as_ref()?;
        Some(CopySource {
            domain: copy.domain.clone(),
            container: self.0.bucket.clone(),
            key: key.clone(),
            version: None,
            if_match: None,
            size: None,
        })
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        copy::copy(&self.0, source, key, request).await.map_err(self.named(key))
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        delete::delete(&self.0, targets).await
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        copy::set_metadata(&self.0, key, request).await.map_err(self.named(key))
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        if path.is_empty() { bucket::create(&self.0).await.map_err(self.nameless()) } else { Ok(()) }
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        if path.is_empty() { bucket::remove(&self.0).await.map_err(self.nameless()) } else { Ok(()) }
    }
}
