//! A store with nothing in it; one called `closed` refuses to be listed.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use sterna_backends::{
    Body, Capabilities, Deleted, Entry, Error, ErrorKind, Key, ListRequest, Operation, Order, Pages, PutRequest,
    ReadRequest, Reader, Result, Store, Version,
};

#[derive(Debug)]
pub struct Empty {
    name: String,
    capabilities: Capabilities,
}

impl Empty {
    pub fn at(name: &str) -> Arc<Self> {
        let capabilities =
            Capabilities { order: Order::Bytes, max_put: 0, read_only: true, transfers: 1, ..Capabilities::LEAST };
        Arc::new(Self { name: name.to_owned(), capabilities })
    }
}

#[async_trait]
impl Store for Empty {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn list(&self, _request: ListRequest) -> Pages {
        match self.name.as_str() {
            "closed" => Box::pin(stream::iter([Err(Error::new(ErrorKind::Denied, Operation::List))])),
            _ => Box::pin(stream::iter([Ok(Vec::new())])),
        }
    }

    async fn stat(&self, key: &Key, _version: Option<&Version>) -> Result<Entry> {
        Err(Error::new(ErrorKind::NotFound, Operation::Stat).at(key))
    }

    async fn read(&self, key: &Key, _request: ReadRequest) -> Result<Reader> {
        Err(Error::new(ErrorKind::NotFound, Operation::Read).at(key))
    }

    async fn put(&self, key: &Key, _request: PutRequest, _body: Body) -> Result<Entry> {
        Err(Error::unsupported(Operation::Put, "read only").at(key))
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        targets.iter().map(|_| Ok(())).collect()
    }

    async fn make_directory(&self, _path: &str) -> Result<()> {
        Ok(())
    }

    async fn remove_directory(&self, _path: &str) -> Result<()> {
        Ok(())
    }
}
