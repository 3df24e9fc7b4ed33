//! The contract, call by call.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    delete, list,
    place::{Place, Shared, Times},
    put, read,
};
use crate::{
    body::Body,
    capability::Capabilities,
    directories::make,
    entry::{Entry, Key, Version},
    error::{Error, Operation, Result},
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store},
};

/// A directory on an FTP server.
#[derive(Debug)]
pub(super) struct Ftp {
    place: Shared,
}

impl Ftp {
    pub fn new(place: Place) -> Self {
        Self { place: Arc::new(place) }
    }

    fn named<T>(&self, result: Result<T>, key: &Key) -> Result<T> {
        result.map_err(|error| self.place.name_error(error, Some(key)))
    }
}

#[async_trait]
impl Store for Ftp {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
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

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        delete::delete(&self.place, targets).await
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        self.named(set_time(&self.place, key, &request).await, key)
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        make(&*self.place, &self.place.capabilities.keys, path)
            .await
            .map_err(|error| self.place.name_error(error, None))
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        delete::remove_directory(&self.place, path).await.map_err(|error| self.place.name_error(error, None))
    }
}

/// The time is all that can be set.
async fn set_time(place: &Place, key: &Key, request: &PutRequest) -> Result<()> {
    let operation = Operation::SetMetadata;
    let Some(time) = request.modified.filter(|_| matches!(place.times, Times::Mfmt | Times::Mdtm)) else {
        return Err(Error::unsupported(operation, "the server sets times by itself"));
    };
    let mut lease = place.call(operation).await?;
    place.look_at_object(&mut lease, key).await?;
    place.touch(&mut lease, &place.path(key), time).await
}
