//! The contract, call by call.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    copy, delete, list,
    place::{Place, Shared},
    put, read,
    times::touch,
};
use crate::{
    body::Body,
    capability::Capabilities,
    directories::make,
    entry::{Entry, Key, Version},
    error::{Error, Operation, Result},
    store::{CopySource, Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store, Whereabouts},
};

/// A directory of a node's files.
#[derive(Debug)]
pub(super) struct Ipfs {
    place: Shared,
}

impl Ipfs {
    pub fn new(place: Place) -> Self {
        Self { place: Arc::new(place) }
    }

    fn named<T>(&self, result: Result<T>, key: &Key) -> Result<T> {
        result.map_err(|error| self.place.name_error(error, Some(key)))
    }
}

#[async_trait]
impl Store for Ipfs {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
    }

    /// Another content or time has another CID, at once.
    fn whereabouts(&self) -> Option<Whereabouts> {
        let base = format!("{}/", self.place.root);
        Some(Whereabouts { base, ..Whereabouts::new(self.place.domain.clone(), Duration::ZERO) })
    }

    fn list(&self, request: ListRequest) -> Pages {
        list::pages(Arc::clone(&self.place), request)
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

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        Some(copy::source(&self.place, key))
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
        let made = make(&*self.place, &self.place.capabilities.keys, path).await;
        made.map_err(|error| self.place.name_error(error, None))
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        delete::remove_directory(&self.place, path).await.map_err(|error| self.place.name_error(error, None))
    }
}

/// The time is all that can be set.
async fn set_time(place: &Place, key: &Key, request: &PutRequest) -> Result<()> {
    let operation = Operation::SetMetadata;
    let Some(time) = request.modified.filter(|_| place.capabilities.modified.is_some()) else {
        return Err(Error::unsupported(operation, "the node keeps no times"));
    };
    place.look_at_object(operation, key).await?;
    touch(place, operation, &place.path(key), time).await
}
