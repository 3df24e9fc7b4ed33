//! Stores around a store that look on, or that kill.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream};
use sterna::backends::{
    Key, ListRequest, Operation, Pages, Result, Store, layer::Layer, memory::Memory, store::Deleted,
};
use tokio::sync::Notify;

use crate::place::{self, Tree};

/// Looks at what a memory store really holds after every call, and notes what nobody may ever see there.
#[derive(Debug)]
pub struct Watch {
    inner: Arc<dyn Store>,
    memory: Memory,
    allowed: BTreeMap<Key, Vec<Bytes>>,
    torn: Mutex<Vec<String>>,
    deleted: AtomicU64,
}

impl Watch {
    /// At any time, each object of `memory` is to be the one of `old`, or the one of `new`.
    pub fn new(memory: &Memory, old: &Tree, new: &Tree) -> Self {
        let mut allowed: BTreeMap<Key, Vec<Bytes>> = BTreeMap::new();
        for (name, object) in old.iter().chain(new) {
            allowed.entry(name.clone()).or_default().push(object.bytes.clone());
        }
        let inner: Arc<dyn Store> = Arc::new(memory.clone());
        Self { inner, memory: memory.clone(), allowed, torn: Mutex::default(), deleted: AtomicU64::new(0) }
    }

    /// What was seen that nobody may see.
    pub fn torn(&self) -> Vec<String> {
        self.torn.lock().expect("no watcher panics").clone()
    }

    /// Objects deleted so far.
    pub fn deleted(&self) -> u64 {
        self.deleted.load(SeqCst)
    }

    async fn look(&self) {
        for (name, object) in place::read(&self.memory).await.tree {
            if !self.allowed.get(&name).is_some_and(|allowed| allowed.contains(&object.bytes)) {
                self.torn.lock().expect("no watcher panics").push(format!("{name:?}: {object:?}"));
            }
        }
    }
}

impl Layer for Watch {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        let result = make().await;
        self.look().await;
        result
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        self.deleted.fetch_add(targets.len() as u64, SeqCst);
        self.inner.delete(targets).await
    }
}

/// Kills whoever uses it: after so many calls none is ever answered, and nobody is told why.
#[derive(Debug)]
pub struct Halt {
    inner: Arc<dyn Store>,
    left: Arc<Left>,
}

/// The calls that are left, for one store or for several together.
#[derive(Debug)]
pub struct Left {
    calls: Mutex<u64>,
    over: Notify,
}

impl Left {
    pub fn new(calls: u64) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::new(calls), over: Notify::new() })
    }

    /// Ends when the calls are used up.
    pub async fn over(&self) {
        self.over.notified().await;
    }

    async fn pass(&self) {
        let passed = {
            let mut calls = self.calls.lock().expect("nobody panics here");
            let passed = *calls > 0;
            *calls = calls.saturating_sub(1);
            passed
        };
        if !passed {
            self.over.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Halt {
    pub fn new(inner: Arc<dyn Store>, left: &Arc<Left>) -> Self {
        Self { inner, left: Arc::clone(left) }
    }
}

impl Layer for Halt {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        self.left.pass().await;
        make().await
    }

    fn pages(&self, request: ListRequest) -> Pages {
        let state = (self.inner.list(request), Arc::clone(&self.left));
        let next = |(mut pages, left): (Pages, Arc<Left>)| async move {
            left.pass().await;
            Some((pages.next().await?, (pages, left)))
        };
        stream::unfold(state, next).boxed()
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        self.left.pass().await;
        self.inner.delete(targets).await
    }
}
