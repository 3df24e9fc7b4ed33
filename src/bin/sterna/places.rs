//! Places as typed -> stores with their layers.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::civil::Date;
use sterna::{
    backends::{
        Algorithm, Entry, Error, ErrorKind, Key, Store,
        layer::{Meter, Prefix, Retried, Retry, RetrySettings},
        local::{self, Local},
        location::{InvalidLocation, Location},
        registry::{Notebook, Purpose, Remote},
        skipped::{self, Skipped, WhySkipped},
        unopened::Unopened,
    },
    event::{Event, Observers},
    list::filter::Filter,
    price::{Book, Offer, SelectError},
};

use crate::{
    args::{Fsync, GlobalArgs, LocalArgs, OwnPricesArgs},
    config::{Budget, Config, Environment},
    exit::Failure,
    limits::Limits,
    settings,
};

/// For how long a store may say nothing before people are told what they wait for, and how often they are told.
const UNTOLD: Duration = Duration::from_secs(3);
const TOLD_AGAIN: Duration = Duration::from_secs(30);

/// A place that was opened.
#[derive(Clone, Debug)]
pub struct Place {
    /// The place as typed.
    pub written: String,
    /// The store, rooted at the place.
    pub store: Arc<dyn Store>,
    /// The name of the object the place is, where it is one; the store is then rooted at its folder.
    pub object: Option<Key>,
    /// The requests made so far; `None` for local files.
    pub meter: Option<Arc<Meter>>,
    /// What its requests are billed by; `None` for local files.
    pub terms: Option<Terms>,
    /// Where else its store finds contents to copy: its whole bucket.
    pub searched: Vec<Arc<dyn Store>>,
    /// The same place without limits of bandwidth and requests, for what must not wait behind transfers: leases.
    pub unlimited: Arc<dyn Store>,
}

/// What the configuration says of a remote's bill.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The remote's name; the scheme of a URL.
    pub remote: String,
    /// What its store is called in the price book, where that is not said.
    pub provider: String,
    /// The entry of the price book that holds for it.
    pub offer: Option<String>,
    /// The class objects are put in.
    pub class: Option<String>,
}

impl Terms {
    fn of(remote: &Remote) -> Self {
        let text = |option: &str| remote.text(option).map(str::to_owned);
        Self {
            remote: remote.name.clone(),
            provider: text("provider").unwrap_or_else(|| remote.family.name.to_owned()),
            offer: text("price_offer"),
            class: text("storage_class"),
        }
    }

    /// Of the remote of that name, or of URLs of that scheme.
    ///
    /// # Errors
    /// Where what it says of its bill cannot be had.
    pub fn named(config: &Config, name: &str) -> Result<Self, Failure> {
        let remote = name.to_owned();
        if !config.names().any(|known| known == name) {
            return Ok(Self { provider: remote.clone(), remote, offer: None, class: None });
        }
        let wanted = ["provider", "price_offer", "storage_class"];
        let (family, [provider, offer, class]) = config.options(name, wanted)?;
        Ok(Self { remote, provider: provider.unwrap_or_else(|| family.name.to_owned()), offer, class })
    }

    /// What bills it on `date`: its `price_offer`, else what `book` has for its provider; `None` where that is nothing.
    ///
    /// # Errors
    /// Where its `price_offer` is no offer of the book.
    pub fn billed(&self, book: &Book, date: Date) -> Result<Option<Offer>, Failure> {
        let class = self.class.as_deref();
        let Some(name) = &self.offer else { return Ok(book.offer_of(&self.provider, class, date).ok()) };
        let wrong = |error: SelectError| Failure::usage(format!("price_offer of '{}': {error}", self.remote));
        book.offer_of(name, class, date).map(Some).map_err(wrong)
    }
}

/// A store with its layers, what of the path lies inside it, and who counts and bills.
struct Reached {
    store: Arc<dyn Store>,
    /// See [`Place::unlimited`].
    unlimited: Arc<dyn Store>,
    prefix: String,
    meter: Option<Arc<Meter>>,
    terms: Option<Terms>,
}

/// Why a place could not be opened.
enum Closed {
    /// It was not written, or configured, as a place is.
    Wrong(Failure),
    /// Its store does not let us in, or does not answer.
    Refused(Error),
}

