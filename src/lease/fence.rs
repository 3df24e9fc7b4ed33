//! [`Fence`]: changes nothing once the lease is not safe.

use std::sync::Arc;

use futures::future::BoxFuture;
use sterna_backends::{Deleted, Key, Operation, Result, Store, layer::Layer};

use super::terms::Fate;

/// A store that is changed under a lease. A request that is begun while the lease is safe has half its time to arrive; after
/// that every change is refused before it reaches the store inside.
#[derive(Debug)]
pub struct Fence {
    inner: Arc<dyn Store>,
    fate: Fate,
}

impl Fence {
    pub(super) fn new(inner: Arc<dyn Store>, fate: Fate) -> Self {
        Self { inner, fate }
    }

    fn may(&self, operation: Operation, key: Option<&Key>) -> Result<()> {
        let error = |error: sterna_backends::Error| match key {
            Some(key) => error.of(self.inner.name()).at(key),
            None => error.of(self.inner.name()),
        };
        self.fate.may_write(operation).map_err(error)
    }
}

impl Layer for Fence {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        if operation.changes() {
            self.may(operation, key)?;
        }
        make().await
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        if self.fate.is_safe() {
            return self.inner.delete(targets).await;
        }
        targets.iter().map(|target| self.may(Operation::Delete, Some(&target.key))).collect()
    }
}
