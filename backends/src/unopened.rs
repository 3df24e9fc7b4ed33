//! [`Unopened`]: a place that could not be opened, among others that could.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream};

use crate::{
    body::Body,
    capability::{Capabilities, MetadataAbility, MultipartAbility, Order},
    entry::{Entry, Key, Version},
    error::{Error, Operation, Result},
    store::{Deleted, ListRequest, Pages, PutRequest, ReadRequest, Reader, Store},
};

/// A store that answers every call as opening it was answered. Its errors are of the operation
/// [`Open`](Operation::Open), which tells them from those of a store whose container is not there yet.
#[derive(Clone, Debug)]
pub struct Unopened {
    name: String,
    why: Arc<Error>,
    can: Capabilities,
}

impl Unopened {
    /// The place people call `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, why: Error) -> Self {
        Self { name: name.into(), why: Arc::new(why), can: anything() }
    }

    fn error(&self) -> Error {
        let error = Error::new(self.why.kind(), Operation::Open).retryable(self.why.is_retryable()).of(&self.name);
        match std::error::Error::source(&*self.why) {
            Some(cause) => error.because(cause.to_string()),
            None => error,
        }
    }
}

/// Of a place that nobody knows nothing is said that would bind what is done at others.
fn anything() -> Capabilities {
    let parts = MultipartAbility {
        min_part: 1,
        max_part: u64::MAX,
        min_parts: 1,
        max_parts: u32::MAX,
        part: None,
        threshold: u64::MAX,
        resumable: false,
        tells_begun: false,
        part_digest: None,
        part_checksum: None,
    };
    Capabilities {
        order: Order::Bytes,
        modified: Some(Duration::from_nanos(1)),
        modified_in_list: true,
        multipart: Some(parts),
        metadata: MetadataAbility { content_type: true, headers: true, user: true, storage_class: true, tags: true },
        transfers: 1,
        ..Capabilities::LEAST
    }
}

#[async_trait]
impl Store for Unopened {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    fn list(&self, _request: ListRequest) -> Pages {
        stream::iter([Err(self.error())]).boxed()
    }

    async fn stat(&self, _key: &Key, _version: Option<&Version>) -> Result<Entry> {
        Err(self.error())
    }

    async fn read(&self, _key: &Key, _request: ReadRequest) -> Result<Reader> {
        Err(self.error())
    }

    async fn put(&self, _key: &Key, _request: PutRequest, _body: Body) -> Result<Entry> {
        Err(self.error())
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        targets.iter().map(|_| Err(self.error())).collect()
    }

    async fn make_directory(&self, _path: &str) -> Result<()> {
        Err(self.error())
    }

    async fn remove_directory(&self, _path: &str) -> Result<()> {
        Err(self.error())
    }
}