impl<T: Into<Failure>> From<T> for Closed {
    fn from(wrong: T) -> Self {
        Self::Wrong(wrong.into())
    }
}

impl Closed {
    fn of(error: Error) -> Self {
        if error.kind() == ErrorKind::Config { Self::Wrong(error.into()) } else { Self::Refused(error) }
    }

    fn failure(self) -> Failure {
        match self {
            Self::Wrong(failure) => failure,
            Self::Refused(error) => error.into(),
        }
    }
}

/// Opens places for one command.
pub struct Opener<'a> {
    config: Arc<Config>,
    global: &'a GlobalArgs,
    limits: Limits,
    local: LocalArgs,
    observer: Observers,
    notebook: Option<Arc<dyn Notebook>>,
}

impl<'a> Opener<'a> {
    /// With the configuration `global` names.
    pub fn new(global: &'a GlobalArgs, local: LocalArgs, observer: Observers) -> Result<Self, Failure> {
        let config = Config::load(global.config.as_deref(), Environment::of_process())?;
        Ok(Self::with(Arc::new(config), Limits::of(global)?, global, (local, observer)))
    }

    /// With a configuration that was read before, and the limits that hold for it.
    pub fn with(
        config: Arc<Config>,
        limits: Limits,
        global: &'a GlobalArgs,
        (local, observer): (LocalArgs, Observers),
    ) -> Self {
        Self { config, global, limits, local, observer, notebook: settings::notebook() }
    }

    /// The same for who wants to know what servers do now: they are tried, and what earlier runs found says nothing.
    pub fn trying(self) -> Self {
        Self { notebook: None, ..self }
    }

    /// What the configuration allows the remotes to be spent.
    pub fn budgets(&self) -> &[Budget] {
        self.config.budgets()
    }

    /// The prices that hold: see [`settings::book`].
    pub fn book(&self, own: &OwnPricesArgs) -> Result<Book, Failure> {
        settings::book(own, &self.config)
    }

    /// Opens `written` as a folder: what it names is a prefix even where an object has that name. Nothing is put there.
    pub async fn folder(&self, written: &str) -> Result<Place, Failure> {
        self.folder_for(Purpose::Look, written).await
    }

    /// As [`Opener::folder`], to put objects there.
    pub async fn target(&self, written: &str) -> Result<Place, Failure> {
        self.folder_for(Purpose::Target, written).await
    }

    /// As [`Opener::target`], for one of several destinations: where its store does not let us in, everything there fails
    /// with that error, and the others have theirs.
    pub async fn destination(&self, written: &str, several: bool) -> Result<Place, Failure> {
        match self.reach(Purpose::Target, written).await {
            Ok(reached) => Ok(folder(written, reached)),
            Err(Closed::Refused(error)) if several => {
                let store: Arc<dyn Store> = Arc::new(Unopened::new(written, error));
                let (unlimited, prefix) = (Arc::clone(&store), String::new());
                Ok(folder(written, Reached { store, unlimited, prefix, meter: None, terms: None }))
            }
            Err(closed) => Err(closed.failure()),
        }
    }

    async fn folder_for(&self, purpose: Purpose, written: &str) -> Result<Place, Failure> {
        Ok(folder(written, self.open(purpose, written).await?))
    }

    /// The buckets that the place's remote is told to search.
    pub async fn searched(&self, written: &str) -> Result<Vec<Arc<dyn Store>>, Failure> {
        let Ok(location @ Location::Remote { .. }) = written.parse() else { return Ok(Vec::new()) };
        let (remote, _) = self.config.place(&location)?;
        let remote = remote.opened_for(Purpose::Look);
        let buckets = remote.text("search").unwrap_or_default().split(',').map(str::trim);
        let mut stores = Vec::new();
        for bucket in buckets.filter(|name| !name.is_empty()) {
            let opened = remote.at_bucket(bucket).open("").await?;
            stores.push(self.held(Arc::new(Meter::new(opened.store)), &location, &remote)?);
        }
        Ok(stores)
    }

    /// Opens `written` as what it is: the object of that name, else the folder. Nothing is put there.
    pub async fn either(&self, written: &str) -> Result<Place, Failure> {
        self.either_for(Purpose::Look, written).await
    }

    /// As [`Opener::either`], to copy from there.
    pub async fn source(&self, written: &str) -> Result<Place, Failure> {
        self.either_for(Purpose::Source, written).await
    }

