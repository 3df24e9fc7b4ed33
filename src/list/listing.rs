//! One place as an ordered stream of entries.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{StreamExt, TryStreamExt};
use sterna_backends::{
    Entry, Error, ErrorKind, Key, Kind, ListRequest, Operation, Order, Pages, Result, Store, VersionScope,
};

use super::{OWN, filter::Filter, sort};
use crate::event::{Event, Observers, Silent};

/// What of a place is to be listed.
#[derive(Clone, Default)]
pub struct Scope {
    /// Only what passes.
    pub filter: Arc<Filter>,
    /// Which versions.
    pub versions: VersionScope,
}

impl Scope {
    /// Whether nothing of a place is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.filter.is_everything() && self.versions == VersionScope::Latest
    }
}

/// The objects of one place in byte order of their keys, each once.
///
/// Order is checked, key by key: a store that promised [`Order::Bytes`] and lists otherwise ends the listing with
/// an error of kind [`Integrity`](ErrorKind::Integrity). Stores that promise nothing are sorted first, with
/// bounded memory.
pub struct Listing {
    pages: Pages,
    page: VecDeque<Entry>,
    last: Option<Key>,
    filter: Arc<Filter>,
    observer: Observers,
    place: usize,
    /// Whether the store has told a page, sorted or not.
    begun: Arc<AtomicBool>,
    /// A container that does not exist lists as empty; for destinations.
    missing_is_empty: bool,
    /// Only the filter's word on keys counts, not its bounds on size and time.
    by_key: bool,
    counted: u64,
}

impl Listing {
    /// Lists `store`, telling `observer` of it as place number `place`.
    pub fn open(store: &Arc<dyn Store>, scope: &Scope, place: usize, observer: Observers) -> Self {
        let filter = Arc::clone(&scope.filter);
        let mut request = ListRequest { versions: scope.versions, ..ListRequest::all(filter.prefix()) };
        if !filter.is_everything() {
            let entering = Arc::clone(&filter);
            request.enter = Some(Arc::new(move |directory| entering.enters(directory)));
        }
        let begun = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&begun);
        let pages = store.list(request).inspect_ok(move |_| told.store(true, Ordering::Relaxed)).boxed();
        let pages = match store.capabilities().order {
            Order::Bytes => pages,
            Order::Unknown => sort::sorted(pages, sort::RUN_BYTES),
        };
        Self { begun, ..Self::over(pages, filter, (place, observer)) }
    }

    /// Of a place that is not asked, as place number `place`.
    #[must_use]
    pub fn nothing(place: usize) -> Self {
        Self::over(futures::stream::empty().boxed(), Arc::default(), (place, Arc::new(Silent)))
    }

    fn over(pages: Pages, filter: Arc<Filter>, (place, observer): (usize, Observers)) -> Self {
        let (page, last, begun) = (VecDeque::new(), None, Arc::default());
        Self { pages, page, last, filter, observer, place, begun, missing_is_empty: false, by_key: false, counted: 0 }
    }

    /// Asks no more; what it has not told it will not tell.
    pub(super) fn close(&mut self) {
        (self.pages, self.page) = (futures::stream::empty().boxed(), VecDeque::new());
    }

    /// Takes a container that is not there as an empty one.
    #[must_use]
    pub fn missing_is_empty(mut self) -> Self {
        self.missing_is_empty = true;
        self
    }

    /// Leaves the filter's bounds on size and time to the caller. What is compared needs both sides' objects: one
    /// that only one side's size or time rules out would look missing, or extra.
    #[must_use]
    pub fn by_key(mut self) -> Self {
        self.by_key = true;
        self
    }

    /// How many objects have been told so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counted
    }

    /// The next object; `None` at the end.
    ///
    /// # Errors
    /// What ended the listing. It is not to be asked again after that.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            while let Some(entry) = self.page.pop_front() {
                if self.accepts(&entry)? {
                    self.counted += 1;
                    return Ok(Some(entry));
                }
            }
            match self.pages.try_next().await {
                Ok(Some(page)) => {
                    self.observer.on(&Event::Listed { place: self.place, objects: page.len() as u64 });
                    self.page = page.into();
                }
                Ok(None) => return Ok(None),
                // One that was there and vanished is no empty one, nor is one that could not be opened.
                Err(error)
                    if self.missing_is_empty
                        && error.operation() != Operation::Open
                        && !self.begun.load(Ordering::Relaxed)
                        && error.kind() == ErrorKind::NoSuchContainer =>
                {
                    self.pages = futures::stream::empty().boxed();
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn accepts(&mut self, entry: &Entry) -> Result<bool> {
        if entry.kind != Kind::Object || is_own(&entry.key) {
            return Ok(false);
        }
        if let Some(last) = &self.last {
            if *last == entry.key {
                return Ok(false); // pages that overlap
            }
            if *last > entry.key {
                return Err(Error::new(ErrorKind::Integrity, Operation::List).retryable(false).at(&entry.key).because(format!(
                    "the listing is not in byte order ('{last}' came before it); set list_order = \"unknown\" for this remote"
                )));
            }
        }
        self.last = Some(entry.key.clone());
        Ok(if self.by_key { self.filter.admits_key(&entry.key) } else { self.filter.admits(entry) })
    }
}

/// Whether it lies in a folder of [`OWN`].
fn is_own(key: &Key) -> bool {
    key.match_indices(OWN).any(|(at, _)| at == 0 || key.as_bytes()[at - 1] == b'/')
}
