//! Who is at work in an archive: those who add, any number at once, or one who deletes, never both.
//!
//! Everybody first writes down that he is there and then looks who else is: of two who come at once at least one sees
//! the other. Who adds waits for who deletes; who deletes gives way. Who was killed leaves a lease behind, which nobody
//! minds once it has not been renewed for [`Terms::lease`], by the store's own clock.
//!
//! That a lease seems dead is a guess. Nothing is lost where it is wrong: who adds makes sure at the end that nobody has
//! guessed so of him ([`Lease::holds`]), and who deletes stops long before anybody may ([`Lease::may_delete`]).

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sterna_backends::{Entry, Error, ErrorKind, Key, ListRequest, Operation, Result, Store};
use tokio::task::JoinHandle;

use super::{
    layout::{LEASES, known},
    place::{delete, is_there, put},
};

/// How those at work in an archive wait for one another; the same for all of them, so it lies in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Seconds after which a lease that nobody renews counts as left behind; it is renewed five times as often.
    #[serde(rename = "lease_seconds", with = "seconds")]
    pub lease: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lease: Duration::from_secs(900) }
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// After the key of a lease: the object that is written to renew it.
const PULSE: &str = ".pulse";

/// What somebody does in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// He adds a snapshot.
    Create,
    /// He deletes contents.
    Prune,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Prune => "prune",
        }
    }
}

/// A lease of this process.
pub(super) struct Lease {
    store: Arc<dyn Store>,
    terms: Terms,
    /// Written once. That it is there says that nobody has taken it for left behind.
    sign: Key,
    /// Written again and again.
    pulse: Key,
    beating: JoinHandle<()>,
    renewed: Arc<Mutex<Moment>>,
}

/// When the last renewal that succeeded was begun. By two clocks: one may be set, the other stands still while the
/// machine sleeps.
#[derive(Clone, Copy)]
struct Moment(Instant, SystemTime);

impl Moment {
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn ago(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// A lease of somebody else.
#[derive(Clone, Debug)]
pub(super) struct Other {
    sign: Key,
    pulse: Key,
    /// Whether it is renewed.
    pub alive: bool,
}

impl Lease {
    /// Writes down that this process is at work.
    pub(super) async fn take(store: &Arc<dyn Store>, terms: Terms, role: Role) -> Result<Self> {
        let id = fresh();
        let sign = known(format!("{LEASES}{}-{id}", role.name()));
        let pulse = known(format!("{sign}{PULSE}"));
        let begun = Moment::now();
        beat(store, &pulse).await?;
        put(store, &sign, b"{}\n".to_vec()).await?;
        let renewed = Arc::new(Mutex::new(begun));
        let beating = tokio::spawn(keep(Arc::clone(store), pulse.clone(), terms, Arc::clone(&renewed)));
        Ok(Self { store: Arc::clone(store), terms, sign, pulse, beating, renewed })
    }

    /// The others of that role. All ages are told by the store's clock.
    pub(super) async fn others(&self, role: Role) -> Result<Vec<Other>> {
        beat(&self.store, &self.pulse).await?;
        let mut pages = self.store.list(ListRequest::all(LEASES));
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(page) = pages.try_next().await? {
            entries.extend(page.into_iter().filter(Entry::is_object));
        }
        let time = |key: &Key| {
            let entry = entries.iter().find(|entry| entry.key == *key)?;
            entry.stored.max(entry.modified)
        };
        let now = time(&self.pulse);
        let start = format!("{LEASES}{}-", role.name());
        // A pulse without its sign is what a killed run, or one that is over, left: nobody minds it, but somebody clears it
        // away once it is old.
        let ids = entries.iter().filter(|entry| entry.key.starts_with(&start) && entry.key != self.sign);
        let ids: BTreeSet<&str> =
            ids.map(|entry| entry.key.strip_suffix(PULSE).unwrap_or(entry.key.as_str())).collect();
        let others = ids.into_iter().filter(|id| *id != self.sign.as_str()).filter_map(|id| {
            let (sign, pulse) = (known(id.to_owned()), known(format!("{id}{PULSE}")));
            let signed = entries.iter().any(|entry| entry.key == sign);
            // Where the store tells no time everybody is alive.
            let alive = match (now, time(&pulse).max(time(&sign))) {
                (Some(now), Some(last)) => {
                    let age = u64::try_from(now.as_nanos().saturating_sub(last.as_nanos())).unwrap_or(0);
                    Duration::from_nanos(age) < self.terms.lease
                }
                _ => true,
            };
            (signed || !alive).then_some(Other { sign, pulse, alive })
        });
        Ok(others.collect())
    }

    /// Removes a lease that was left behind. Whoever held it and is alive after all finds out in [`Lease::holds`].
    pub(super) async fn bury(&self, other: &Other) -> Result<()> {
        delete(&self.store, [other.sign.clone()]).await?;
        delete(&self.store, [other.pulse.clone()]).await
    }

    /// Whether nobody has taken this lease for left behind.
    pub(super) async fn holds(&self) -> Result<bool> {
        is_there(&self.store, &self.sign).await
    }

    /// That contents may still be deleted: nobody can take this lease for left behind for a good while.
    ///
    /// # Errors
    /// `Unavailable` where it has not been renewed for long.
    pub(super) fn may_delete(&self) -> Result<()> {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.ago() < self.terms.lease / 2 {
            return Ok(());
        }
        let why = "the lease could not be renewed for too long, so nothing more is deleted; run it again";
        Err(Error::new(ErrorKind::Unavailable, Operation::Delete).of(self.store.name()).because(why))
    }

    /// The work is over.
    pub(super) async fn release(self) -> Result<()> {
        self.beating.abort();
        delete(&self.store, [self.sign.clone(), self.pulse.clone()]).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

async fn keep(store: Arc<dyn Store>, pulse: Key, terms: Terms, renewed: Arc<Mutex<Moment>>) {
    loop {
        tokio::time::sleep(terms.lease / 5).await;
        let begun = Moment::now();
        // One that fails is made up for by the next.
        if beat(&store, &pulse).await.is_ok() {
            *renewed.lock().unwrap_or_else(PoisonError::into_inner) = begun;
        }
    }
}

async fn beat(store: &Arc<dyn Store>, pulse: &Key) -> Result<()> {
    put(store, pulse, b"{}\n".to_vec()).await
}

/// A name nobody else has: 128 random bits.
fn fresh() -> String {
    format!("{:032x}", fastrand::u128(..))
}