    async fn either_for(&self, purpose: Purpose, written: &str) -> Result<Place, Failure> {
        let Reached { store, unlimited, prefix, meter, terms } = self.open(purpose, written).await?;
        if let Some(object) = as_object(&store, &prefix).await? {
            let (folder, name) = prefix.rsplit_once('/').map_or(("", prefix.as_str()), |(folder, name)| (folder, name));
            let folder = &prefix[..folder.len() + usize::from(prefix.len() > name.len())];
            let (store, unlimited) = (rooted(store, folder), rooted(unlimited, folder));
            let object = Key::new(name).unwrap_or(object.key);
            let (written, object) = (written.to_owned(), Some(object));
            return Ok(Place { written, store, object, meter, terms, searched: Vec::new(), unlimited });
        }
        let place = folder(written, Reached { store, unlimited, prefix, meter, terms });
        Ok(Place { searched: Vec::new(), ..place })
    }

    /// Digests that objects sent to `destinations` may be asked for later: those by which the other remotes of the
    /// configuration tell large objects, and with several destinations those of all.
    pub fn digests(&self, destinations: &[String]) -> Vec<Algorithm> {
        let alone = match destinations {
            [only] => only.parse().ok(),
            _ => None,
        };
        match alone {
            Some(Location::Remote { name, .. }) => self.config.digests(Some(&name)),
            _ => self.config.digests(None),
        }
    }

    /// What bills `written` on that day: the remote's `price_offer`, else what the book has for its provider; `None` where it
    /// has nothing.
    pub fn offer(&self, book: &Book, written: &str, date: Date) -> Result<Option<Offer>, Failure> {
        let location: Location = written.parse().map_err(|error: InvalidLocation| Failure::usage(error.to_string()))?;
        let (remote, _) = self.config.place(&location)?;
        Terms::of(&remote).billed(book, date)
    }

    /// The buckets of a remote that is typed without one; `None` where a place names more.
    pub async fn buckets(&self, written: &str) -> Result<Option<Vec<String>>, Failure> {
        let Ok(Location::Remote { name, path }) = written.parse() else { return Ok(None) };
        let remote = self.config.remote(&name)?;
        match remote.family.buckets {
            Some(list) if path.is_empty() && remote.text("bucket").is_none() => Ok(Some(list(&remote).await?)),
            _ => Ok(None),
        }
    }

    async fn open(&self, purpose: Purpose, written: &str) -> Result<Reached, Failure> {
        self.reach(purpose, written).await.map_err(Closed::failure)
    }

    async fn reach(&self, purpose: Purpose, written: &str) -> Result<Reached, Closed> {
        let location: Location = written.parse().map_err(|error: InvalidLocation| Failure::usage(error.to_string()))?;
        if let Location::Local(path) = &location {
            let (path, options) = (path.clone(), self.local_options());
            let opened = tokio::task::spawn_blocking(move || Local::open(&path, options))
                .await
                .map_err(|panic| Failure::usage(panic.to_string()))?
                .map_err(Closed::of)?;
            // The bandwidth is the network's. A limit around a file would hide that it is one, and with it the digests
            // that are known before its first byte is sent.
            let unlimited = Arc::clone(&opened.store);
            return Ok(Reached { store: opened.store, unlimited, prefix: opened.prefix, meter: None, terms: None });
        }
        let (remote, path) = self.config.place(&location)?;
        let remote = remote.opened_for(purpose).observed(self.skips()).noted(self.notebook.clone());
        let opened = self.patiently(&remote.name, remote.open(&path)).await.map_err(Closed::of)?;
        let meter = Arc::new(Meter::new(opened.store));
        let store = self.held(Arc::clone(&meter) as Arc<dyn Store>, &location, &remote)?;
        let terms = Some(Terms::of(&remote));
        let unlimited = Arc::new(self.retrying(Arc::clone(&meter) as Arc<dyn Store>));
        Ok(Reached { store, unlimited, prefix: opened.prefix, meter: Some(meter), terms })
    }

    /// `store` within the limits, each attempt of each request.
    fn held(&self, store: Arc<dyn Store>, location: &Location, remote: &Remote) -> Result<Arc<dyn Store>, Failure> {
        Ok(Arc::new(self.retrying(self.limits.hold(store, location, remote)?)))
    }

