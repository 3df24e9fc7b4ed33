//! [`Meter`]: counts what passes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use futures::{StreamExt, future::BoxFuture, stream};
use serde::{Serialize, Serializer};

use super::Layer;
use crate::{
    body::{Body, Tap},
    entry::Key,
    error::{ErrorKind, Operation, Result},
    request::{Requests, Spend, plain_name},
    store::{Deleted, ListRequest, Pages, ReadRequest, Reader, Store},
};

const OPERATIONS: [Operation; 15] = [
    Operation::Open,
    Operation::List,
    Operation::Stat,
    Operation::Read,
    Operation::Put,
    Operation::Begin,
    Operation::PutPart,
    Operation::CopyPart,
    Operation::Complete,
    Operation::Abort,
    Operation::ListParts,
    Operation::Copy,
    Operation::Delete,
    Operation::SetMetadata,
    Operation::MakeDirectory,
];

const KINDS: [ErrorKind; 18] = [
    ErrorKind::NotFound,
    ErrorKind::NoSuchContainer,
    ErrorKind::Denied,
    ErrorKind::BadRequest,
    ErrorKind::Exists,
    ErrorKind::Precondition,
    ErrorKind::Throttled,
    ErrorKind::Timeout,
    ErrorKind::Unavailable,
    ErrorKind::Unreachable,
    ErrorKind::Integrity,
    ErrorKind::Full,
    ErrorKind::Capped,
    ErrorKind::Unsupported,
    ErrorKind::Changed,
    ErrorKind::Cancelled,
    ErrorKind::Config,
    ErrorKind::Other,
];

/// Counts calls, errors and bytes of the store inside. Inside [`Retry`](super::Retry) it counts attempts.
///
/// A listing counts its pages, a deletion its batches. The requests that calls are at the wire count the families that know
/// them ([`Meter::requests`]); bytes are those of contents.
#[derive(Debug)]
pub struct Meter {
    inner: Arc<dyn Store>,
    counters: Arc<Counters>,
}

/// What a [`Meter`] has counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls by operation; those that were never made are left out.
    #[serde(serialize_with = "as_map")]
    pub calls: Vec<(Operation, u64)>,
    /// Failed calls by kind; those that never came are left out. Errors inside a body are not calls.
    #[serde(serialize_with = "as_map")]
    pub errors: Vec<(ErrorKind, u64)>,
    /// Bytes read from the store.
    pub bytes_in: u64,
    /// Bytes sent to the store, those of failed attempts included.
    pub bytes_out: u64,
}

impl Counts {
    /// All calls.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.calls.iter().map(|(_, count)| count).sum()
    }

    /// Calls of one operation.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.calls.iter().find(|(known, _)| *known == operation).map_or(0, |(_, count)| *count)
    }

    /// Errors of one kind.
    #[must_use]
    pub fn failed(&self, kind: ErrorKind) -> u64 {
        self.errors.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count)
    }
}

fn as_map<K: Serialize, S: Serializer>(pairs: &[(K, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, count)| (key, count)))
}

impl Meter {
    /// A meter at zero.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, counters: Arc::default() }
    }

    /// The requests that were sent: as the store inside counts them at the wire, else one for each call.
    #[must_use]
    pub fn requests(&self) -> Requests {
        match self.inner.ledger() {
            Some(ledger) => ledger.all(),
            None => self.counts().calls.into_iter().map(|(operation, count)| (plain_name(operation), count)).collect(),
        }
    }

    /// [`Meter::requests`] and bytes.
    #[must_use]
    pub fn spent(&self) -> Spend {
        let Counts { bytes_in, bytes_out, .. } = self.counts();
        Spend { requests: self.requests(), bytes_in, bytes_out }
    }

    /// Of [`Meter::requests`] those that were sent to list.
    #[must_use]
    pub fn listing(&self) -> Requests {
        match self.inner.ledger() {
            Some(ledger) => ledger.listing(),
            None => Requests::default().and(plain_name(Operation::List), self.counts().of(Operation::List)),
        }
    }

    /// What was counted so far. Counts of calls that are under way at this moment may lack one another.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.counters;
        Counts {
            calls: nonzero(&OPERATIONS, &counters.calls, |operation| operation as usize),
            errors: nonzero(&KINDS, &counters.errors, |kind| kind as usize),
            bytes_in: counters.bytes_in.0.load(Relaxed),
            bytes_out: counters.bytes_out.0.load(Relaxed),
        }
    }
}

fn nonzero<K: Copy>(known: &[K], counters: &[AtomicU64], index: fn(K) -> usize) -> Vec<(K, u64)> {
    let counted = known.iter().map(|word| (*word, counters[index(*word)].load(Relaxed)));
    counted.filter(|(_, count)| *count > 0).collect()
}

#[derive(Debug, Default)]
struct Counters {
    calls: [AtomicU64; OPERATIONS.len()],
    errors: [AtomicU64; KINDS.len()],
    bytes_in: Arc<Passed>,
    bytes_out: Arc<Passed>,
}

#[derive(Debug, Default)]
struct Passed(AtomicU64);

impl Tap for Passed {
    fn pass(&self, bytes: u64) {
        self.0.fetch_add(bytes, Relaxed);
    }
}

impl Counters {
    fn call(&self, operation: Operation, calls: u64) {
        self.calls[operation as usize].fetch_add(calls, Relaxed);
    }

    fn outcome<T>(&self, result: &Result<T>) {
        if let Err(error) = result {
            self.errors[error.kind() as usize].fetch_add(1, Relaxed);
        }
    }
}

impl Layer for Meter {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        self.counters.call(operation, 1);
        let result = make().await;
        self.counters.outcome(&result);
        result
    }

    fn outgoing(&self, _operation: Operation, _key: &Key, body: Body) -> Body {
        body.tapped(Arc::clone(&self.counters.bytes_out) as Arc<dyn Tap>)
    }

    fn incoming(&self, _key: &Key, _request: &ReadRequest, reader: Reader) -> Reader {
        let body = reader.body.tapped(Arc::clone(&self.counters.bytes_in) as Arc<dyn Tap>);
        Reader { body, ..reader }
    }

    fn pages(&self, request: ListRequest) -> Pages {
        let counters = Arc::clone(&self.counters);
        let next = |(mut pages, counters, first): (Pages, Arc<Counters>, bool)| async move {
            let page = pages.next().await;
            // That nothing is there takes a request, too.
            counters.call(Operation::List, u64::from(page.is_some() || first));
            page.iter().for_each(|page| counters.outcome(page));
            Some((page?, (pages, counters, false)))
        };
        stream::unfold((self.inner.list(request), counters, true), next).boxed()
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let batch = self.facts().delete_batch.max(1);
        self.counters.call(Operation::Delete, targets.len().div_ceil(batch) as u64);
        let results = self.inner.delete(targets).await;
        results.iter().for_each(|result| self.counters.outcome(result));
        results
    }
}
