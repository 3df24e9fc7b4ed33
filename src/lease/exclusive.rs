//! One run at a place, across processes and machines.
//!
//! Where conditions on writing are kept, everybody writes the same object: to take it if nothing is there, to renew it if it
//! is still the one that was written last, to take it over if it is still the one that looked left behind. Where they are not,
//! a run signs beside the others and gives way to whoever was there.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sterna_backends::{
    Body, Entry, Error, ErrorKind, Key, Operation, PutRequest, Result, Store, StoreExt, layer::Prefix,
};
use tokio::{sync::Notify, task::JoinHandle};

use super::{
    Fence, Shared, Terms, fresh, known,
    shared::{Other, between},
    terms::{Fate, Moment, seconds},
};
use crate::list::OWN;

/// The one object, where conditions on writing are kept.
const HOLDER: &str = "holder";

/// The one role, where they are not.
const ROLE: &str = "run";

/// How often a lease is asked for again that has just been released, or that two asked for at once.
const TRIES: u32 = 4;

/// Who has, or wants, a lease. It lies at the place, where others may read it: names of jobs are no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// This very taking; nobody else's is the same.
    id: String,
    /// Where its records lie: whoever writes to the same ones is on the same machine.
    pub machine: String,
    /// What for.
    pub job: String,
    /// After so long without a sign of life it counts as left behind.
    #[serde(rename = "lease_seconds", with = "seconds")]
    pub lease: Duration,
    /// How often it was renewed. With it no renewal has the `ETag` of another: who has seen the lease as it was before one
    /// cannot take it over.
    renewals: u64,
}

impl Holder {
    /// A holder to be.
    #[must_use]
    pub fn new(machine: &str, job: &str, terms: Terms) -> Self {
        Self { id: fresh(), machine: machine.to_owned(), job: job.to_owned(), lease: terms.lease, renewals: 0 }
    }

    /// Whether `other` is what an earlier run of the same job on the same machine left. There it has only one at a time.
    fn follows(&self, other: &Self) -> bool {
        (&self.machine, &self.job) == (&other.machine, &other.job)
    }
}

/// Why a lease is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Somebody else has it.
    #[error("{}", held(.0.as_deref()))]
    Held(Option<Box<Holder>>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

fn held(by: Option<&Holder>) -> String {
    match by {
        Some(by) => format!("the job '{}' is at work there, begun on the machine {:.8}", by.job, by.machine),
        None => "another run is at work there".to_owned(),
    }
}

/// A lease of this process: nobody else has one at this place while it is safe.
pub struct Exclusive {
    store: Arc<dyn Store>,
    held: Held,
    fate: Fate,
}

enum Held {
    /// The one object, which the task renews.
    One(Beating),
    /// The only one of its role.
    Alone(Shared),
}

/// A task that ends with this value.
struct Beating {
    task: JoinHandle<()>,
    enough: Arc<Notify>,
}

impl Beating {
    fn new(store: Arc<dyn Store>, me: Holder, etag: Option<Arc<str>>, fate: Fate) -> Self {
        let enough = Arc::new(Notify::new());
        let task = tokio::spawn(keep((store, me, etag), fate, Arc::clone(&enough)));
        Self { task, enough }
    }

    /// Ends it. A renewal that is under way comes to its end before: one that arrived after the lease was given back
    /// could make it again.
    async fn end(mut self) {
        self.enough.notify_one();
        let _panicked = (&mut self.task).await;
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Exclusive {
    /// Takes the lease of the place that `store` is rooted at. Who calls it holds the lock of the same job on this machine
    /// ([`machine`](super::machine)): a lease of `me.machine` and `me.job` is taken over at once.
    ///
    /// Where the store keeps no conditions on writing, of two who ask at once it may be that both are refused.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn take(store: &Arc<dyn Store>, me: Holder) -> Result<Self, Refused> {
        for tries in 1..=TRIES {
            let taken = match store.capabilities().conditional_put {
                true => take_one(store, &me).await,
                false => take_alone(store, &me).await,
            };
            match taken {
                Err(Refused::Held(_)) if tries < TRIES => {
                    // Another time for each, so that of two who give way one is alone the next time.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(50..400))).await;
                }
                taken => return taken,
            }
        }
        unreachable!("the last try returns")
    }

    /// `store`, which refuses changes once the lease is not safe.
    #[must_use]
    pub fn fence(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Fence::new(store, self.fate.clone()))
    }

    /// Comes back once the lease is not safe: it is somebody else's, or may soon be.
    pub fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        let fate = self.fate.clone();
        async move { fate.over().await }
    }

    /// The work is over. A lease that may be somebody else's is left alone.
    ///
    /// # Errors
    /// What stopped the deletion; then it is left behind.
    pub async fn release(self) -> Result<()> {
        let safe = self.fate.is_safe();
        match self.held {
            Held::One(beating) => {
                beating.end().await;
                if safe {
                    self.store.delete_keys(vec![holder()]).await?;
                }
            }
            Held::Alone(shared) => shared.release().await?,
        }
        if self.store.capabilities().directories {
            // Another's lease may lie in it.
            let _not_empty = Prefix::new(Arc::clone(&self.store), OWN).remove_directory("").await;
        }
        Ok(())
    }
}

fn holder() -> Key {
    known(format!("{OWN}{HOLDER}"))
}

