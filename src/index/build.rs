//! A place looked through, so that the contents of all its objects are known.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sterna_backends::{Algorithm, Digests, Entry, Error, ErrorKind, Operation, Result, Store};

use super::{ALL, Index, Shelf, digest, learn};
use crate::{
    event::{Event, Observers},
    list::{Listing, Scope},
};

/// How a place is looked through.
#[derive(Clone, Default)]
pub struct BuildSettings {
    /// What of it.
    pub scope: Scope,
    /// Whether all of [`ALL`] are wanted; if not, one of them will do.
    pub all: bool,
    /// Objects looked at together.
    pub checkers: usize,
}

/// What came of it: each object counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Built {
    /// Known from earlier runs.
    pub known: u64,
    /// Told by the listing.
    pub listed: u64,
    /// Told by a stat.
    pub stat: u64,
    /// Read.
    pub read: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Left out: changed a moment ago, or of a store that tells nothing a change would change.
    pub unsettled: u64,
    /// Gone or changed while they were looked at.
    pub vanished: u64,
    /// Could not be learnt.
    pub failed: u64,
    /// Of those, what trying again may help.
    pub retryable: u64,
}

/// How one object came to be known.
enum Learnt {
    Known,
    Listed,
    Stat,
    Read(u64),
    Unsettled,
    Vanished,
    Failed { retryable: bool },
}

impl Built {
    fn add(&mut self, learnt: &Learnt) {
        let count = match learnt {
            Learnt::Known => &mut self.known,
            Learnt::Listed => &mut self.listed,
            Learnt::Stat => &mut self.stat,
            Learnt::Read(bytes) => {
                self.bytes_read += bytes;
                &mut self.read
            }
            Learnt::Unsettled => &mut self.unsettled,
            Learnt::Vanished => &mut self.vanished,
            Learnt::Failed { retryable } => {
                self.retryable += u64::from(*retryable);
                &mut self.failed
            }
        };
        *count += 1;
    }
}

/// Lists `store` and reads what neither the listing, nor a stat, nor the index knows by a SHA-256, SHA-1 or MD5 of the
/// whole. Everything is in the file when it returns, unless [`Index::trouble`] says otherwise.
///
/// # Errors
/// What ended the listing; `Unsupported` for a store that cannot be remembered. Failures of single objects are counted,
/// and told to `observer`.
pub async fn build(
    store: &Arc<dyn Store>,
    index: &Index,
    settings: &BuildSettings,
    observer: &Observers,
) -> Result<Built> {
    let shelf = shelf(store, index)?;
    let entries = shelf.listed(store, &settings.scope, observer);
    let shelf = &shelf;
    let learnt = |entry: Result<(Entry, Digests)>| async move {
        let (entry, told) = entry?;
        Ok::<_, Error>(learn_of(store, shelf, (entry, &told), settings.all, observer).await)
    };
    let mut learnt = std::pin::pin!(entries.map(learnt).buffer_unordered(settings.checkers.max(1)));
    let mut built = Built::default();
    while let Some(object) = learnt.try_next().await? {
        built.add(&object);
    }
    index.flush().await;
    Ok(built)
}

/// The part of the index that is about `store`.
///
/// # Errors
/// `Unsupported` where there is none.
pub(super) fn shelf(store: &Arc<dyn Store>, index: &Index) -> Result<Shelf> {
    index
        .shelf(&**store)
        .ok_or_else(|| Error::unsupported(Operation::Open, "its objects cannot be remembered").of(store.name()))
}

impl Shelf {
    /// The objects of `store`, each with what is known of it and what the listing alone told; what is new in that is
    /// remembered, and where the scope is everything, what is gone is forgotten.
    pub(super) fn listed(
        &self,
        store: &Arc<dyn Store>,
        scope: &Scope,
        observer: &Observers,
    ) -> impl futures::Stream<Item = Result<(Entry, Digests)>> + Send + use<> {
        let listing = Listing::open(store, scope, 0, Arc::clone(observer));
        let walk = self.walk(scope.is_everything());
        stream::try_unfold((listing, walk), |(mut listing, mut walk)| async move {
            match listing.next().await? {
                Some(mut entry) => {
                    let told = entry.digests.clone();
                    walk.see(&mut entry).await;
                    Ok(Some(((entry, told), (listing, walk))))
                }
                None => {
                    walk.end().await;
                    Ok(None)
                }
            }
        })
    }
}

/// The digests that are still wanted.
fn wanted(digests: &Digests, all: bool) -> Vec<Algorithm> {
    let missing: Vec<Algorithm> = ALL.into_iter().filter(|kind| digests.get(*kind).is_none()).collect();
    if !all && missing.len() < ALL.len() { Vec::new() } else { missing }
}

async fn learn_of(
    store: &Arc<dyn Store>,
    shelf: &Shelf,
    (mut entry, told): (Entry, &Digests),
    all: bool,
    observer: &Observers,
) -> Learnt {
    if wanted(told, all).is_empty() {
        return Learnt::Listed;
    }
    if wanted(&entry.digests, all).is_empty() {
        return Learnt::Known;
    }
    match look_at(store, shelf, &mut entry, all, observer).await {
        Ok(learnt) => learnt,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Changed) => Learnt::Vanished,
        Err(error) => {
            let (key, kind, message) = (entry.key.clone(), error.kind(), error.to_string());
            observer.on(&Event::Unread { key, kind, message });
            Learnt::Failed { retryable: error.is_retryable() }
        }
    }
}

/// A stat where that may tell enough, else a reading.
async fn look_at(
    store: &Arc<dyn Store>,
    shelf: &Shelf,
    entry: &mut Entry,
    all: bool,
    observer: &Observers,
) -> Result<Learnt> {
    let missing = wanted(&entry.digests, all);
    let told = |kind: &Algorithm| store.capabilities().digests_in_stat.contains(kind);
    let may_do = if all { missing.iter().all(told) } else { missing.iter().any(told) };
    if may_do {
        learn(store, entry).await?;
        shelf.remember(entry, &entry.digests);
        if wanted(&entry.digests, all).is_empty() {
            return Ok(Learnt::Stat);
        }
    }
    if !shelf.is_recognisable(entry) {
        return Ok(Learnt::Unsettled);
    }
    let (key, bytes) = (entry.key.clone(), entry.size.unwrap_or_default());
    observer.on(&Event::Reading { key: key.clone(), bytes });
    digest(store, Some(shelf), entry, Algorithm::Sha256).await?;
    observer.on(&Event::Read { key, bytes });
    Ok(Learnt::Read(bytes))
}
