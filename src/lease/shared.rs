//! Any number of one role at once, but none of them beside one of another role.
//!
//! Everybody first writes down that he is there and then looks who else is: of two who come at once at least one sees
//! the other. Who of them gives way is agreed among the roles. Who was killed leaves a lease behind, which nobody minds once
//! it has not been renewed for [`Terms::lease`], by the store's own clock.
//!
//! That a lease seems dead is a guess. Nothing is lost where it is wrong: its holder can make sure that nobody has guessed so
//! of him ([`Shared::holds`]), and stops long before anybody may ([`Shared::may_write`]).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::TryStreamExt;
use sterna_backends::{Entry, Key, ListRequest, Operation, Result, Store, StoreExt, Timestamp};
use tokio::task::JoinHandle;

use super::{
    Terms, fresh, known,
    terms::{Fate, Moment},
};

/// After the key of a lease: the object that is written to renew it.
const PULSE: &str = ".pulse";

/// A lease of this process.
pub struct Shared {
    store: Arc<dyn Store>,
    terms: Terms,
    /// Before the keys of all leases.
    folder: &'static str,
    /// Written once. That it is there says that nobody has taken it for left behind.
    sign: Key,
    /// Written again and again.
    pulse: Key,
    beating: JoinHandle<()>,
    fate: Fate,
}

/// A lease of somebody else.
#[derive(Clone, Debug)]
pub struct Other {
    /// The object that says who it is.
    pub(super) sign: Key,
    pulse: Key,
    /// Since when it has not been renewed; `None` where the store tells no time, and everybody is alive.
    pub(super) age: Option<Duration>,
    /// Whether it is renewed.
    pub alive: bool,
}

impl Shared {
    /// Writes down that this process is at work: in `folder`, which ends in `/`, in a role, and what `sign` says of it.
    ///
    /// # Errors
    /// What stopped a write.
    pub async fn take(
        store: &Arc<dyn Store>,
        terms: Terms,
        (folder, role): (&'static str, &str),
        sign: Vec<u8>,
    ) -> Result<Self> {
        let key = known(format!("{folder}{role}-{}", fresh()));
        let pulse = known(format!("{key}{PULSE}"));
        let begun = Moment::now();
        beat(store, &pulse).await?;
        store.put_bytes(&key, sign).await?;
        let fate = Fate::new(terms, begun);
        let beating = tokio::spawn(keep(Arc::clone(store), (key.clone(), pulse.clone()), terms, fate.clone()));
        Ok(Self { store: Arc::clone(store), terms, folder, sign: key, pulse, beating, fate })
    }

    /// The others of that role. All ages are told by the store's clock.
    ///
    /// # Errors
    /// What ended the listing.
    pub async fn others(&self, role: &str) -> Result<Vec<Other>> {
        beat(&self.store, &self.pulse).await?;
        let mut pages = self.store.list(ListRequest::all(self.folder));
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(page) = pages.try_next().await? {
            entries.extend(page.into_iter().filter(Entry::is_object));
        }
        let time = |key: &Key| {
            let entry = entries.iter().find(|entry| entry.key == *key)?;
            entry.stored.max(entry.modified)
        };
        let now = time(&self.pulse);
        let start = format!("{}{role}-", self.folder);
        // A pulse without its sign is what a killed run, or one that is over, left: nobody minds it, but somebody clears it
        // away once it is old.
        let ids = entries.iter().filter(|entry| entry.key.starts_with(&start) && entry.key != self.sign);
        let ids: BTreeSet<&str> =
            ids.map(|entry| entry.key.strip_suffix(PULSE).unwrap_or(entry.key.as_str())).collect();
        let others = ids.into_iter().filter(|id| *id != self.sign.as_str()).filter_map(|id| {
            let (sign, pulse) = (known(id.to_owned()), known(format!("{id}{PULSE}")));
            let signed = entries.iter().any(|entry| entry.key == sign);
            let age = now.zip(time(&pulse).max(time(&sign))).map(|(now, last)| between(last, now));
            let alive = age.is_none_or(|age| age < self.terms.lease);
            (signed || !alive).then_some(Other { sign, pulse, age, alive })
        });
        Ok(others.collect())
    }

    /// Removes a lease that was left behind. Whoever held it and is alive after all finds out in [`Shared::holds`].
    ///
    /// # Errors
    /// What stopped a deletion.
    pub async fn bury(&self, other: &Other) -> Result<()> {
        self.store.delete_keys(vec![other.sign.clone()]).await?;
        self.store.delete_keys(vec![other.pulse.clone()]).await
    }

    /// Whether nobody has taken this lease for left behind.
    ///
    /// # Errors
    /// Where the store cannot tell.
    pub async fn holds(&self) -> Result<bool> {
        self.store.holds(&self.sign).await
    }

    /// That something may still be changed: nobody can take this lease for left behind for a good while.
    ///
    /// # Errors
    /// `Unavailable` where it has not been renewed for long.
    pub fn may_write(&self, operation: Operation) -> Result<()> {
        self.fate.may_write(operation).map_err(|error| error.of(self.store.name()))
    }

    /// What becomes of it.
    pub(super) const fn fate(&self) -> &Fate {
        &self.fate
    }

    /// The work is over.
    ///
    /// # Errors
    /// What stopped the deletion; then it is left behind.
    pub async fn release(self) -> Result<()> {
        self.beating.abort();
        self.store.delete_keys(vec![self.sign.clone(), self.pulse.clone()]).await
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

async fn keep(store: Arc<dyn Store>, (sign, pulse): (Key, Key), terms: Terms, fate: Fate) {
    loop {
        tokio::time::sleep(terms.beat()).await;
        let begun = Moment::now();
        // One that fails is made up for by the next.
        if beat(&store, &pulse).await.is_err() {
            continue;
        }
        match store.holds(&sign).await {
            Ok(true) => fate.renewed(begun),
            Ok(false) => return fate.lose(),
            Err(_) => {}
        }
    }
}

/// From `then` to `now`, by one clock.
pub(super) fn between(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(now.as_nanos().saturating_sub(then.as_nanos())).unwrap_or(0))
}

async fn beat(store: &Arc<dyn Store>, pulse: &Key) -> Result<()> {
    store.put_bytes(pulse, b"{}\n".to_vec()).await
}
