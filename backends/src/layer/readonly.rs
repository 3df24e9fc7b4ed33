//! [`ReadOnly`]: refuses every change.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::Layer;
use crate::{
    capability::Capabilities,
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, Store},
};

/// A store nobody changes: every call that would is `Denied` before it reaches the store inside.
#[derive(Debug)]
pub struct ReadOnly {
    inner: Arc<dyn Store>,
    facts: Capabilities,
}

impl ReadOnly {
    /// `inner`, unchanging.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let facts = Capabilities { read_only: true, ..inner.capabilities().clone() };
        Self { inner, facts }
    }

    fn refuse(&self, operation: Operation, key: Option<&Key>) -> Error {
        let error = Error::new(ErrorKind::Denied, operation).of(self.inner.name());
        let error = error.because("it is opened to be read only");
        if let Some(key) = key { error.at(key) } else { error }
    }
}

impl Layer for ReadOnly {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    fn facts(&self) -> &Capabilities {
        &self.facts
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        if operation.changes() {
            return Err(self.refuse(operation, key));
        }
        make().await
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        targets.iter().map(|target| Err(self.refuse(Operation::Delete, Some(&target.key)))).collect()
    }
}