    /// Retries around `store`, which tell what is waited for.
    fn retrying(&self, store: Arc<dyn Store>) -> Retry {
        let settings = RetrySettings {
            tries: self.global.low_level_retries.max(1),
            silence: self.global.give_up_after.0.unwrap_or_default(),
            ..RetrySettings::default()
        };
        let (observer, told) = (Arc::clone(&self.observer), Mutex::new(None::<Instant>));
        Retry::new(store, settings).observed(move |retried: &Retried<'_>| {
            // A time-out is a wait by itself.
            if retried.silent < UNTOLD && retried.kind != ErrorKind::Timeout {
                return;
            }
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_none_or(|at| at.elapsed() >= TOLD_AGAIN) {
                *told = Some(Instant::now());
                observer.on(&Event::Waiting { message: format!("{}; trying again", retried.error) });
            }
        })
    }

    /// Waits until the store `name` is open, and tells that where it takes long.
    async fn patiently<T>(&self, name: &str, opening: impl Future<Output = T>) -> T {
        let mut opening = pin!(opening);
        match tokio::time::timeout(UNTOLD, &mut opening).await {
            Ok(opened) => opened,
            Err(_elapsed) => {
                self.observer.on(&Event::Waiting { message: format!("'{name}' has not answered yet; waiting") });
                opening.await
            }
        }
    }

    /// Tells of what listings leave out, but for links that the user wants left out.
    fn skips(&self) -> skipped::Observer {
        let observer = Arc::clone(&self.observer);
        let silent = self.local.skip_links;
        Arc::new(move |skipped: Skipped| {
            if silent && skipped.why == WhySkipped::Link {
                return;
            }
            let path = skipped.path.to_string_lossy().into_owned();
            let (why, nameless) = (skipped.why.to_string(), skipped.why.is_nameless());
            observer.on(&Event::Skipped { path, why, nameless });
        })
    }

    fn local_options(&self) -> local::LocalOptions {
        local::LocalOptions {
            links: match (self.local.links, self.local.copy_links) {
                (true, _) => local::Links::Keep,
                (_, true) => local::Links::Follow,
                _ => local::Links::Skip,
            },
            fsync: match self.local.fsync {
                Some(Fsync::None) => local::Fsync::None,
                Some(Fsync::Always) => local::Fsync::Always,
                Some(Fsync::Batch) | None => local::Fsync::Batch,
            },
            permissions: self.local.permissions,
            sparse: self.local.sparse,
            hard_link: self.local.hard_link,
            observer: Some(self.skips()),
            ..local::LocalOptions::default()
        }
    }
}

impl Place {
    /// What `filter` admits of the place: of one that is an object that object at most.
    pub fn narrows(&self, filter: Arc<Filter>) -> Arc<Filter> {
        match &self.object {
            Some(object) => Arc::new(Arc::unwrap_or_clone(filter).narrowed(object)),
            None => filter,
        }
    }
}

/// What was reached, as a folder.
fn folder(written: &str, reached: Reached) -> Place {
    let Reached { store: container, unlimited, prefix, meter, terms } = reached;
    let inside = folder_of(&prefix);
    let (store, unlimited) = (rooted(Arc::clone(&container), &inside), rooted(unlimited, &inside));
    // A folder of this machine is no bucket: what lies beside it is somebody else's.
    let searched = if meter.is_some() && !prefix.is_empty() { vec![container] } else { Vec::new() };
    Place { written: written.to_owned(), store, object: None, meter, terms, searched, unlimited }
}

fn rooted(store: Arc<dyn Store>, prefix: &str) -> Arc<dyn Store> {
    if prefix.is_empty() { store } else { Arc::new(Prefix::new(store, prefix)) }
}

/// `prefix` as the prefix of what lies below it.
pub fn folder_of(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

async fn as_object(store: &Arc<dyn Store>, prefix: &str) -> Result<Option<Entry>, Failure> {
    if prefix.ends_with('/') {
        return Ok(None);
    }
    let Ok(key) = Key::new(prefix) else { return Ok(None) };
    match store.stat(&key, None).await {
        Ok(entry) => Ok(entry.is_object().then_some(entry)),
        // A folder is no object, and what is not there may be made.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NoSuchContainer | ErrorKind::Unsupported) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
