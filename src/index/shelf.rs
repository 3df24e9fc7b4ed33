//! What the index knows of one place.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{Stream, stream};
use sterna_backends::{Digest, Digests, Entry, Key, Result, Store, Timestamp, Whereabouts};

use super::{
    Index, Row,
    database::Page,
    row::{Mark, REMEMBERED, Told, is_young, mark},
};
use crate::list::{Merge, Merged};

/// One place in the index: its store's root, and everything below.
#[derive(Clone, Debug)]
pub struct Shelf {
    index: Index,
    place: i64,
    base: String,
    settles: Duration,
    /// Whether more is remembered than what listings tell.
    learns: bool,
}

impl Shelf {
    pub(super) fn new(index: &Index, whereabouts: Whereabouts) -> Option<Self> {
        let Whereabouts { place, base, settles } = whereabouts;
        let place = index.place(&place).ok()?;
        Some(Self { index: index.clone(), place, base, settles, learns: true })
    }

    /// Remembers `digests` of exactly this version. `false` where that is left out: what tells too little to be recognised
    /// again, what was changed a moment ago, and whatever a shelf is told that learns nothing.
    pub fn remember(&self, entry: &Entry, digests: &Digests) -> bool {
        self.learns && self.write(entry, digests)
    }

    fn write(&self, entry: &Entry, digests: &Digests) -> bool {
        self.told(entry, digests).map(|row| self.index.remember(row)).is_some()
    }

    /// The row that remembers `digests` of exactly this version, as things are now.
    pub(super) fn told(&self, entry: &Entry, digests: &Digests) -> Option<Told> {
        let digests: Digests =
            digests.iter().filter(|digest| REMEMBERED.contains(&digest.algorithm())).copied().collect();
        let now = Timestamp::now();
        if digests.is_empty() || is_young(entry, self.settles, now) {
            return None;
        }
        let (size, mark) = (entry.size?, self.mark(entry)?);
        let (place, key, written) = (self.place, self.inside(&entry.key), now.seconds());
        Some(Told { place, key, size, mark, digests, modified: entry.modified, written })
    }

    /// Whether [`Shelf::remember`] would remember anything of this version now.
    pub(super) fn is_recognisable(&self, entry: &Entry) -> bool {
        !is_young(entry, self.settles, Timestamp::now()) && self.mark(entry).is_some()
    }

    /// Adds to `entry` the digests that are known of exactly this version. `false` where none are.
    pub async fn recall(&self, entry: &mut Entry) -> bool {
        let (index, place, key) = (self.index.clone(), self.place, self.inside(&entry.key));
        let found = tokio::task::spawn_blocking(move || index.one(place, &key).ok().flatten()).await.ok().flatten();
        found.is_some_and(|known| self.add(&known, entry))
    }

    /// Looks at what is known of the place along a listing in byte order. Where the listing is `whole`, what it does not
    /// tell is forgotten.
    #[must_use]
    pub fn walk(&self, whole: bool) -> Walk {
        let started = Timestamp::now().seconds();
        Walk { shelf: self.clone(), rows: VecDeque::new(), next: Next::First, whole, started }
    }

    pub(super) fn number(&self) -> i64 {
        self.place
    }

    /// Whether a row is of an object of this place.
    pub(super) fn holds(&self, row: &Row) -> bool {
        row.number == self.place && self.key_of(&row.key).is_some()
    }

    /// The key inside the place, where a key inside the container lies in it.
    pub(super) fn key_of(&self, inside: &str) -> Option<Key> {
        Key::new(inside.strip_prefix(&self.base)?).ok()
    }

    fn inside(&self, key: &Key) -> String {
        format!("{}{key}", self.base)
    }

    fn mark(&self, entry: &Entry) -> Option<Mark> {
        mark(entry, !self.settles.is_zero())
    }

    pub(super) fn add(&self, known: &Row, entry: &mut Entry) -> bool {
        let same = self.mark(entry) == Some(known.mark);
        if same {
            known.digests.iter().for_each(|digest| entry.digests.add(*digest));
        }
        same
    }
}

/// What is known, beside a listing.
#[derive(Debug)]
pub struct Walk {
    shelf: Shelf,
    rows: VecDeque<Row>,
    next: Next,
    whole: bool,
    /// Rows written since are of what came meanwhile.
    pub(super) started: i64,
}

#[derive(Debug)]
enum Next {
    First,
    After(String),
    Ended,
}

