//! The contract, call by call.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use async_trait::async_trait;

use super::{bucket, copy, delete, fold, list, multipart, place::Shared, put, read, requests};
use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Entry, Key, Version},
    error::{Error, Operation, Result},
    request::{Called, Ledger, Requests},
    store::{
        Begun, CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest,
        Reader, Store, UploadToken, Whereabouts,
    },
};

/// A bucket.
#[derive(Debug)]
pub(super) struct S3(Shared);

impl From<Shared> for S3 {
    fn from(place: Shared) -> Self {
        Self(place)
    }
}

impl S3 {
    fn named<'a>(&'a self, key: &'a Key) -> impl Fn(Error) -> Error + 'a {
        move |error| self.0.name_error(error, Some(key))
    }

    fn nameless(&self) -> impl Fn(Error) -> Error {
        |error| self.0.name_error(error, None)
    }
}

#[async_trait]
impl Store for S3 {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        Some(self.0.whereabouts.clone())
    }

    fn list(&self, request: ListRequest) -> Pages {
        list::list(&self.0, request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        read::stat(&self.0, key, version).await.map_err(self.named(key))
    }

    async fn tags(&self, key: &Key, version: Option<&Version>) -> Result<BTreeMap<String, String>> {
        read::tags(&self.0, key, version).await.map_err(self.named(key))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        read::read(&self.0, key, request).await.map_err(self.named(key))
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        fold::refuse_folded(&self.0, Operation::Put, key).await.map_err(self.named(key))?;
        put::put(&self.0, key, request, body).await.map_err(self.named(key))
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        fold::refuse_folded(&self.0, Operation::Begin, key).await.map_err(self.named(key))?;
        multipart::begin(&self.0, key, request).await.map_err(self.named(key))
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        put::put_part(&self.0, token, part, body).await.map_err(self.named(&token.key))
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
        Some(Arc::clone(&self.0.ledger))
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
        fold::refuse_folded(&self.0, Operation::Copy, key).await.map_err(self.named(key))?;
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
