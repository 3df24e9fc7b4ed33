//! How fast requests and bytes may go: what all places of one remote share, and what all of one process share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use sterna::backends::{
    Store,
    layer::{Bandwidth, Limit, Pace, PaceSettings, Pacer, Requests, Timetable},
    location::Location,
    registry::Remote,
};

use crate::{args::GlobalArgs, exit::Failure};

/// The limits that hold for whoever opens places with them. Clones share them.
#[derive(Clone, Debug)]
pub struct Limits {
    requests: Option<Arc<Requests>>,
    /// Those that hold for every remote: the process's, and the run's.
    bandwidths: Vec<Arc<Bandwidth>>,
    /// By what they are throttled together.
    remotes: Arc<Mutex<BTreeMap<String, OfRemote>>>,
}

/// What all places of a remote share.
#[derive(Clone, Debug)]
struct OfRemote {
    pacer: Arc<Pacer>,
    bandwidth: Option<Arc<Bandwidth>>,
}

impl Limits {
    /// Those of the command line.
    ///
    /// # Errors
    /// Where `--bwlimit` is no timetable.
    pub fn of(global: &GlobalArgs) -> Result<Self, Failure> {
        let limits = Self {
            requests: global.tpslimit.map(|rate| Arc::new(Requests::per_second(rate))),
            bandwidths: Vec::new(),
            remotes: Arc::default(),
        };
        match &global.bwlimit {
            Some(text) => limits.slower("--bwlimit", text),
            None => Ok(limits),
        }
    }

    /// The same limits, and those of another configuration's remotes.
    pub fn for_another_configuration(&self) -> Self {
        Self { remotes: Arc::default(), ..self.clone() }
    }

    /// The same limits, and one more for all bytes that go through here; `what` says it.
    ///
    /// # Errors
    /// Where `text` is no timetable.
    pub fn slower(mut self, what: &str, text: &str) -> Result<Self, Failure> {
        let timetable = text.parse::<Timetable>();
        let timetable = timetable.map_err(|error| Failure::usage(format!("{what} {text}: {error}")))?;
        self.bandwidths.push(Arc::new(Bandwidth::new(timetable)));
        Ok(self)
    }

    /// `store` at `location`, which `remote` speaks for, held back.
    ///
    /// # Errors
    /// Where a limit of `remote` is none.
    pub fn hold(&self, store: Arc<dyn Store>, location: &Location, remote: &Remote) -> Result<Arc<dyn Store>, Failure> {
        let OfRemote { pacer, bandwidth } = self.of_remote(location, remote)?;
        let slowed = |store, bandwidth: &Arc<Bandwidth>| Arc::new(Limit::new(store, Arc::clone(bandwidth))) as _;
        let store = self.bandwidths.iter().chain(&bandwidth).fold(store, slowed);
        Ok(Arc::new(Pace::new(store, pacer)))
    }

    fn of_remote(&self, location: &Location, remote: &Remote) -> Result<OfRemote, Failure> {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = throttled_together(location, remote);
        if let Some(known) = remotes.get(&name) {
            return Ok(known.clone());
        }
        let made = self.made(remote)?;
        remotes.insert(name, made.clone());
        Ok(made)
    }

    fn made(&self, remote: &Remote) -> Result<OfRemote, Failure> {
        let mut pace =
            PaceSettings { requests_per_second: remote.parsed("requests_per_second")?, ..PaceSettings::default() };
        if let Some(transfers) = remote.parsed::<usize>("transfers")? {
            pace.in_flight = transfers.max(1);
        }
        if pace.requests_per_second.is_some_and(|limit| !limit.is_finite() || limit <= 0.0) {
            let what = format!("requests_per_second of '{}' must be a number above 0", remote.name);
            return Err(Failure::usage(what));
        }
        let bandwidth = remote.parsed::<Timetable>("bandwidth")?.map(|timetable| Arc::new(Bandwidth::new(timetable)));
        Ok(OfRemote { pacer: Arc::new(Pacer::new(pace).within(self.requests.clone())), bandwidth })
    }
}

/// What answers for `location`: a configured remote, the service that a URL's buckets belong to, else a URL's host.
fn throttled_together(location: &Location, remote: &Remote) -> String {
    match location {
        Location::Url { scheme, path } if remote.family.buckets.is_none() => {
            let path = path.trim_start_matches('/');
            format!("{scheme}://{}", path.split_once('/').map_or(path, |(host, _)| host))
        }
        Location::Url { scheme, .. } => format!("{scheme}://"),
        Location::Remote { .. } | Location::Local(_) => remote.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;
    use sterna::backends::{
        Key,
        memory::Memory,
        registry::{Value, family},
    };
    use tokio::time::Instant;

    use super::*;

    fn limits(requests: Option<f64>) -> Limits {
        let requests = requests.map(|rate| Arc::new(Requests::per_second(rate)));
        Limits { requests, bandwidths: Vec::new(), remotes: Arc::default() }
    }

    /// A place of the remote of that name, which is asked ten times a second at most.
    fn place(limits: &Limits, name: &str) -> Arc<dyn Store> {
        let options = [("requests_per_second".to_owned(), Value::Text("10".to_owned()))].into();
        let remote = Remote::new(name, family("memory").unwrap(), options).unwrap();
        let location = Location::Remote { name: name.to_owned(), path: String::new() };
        limits.hold(Arc::new(Memory::new("t")), &location, &remote).unwrap()
    }

    /// Whole seconds, rounded, that ten requests to each place take together.
    async fn took(places: &[Arc<dyn Store>]) -> u64 {
        let (start, key) = (Instant::now(), Key::new("a").unwrap());
        join_all(places.iter().flat_map(|place| (0..10).map(|_| place.stat(&key, None)))).await;
        (start.elapsed() + Duration::from_millis(500)).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn the_places_of_a_remote_share_its_limits_in_every_run_of_a_process() {
        let all = limits(None);
        let job = all.clone().slower("the job's", "1G").unwrap();
        assert_eq!(took(&[place(&all, "a"), place(&job, "a")]).await, 2);
        assert_eq!(took(&[place(&all, "a"), place(&all, "b")]).await, 1, "another remote has its own");
        assert_eq!(took(&[place(&all, "a"), place(&all.for_another_configuration(), "a")]).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn all_remotes_share_the_limit_of_the_process() {
        let all = limits(Some(5.0));
        assert_eq!(took(&[place(&all, "a"), place(&all, "b")]).await, 4);
        assert_eq!(took(&[place(&all, "a"), place(&all.for_another_configuration(), "a")]).await, 4);
    }

    #[test]
    fn urls_are_throttled_with_those_of_their_host_or_service() {
        let together = |url: &str| {
            let location: Location = url.parse().unwrap();
            let Location::Url { scheme, .. } = &location else { panic!("{url} is no URL") };
            let remote = Remote::new(scheme.as_str(), family(scheme).unwrap(), BTreeMap::new()).unwrap();
            throttled_together(&location, &remote)
        };
        assert_eq!(together("http://a/x"), together("http://a/y/z"));
        assert_ne!(together("http://a/x"), together("http://b/x"));
        assert_eq!(together("s3://a/x"), together("s3://b"));
    }
}