async fn take_one(store: &Arc<dyn Store>, me: &Holder) -> Result<Exclusive, Refused> {
    let begun = Moment::now();
    let condition = PutRequest { if_absent: true, ..PutRequest::default() };
    let etag = match write(store, me, condition).await {
        Ok(entry) => entry.etag,
        Err(error) if refuses(&error) => over_another(store, me).await?,
        Err(error) => return Err(error.into()),
    };
    let terms = Terms { lease: me.lease };
    let fate = Fate::new(terms, begun);
    let beating = Beating::new(Arc::clone(store), me.clone(), etag, fate.clone());
    Ok(Exclusive { store: Arc::clone(store), held: Held::One(beating), fate })
}

/// The lease is there already: takes it over where nobody holds it any more. The `ETag` of what is there then.
async fn over_another(store: &Arc<dyn Store>, me: &Holder) -> Result<Option<Arc<str>>, Refused> {
    let (entry, other) = match look(store).await? {
        None => return Err(Refused::Held(None)),
        Some(found) => found,
    };
    if let Some(other) = &other {
        // The answer to the first request was lost, and it was sent again.
        if other.id == me.id {
            return Ok(entry.etag);
        }
        if !me.follows(other) && age(store, &entry).await?.is_none_or(|age| age < other.lease) {
            return Err(Refused::Held(Some(Box::new(other.clone()))));
        }
    } else if age(store, &entry).await?.is_none_or(|age| age < me.lease) {
        return Err(Refused::Held(None));
    }
    let condition = PutRequest { if_match: entry.etag, ..PutRequest::default() };
    match write(store, me, condition).await {
        Ok(entry) => Ok(entry.etag),
        Err(error) if refuses(&error) => Err(Refused::Held(None)),
        Err(error) => Err(error.into()),
    }
}

/// Since when the lease has not been renewed, by the store's clock, which is asked by writing something.
async fn age(store: &Arc<dyn Store>, lease: &Entry) -> Result<Option<Duration>> {
    let clock = known(format!("{OWN}clock-{}", fresh()));
    store.put_bytes(&clock, b"{}\n".to_vec()).await?;
    let now = store.stat(&clock, None).await;
    store.delete_keys(vec![clock]).await?;
    let time = |entry: &Entry| entry.stored.max(entry.modified);
    Ok(time(&now?).zip(time(lease)).map(|(now, then)| between(then, now)))
}

/// The lease as it lies there, and what it says, where that is understood.
async fn look(store: &Arc<dyn Store>) -> Result<Option<(Entry, Option<Holder>)>> {
    let missing = |error: &Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NoSuchContainer);
    match store.read(&holder(), sterna_backends::ReadRequest::default()).await {
        Ok(reader) => {
            let bytes = reader.body.collect().await?;
            Ok(Some((reader.entry, serde_json::from_slice(&bytes).ok())))
        }
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn write(store: &Arc<dyn Store>, me: &Holder, condition: PutRequest) -> Result<Entry> {
    let bytes = says(me)?;
    let request = PutRequest { size: Some(bytes.len() as u64), ..condition };
    store.put(&holder(), request, Body::from(bytes)).await
}

fn says(me: &Holder) -> Result<Vec<u8>> {
    let mut text =
        serde_json::to_vec(me).map_err(|error| Error::new(ErrorKind::Other, Operation::Put).because(error))?;
    text.push(b'\n');
    Ok(text)
}

fn refuses(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Precondition | ErrorKind::Exists | ErrorKind::NotFound)
}

async fn keep((store, mut me, mut etag): (Arc<dyn Store>, Holder, Option<Arc<str>>), fate: Fate, enough: Arc<Notify>) {
    let terms = Terms { lease: me.lease };
    loop {
        tokio::select! {
            () = tokio::time::sleep(terms.beat()) => {}
            () = enough.notified() => return,
        }
        let begun = Moment::now();
        me.renewals += 1;
        let condition = PutRequest { if_match: etag.clone(), ..PutRequest::default() };
        match write(&store, &me, condition).await {
            Ok(entry) => {
                etag = entry.etag;
                fate.renewed(begun);
            }
            // It may be our own renewal whose answer was lost.
            Err(error) if refuses(&error) => match look(&store).await {
                Ok(Some((entry, Some(now)))) if now.id == me.id => etag = entry.etag,
                Ok(_) => return fate.lose(),
                Err(_) => {}
            },
            // Made up for by the next.
            Err(_) => {}
        }
    }
}

async fn take_alone(store: &Arc<dyn Store>, me: &Holder) -> Result<Exclusive, Refused> {
    let shared = Shared::take(store, Terms { lease: me.lease }, (OWN, ROLE), says(me)?).await?;
    let other = match first_alive(store, &shared, me).await {
        Ok(None) => {
            let fate = shared.fate().clone();
            return Ok(Exclusive { store: Arc::clone(store), held: Held::Alone(shared), fate });
        }
        Ok(Some(refused)) => refused,
        Err(error) => error.into(),
    };
    // One that stays behind is taken over by the next run.
    let _left_behind = shared.release().await;
    Err(other)
}

/// Removes what was left behind; the refusal by the first that was not.
async fn first_alive(store: &Arc<dyn Store>, shared: &Shared, me: &Holder) -> Result<Option<Refused>> {
    for other in shared.others(ROLE).await? {
        let by = match store.get(&other.sign).await {
            Ok(bytes) => serde_json::from_slice::<Holder>(&bytes).ok(),
            // It has just been released.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let Other { age, .. } = other;
        let lease = by.as_ref().map_or(me.lease, |by| by.lease);
        if by.as_ref().is_some_and(|by| me.follows(by)) || age.is_some_and(|age| age >= lease) {
            shared.bury(&other).await?;
        } else {
            return Ok(Some(Refused::Held(by.map(Box::new))));
        }
    }
    Ok(None)
}
