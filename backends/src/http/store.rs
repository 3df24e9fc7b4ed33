//! The contract, call by call; every change is denied.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    list,
    place::{Place, Shared},
    read,
};
use crate::{
    body::Body,
    capability::Capabilities,
    entry::{Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    request::Ledger,
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store, Whereabouts},
};

/// A root on a web server.
#[derive(Debug)]
pub(super) struct Http {
    place: Shared,
}

impl Http {
    pub fn new(place: Place) -> Self {
        Self { place: Arc::new(place) }
    }

    fn denied(&self, operation: Operation, key: Option<&Key>) -> Error {
        let error = Error::new(ErrorKind::Denied, operation).because("a web server is only read from");
        self.place.name_error(error, key)
    }
}

#[async_trait]
impl Store for Http {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.place.capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        Some(self.place.address.whereabouts())
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        Some(self.place.site.ledger())
    }

    fn list(&self, request: ListRequest) -> Pages {
        list::pages(self.place.clone(), request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        if version.is_some() {
            let error = Error::unsupported(Operation::Stat, "no old versions");
            return Err(self.place.name_error(error, Some(key)));
        }
        let stat = read::stat(&self.place, Operation::Stat, key).await;
        stat.map_err(|error| self.place.name_error(error, Some(key)))
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        read::read(&self.place, key, request).await.map_err(|error| self.place.name_error(error, Some(key)))
    }

    async fn put(&self, key: &Key, _request: PutRequest, _body: Body) -> Result<Entry> {
        Err(self.denied(Operation::Put, Some(key)))
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        targets.iter().map(|target| Err(self.denied(Operation::Delete, Some(&target.key)))).collect()
    }

    async fn make_directory(&self, _path: &str) -> Result<()> {
        Err(self.denied(Operation::MakeDirectory, None))
    }

    async fn remove_directory(&self, _path: &str) -> Result<()> {
        Err(self.denied(Operation::Delete, None))
    }
}