impl Walk {
    /// Adds to `entry` what is known of exactly this version; entries come in byte order. What its listing tells and
    /// the index does not know is remembered.
    pub async fn see(&mut self, entry: &mut Entry) {
        let key = self.shelf.inside(&entry.key);
        while let Some(row) = self.head(&key).await {
            if row.key >= key {
                break;
            }
            self.pass();
        }
        let told = entry.digests.clone();
        let row = self.rows.pop_front_if(|row| row.key == key).filter(|row| self.shelf.add(row, entry));
        let is_new = |digest: &Digest| row.as_ref().is_none_or(|row| row.digests.get(digest.algorithm()).is_none());
        if told.iter().any(|digest| REMEMBERED.contains(&digest.algorithm()) && is_new(digest)) {
            self.shelf.write(entry, &told);
        }
    }

    /// The listing has ended cleanly.
    pub async fn end(mut self) {
        let base = self.shelf.base.clone();
        while self.whole && self.head("").await.is_some_and(|row| row.key.starts_with(&base)) {
            self.pass();
        }
    }

    /// The next row stands for nothing that was listed.
    fn pass(&mut self) {
        if let Some(row) = self.rows.pop_front().filter(|row| self.whole && row.written < self.started) {
            self.shelf.index.forget_key(self.shelf.place, row.key);
        }
    }

    /// The next row, its page fetched where it takes one; no row before `key` is fetched.
    async fn head(&mut self, key: &str) -> Option<&Row> {
        if self.rows.is_empty() {
            let (from, after) = match std::mem::replace(&mut self.next, Next::Ended) {
                // Of a whole listing nothing is passed over unseen.
                Next::First if self.whole => (self.shelf.base.clone(), false),
                Next::After(last) if self.whole => (last, true),
                Next::First => (key.to_owned(), false),
                Next::After(last) if last.as_str() < key => (key.to_owned(), false),
                Next::After(last) => (last, true),
                Next::Ended => return None,
            };
            let (index, place) = (self.shelf.index.clone(), self.shelf.place);
            let page = tokio::task::spawn_blocking(move || index.page(place, (&from, after), None)).await;
            // An index that cannot be read knows nothing.
            let Ok(Ok(Page { rows, full })) = page else { return None };
            self.rows = rows.into();
            if let Some(last) = self.rows.back().filter(|_| full) {
                self.next = Next::After(last.key.clone());
            }
        }
        self.rows.front()
    }
}

/// The shelves of several places, in their order.
#[derive(Clone, Debug, Default)]
pub struct Shelves(Vec<Option<Shelf>>);

impl Shelves {
    /// Of `stores`; without an index nothing is remembered of any.
    #[must_use]
    pub fn of<'a>(index: Option<&Index>, stores: impl IntoIterator<Item = &'a Arc<dyn Store>>) -> Self {
        Self(stores.into_iter().map(|store| index?.shelf(&**store)).collect())
    }

    /// The same for who plans, and must not know more while he does.
    #[must_use]
    pub fn that_learn_nothing(mut self) -> Self {
        self.0.iter_mut().flatten().for_each(|shelf| shelf.learns = false);
        self
    }

    /// Of the place of that number.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&Shelf> {
        self.0.get(at)?.as_ref()
    }

    /// What is known beside listings of all places; see [`Shelf::walk`].
    #[must_use]
    pub fn walks(&self, whole: bool) -> Walks {
        Walks(self.0.iter().map(|shelf| shelf.as_ref().map(|shelf| shelf.walk(whole))).collect())
    }
}

/// What is known beside the listings of several places.
#[derive(Debug)]
pub struct Walks(Vec<Option<Walk>>);

impl Walks {
    /// See [`Walk::see`]: what each place has under the next key.
    pub async fn see(&mut self, entries: &mut [Option<Entry>]) {
        for (walk, entry) in self.0.iter_mut().zip(entries) {
            if let (Some(walk), Some(entry)) = (walk, entry) {
                walk.see(entry).await;
            }
        }
    }

    /// The listing of place `at` broke off: of what it did not tell nothing is forgotten.
    pub fn lose(&mut self, at: usize) {
        self.0[at] = None;
    }

    /// All listings that are not lost have ended cleanly.
    pub async fn end(self) {
        for walk in self.0.into_iter().flatten() {
            walk.end().await;
        }
    }
}

/// What `merge` tells, each entry with what is known of it.
pub fn rows(merge: Merge, walks: Walks) -> impl Stream<Item = Result<Merged>> + Send {
    stream::try_unfold((merge, walks), |(mut merge, mut walks)| async move {
        let mut next = merge.next().await?;
        match &mut next {
            Some(Merged::Row(row)) => walks.see(&mut row.entries).await,
            Some(Merged::Ended(_)) => {}
            Some(Merged::Lost(at, _)) => walks.lose(*at),
            None => {
                walks.end().await;
                return Ok(None);
            }
        }
        Ok(next.map(|told| (told, (merge, walks))))
    })
}
