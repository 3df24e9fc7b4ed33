//! The store itself.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    calls::within,
    list::pages,
    place::{PATIENCE, Place},
    read::read,
    write::put,
};
use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Entry, Key, Version},
    error::{Error, Operation, Result},
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store, delete_each},
};

/// Objects deleted at once.
const AT_ONCE: usize = 8;

async fn delete_one(place: &Place, target: &Deleted) -> Result<()> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    if place.accepts(Operation::Delete, &target.key).is_err() {
        return Ok(());
    }
    within(PATIENCE, Operation::Delete, place.operator.delete(&target.key)).await
}

/// A service of opendal.
#[derive(Debug)]
pub(super) struct Adapted {
    pub place: Arc<Place>,
}

impl Adapted {
    fn named<T>(&self, result: Result<T>, key: &Key) -> Result<T> {
        result.map_err(|error| self.place.name_error(error, Some(key)))
    }
}

#[async_trait]
impl Store for Adapted {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
    }

    fn list(&self, request: ListRequest) -> Pages {
        pages(Arc::clone(&self.place), request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        if version.is_some() {
            return self.named(Err(Error::unsupported(Operation::Stat, "no old versions")), key);
        }
        self.named(self.place.look(Operation::Stat, key).await, key)
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        self.named(read(&self.place, key, request).await, key)
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        self.named(put(&self.place, key, request, body).await, key)
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let place = &self.place;
        delete_each(targets, AT_ONCE, |target| async move {
            delete_one(place, target).await.map_err(|error| place.name_error(error, Some(&target.key)))
        })
        .await
    }

    /// Buckets are made elsewhere.
    async fn make_directory(&self, _path: &str) -> Result<()> {
        Ok(())
    }

    /// There are none.
    async fn remove_directory(&self, _path: &str) -> Result<()> {
        Ok(())
    }
}
