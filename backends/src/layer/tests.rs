//! The small layers: prefix, pace, meter, readonly, fault.

use std::{sync::Arc, time::Duration};

use futures::{TryStreamExt, future::join_all};
use tokio::time::Instant;

use super::{Fault, Faults, InFlight, Meter, Pace, PaceSettings, Pacer, Prefix, ReadOnly, Requests, Rule, What, When};
use crate::{
    body::Body,
    entry::Key,
    error::{ErrorKind, Operation},
    memory::{Behaviour, Memory},
    store::{ListRequest, PartRequest, PutRequest, Store, StoreExt},
};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn put(store: &dyn Store, name: &str) {
    store.put(&key(name), PutRequest::default(), Body::from(name.as_bytes().to_vec())).await.unwrap();
}

fn rules(rules: &[(Operation, When, What)]) -> Faults {
    let rules =
        rules.iter().map(|(operation, when, what)| Rule { operation: Some(*operation), when: *when, what: *what });
    Faults { seed: 11, rules: rules.collect(), stop_after: None }
}

#[tokio::test]
async fn a_prefix_hides_what_lies_elsewhere() {
    let memory: Arc<dyn Store> = Arc::new(Memory::new("t"));
    for name in ["dir/", "dir/a", "dir/sub/b", "dirt", "other/c"] {
        put(&*memory, name).await;
    }
    let prefix = Prefix::new(Arc::clone(&memory), "dir/");
    assert_eq!(prefix.name(), "memory:t/dir");
    let keys = |entries: Vec<crate::Entry>| entries.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(prefix.list_to_vec(ListRequest::all("")).await.unwrap()), ["a", "sub/b"]);
    assert_eq!(keys(prefix.list_to_vec(ListRequest::level("")).await.unwrap()), ["a", "sub/"]);
    let enter = ListRequest { enter: Some(Arc::new(|path: &str| path != "sub/")), ..ListRequest::all("") };
    assert_eq!(keys(prefix.list_to_vec(enter).await.unwrap()), ["a"]);
    let error = prefix.stat(&key("c"), None).await.unwrap_err();
    assert_eq!((error.key(), error.store()), (Some(&key("c")), Some("memory:t/dir")));
    let long = key(&"x".repeat(1_022));
    let refused = prefix.put(&long, PutRequest::default(), Body::empty()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.key()), (ErrorKind::Unsupported, Some(&long)));
    assert!(prefix.capabilities().keys.refuse(&long).is_some());
    let results = prefix.delete(&[key("a").into(), long.into(), key("sub/b").into()]).await;
    assert!(results.iter().all(Result::is_ok) && results.len() == 3, "{results:?}");
    assert_eq!(keys(memory.list_to_vec(ListRequest::all("")).await.unwrap()), ["dir/", "dirt", "other/c"]);

    let nested = Prefix::new(Arc::new(Prefix::new(memory, "oth")), "er/");
    assert_eq!(keys(nested.list_to_vec(ListRequest::all("")).await.unwrap()), ["c"]);
}

fn paced(store: Arc<dyn Store>, settings: PaceSettings) -> Pace {
    Pace::new(store, Arc::new(Pacer::new(settings)))
}

#[tokio::test(start_paused = true)]
async fn requests_start_at_the_rate() {
    let settings = PaceSettings { requests_per_second: Some(10.0), burst: 5, ..PaceSettings::default() };
    let pace = paced(Arc::new(Memory::new("t")), settings);
    let start = Instant::now();
    let name = key("a");
    let missing = join_all((0..25).map(|_| pace.stat(&name, None))).await;
    assert!(missing.iter().all(Result::is_err));
    // Five at once, then twenty at ten a second.
    let took = start.elapsed();
    assert!((Duration::from_millis(1_950)..Duration::from_millis(2_100)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn stores_that_share_a_pacer_share_its_rate_and_pacers_may_share_another() {
    let (name, settings) =
        (key("a"), |rate| PaceSettings { requests_per_second: Some(rate), ..PaceSettings::default() });
    let store = |pacer: &Arc<Pacer>| Pace::new(Arc::new(Memory::new("t")), Arc::clone(pacer));
    let took = async |stores: &[Pace]| {
        let start = Instant::now();
        join_all(stores.iter().flat_map(|store| (0..10).map(|_| store.stat(&name, None)))).await;
        start.elapsed()
    };
    let shared = Arc::new(Pacer::new(settings(10.0)));
    let took_shared = took(&[store(&shared), store(&shared)]).await;
    assert!((Duration::from_millis(1_890)..Duration::from_secs(2)).contains(&took_shared), "{took_shared:?}");

    let requests = Some(Arc::new(Requests::per_second(5.0)));
    let pacer = || Arc::new(Pacer::new(settings(1_000.0)).within(requests.clone()));
    let took_within = took(&[store(&pacer()), store(&pacer())]).await;
    assert!((Duration::from_millis(3_790)..Duration::from_millis(3_900)).contains(&took_within), "{took_within:?}");
}

/// A store on which every stat takes a second.
fn slow(memory: Arc<dyn Store>) -> Arc<Fault> {
    let second = What::Delay(Duration::from_secs(1));
    Arc::new(Fault::new(memory, rules(&[(Operation::Stat, When::Rate(1.0), second)])))
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_told() {
    let settings = PaceSettings { in_flight: 4, ..PaceSettings::default() };
    let pace = paced(slow(Arc::new(Memory::new("t"))), settings);
    let start = Instant::now();
    let name = key("a");
    join_all((0..20).map(|_| pace.stat(&name, None))).await;
    let took = start.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_millis(5_100)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn throttling_halves_once_and_success_recovers() {
    let memory: Arc<dyn Store> = Arc::new(Memory::new("t"));
    put(&*memory, "a").await;
    let throttled = What::Throttle(Duration::from_millis(10));
    let fault = rules(&[(Operation::Stat, When::First(16), throttled)]);
    let inner = slow(Arc::new(Fault::new(memory, fault)));
    let pace = paced(inner, PaceSettings { in_flight: 16, ..PaceSettings::default() });
    let name = key("a");
    let limit = || pace.in_flight().reads;
    // Sixteen that were on their way together are one reason to slow down, not sixteen.
    let answers = join_all((0..16).map(|_| pace.stat(&name, None))).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(pace.in_flight(), InFlight { reads: 8, changes: 16 });
    let start = Instant::now();
    join_all((0..16).map(|_| pace.stat(&name, None))).await;
    assert_eq!(limit(), 9);
    assert!(start.elapsed() >= Duration::from_millis(2_010), "eight at a time, and none before the store said");
    let start = Instant::now();
    join_all((0..9).map(|_| pace.stat(&name, None))).await;
    assert_eq!((limit(), start.elapsed().as_secs()), (10, 1));
    for _ in 0..100 {
        join_all((0..16).map(|_| pace.stat(&name, None))).await;
    }
    assert_eq!(limit(), 16);
    let start = Instant::now();
    join_all((0..32).map(|_| pace.stat(&name, None))).await;
    assert_eq!(start.elapsed().as_secs(), 2, "all sixteen places are back");
}

/// Neither does one answer hold everything for a day, nor is there a clock that goes as far as some ask.
#[tokio::test(start_paused = true)]
async fn who_asks_for_too_long_a_pause_gets_none() {
    let memory: Arc<dyn Store> = Arc::new(Memory::new("t"));
    put(&*memory, "a").await;
    for asked in [Duration::from_secs(86_400), Duration::MAX] {
        let fault = rules(&[(Operation::Stat, When::First(1), What::Throttle(asked))]);
        let pace = paced(Arc::new(Fault::new(Arc::clone(&memory), fault)), PaceSettings::default());
        let start = Instant::now();
        assert!(pace.stat(&key("a"), None).await.is_err());
        assert!(pace.stat(&key("a"), None).await.is_ok());
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    // As rare as it may be asked for, no clock overflows.
    let settings = PaceSettings { requests_per_second: Some(f64::MIN_POSITIVE), burst: 2, ..PaceSettings::default() };
    assert!(paced(memory, settings).stat(&key("a"), None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn throttling_never_stops_all() {
    let always = rules(&[(Operation::Put, When::Rate(1.0), What::Fail(ErrorKind::Throttled))]);
    let inner = Arc::new(Fault::new(Arc::new(Memory::new("t")), always));
    let pace = paced(inner, PaceSettings { in_flight: 5, ..PaceSettings::default() });
    for _ in 0..10 {
        assert!(pace.put(&key("a"), PutRequest::default(), Body::empty()).await.is_err());
    }
    assert_eq!(pace.in_flight(), InFlight { reads: 5, changes: 1 });
}

/// A change whose body is read from the same store must not wait for itself.
#[tokio::test(start_paused = true)]
async fn a_copy_through_us_passes_the_narrowest_gate() {
    let memory: Arc<dyn Store> = Arc::new(Memory::with("t", Behaviour::s3()));
    put(&*memory, "a").await;
    let pace = paced(memory, PaceSettings { in_flight: 1, ..PaceSettings::default() });
    let copy = |to: &'static str| {
        let pace = &pace;
        async move {
            let reader = pace.read(&key("a"), Default::default()).await.unwrap();
            pace.put(&key(to), PutRequest::default(), reader.body).await.unwrap();
        }
    };
    let all = futures::future::join(copy("b"), copy("c"));
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    // A future that is dropped gives its place back.
    drop(pace.stat(&key("a"), None));
    pace.stat(&key("a"), None).await.unwrap();
}

#[tokio::test]
async fn a_meter_counts_calls_errors_and_bytes() {
    let memory: Arc<dyn Store> = Arc::new(Memory::with("t", Behaviour::s3().paged(2)));
    let meter = Meter::new(memory);
    for name in ["a", "bb", "ccc"] {
        put(&meter, name).await;
    }
    meter.get(&key("ccc")).await.unwrap();
    meter.stat(&key("missing"), None).await.unwrap_err();
    meter.list_to_vec(ListRequest::all("")).await.unwrap();
    meter.list_to_vec(ListRequest::all("nothing")).await.unwrap();
    let many: Vec<_> = (0..1_001).map(|number| key(&number.to_string()).into()).collect();
    meter.delete(&many).await;
    let counts = meter.counts();
    let calls =
        [(Operation::List, 3), (Operation::Stat, 1), (Operation::Read, 1), (Operation::Put, 3), (Operation::Delete, 2)];
    assert_eq!(counts.calls, calls);
    assert_eq!((counts.total(), counts.bytes_out, counts.bytes_in), (10, 6, 3));
    assert_eq!(counts.errors, [(ErrorKind::NotFound, 1)]);
    assert_eq!(
        (counts.of(Operation::List), counts.failed(ErrorKind::NotFound), counts.failed(ErrorKind::Full)),
        (3, 1, 0)
    );
    let json = serde_json::to_value(&counts).unwrap();
    assert_eq!((&json["calls"]["put"], &json["errors"]["not_found"]), (&3.into(), &1.into()));
}

#[tokio::test]
async fn read_only_lets_nothing_through() {
    let memory: Arc<dyn Store> = Arc::new(Memory::new("t"));
    put(&*memory, "a").await;
    let meter = Arc::new(Meter::new(memory));
    let store = ReadOnly::new(Arc::clone(&meter) as Arc<dyn Store>);
    let request = || PutRequest { size: Some(0), ..PutRequest::default() };
    let (name, source) = (key("a"), store.copy_source(&key("a")).unwrap());
    let token = crate::UploadToken { key: key("a"), id: "u1".to_owned() };
    let denied = [
        store.put(&name, request(), Body::empty()).await.err(),
        store.begin(&name, &request()).await.err(),
        store.put_part(&token, &PartRequest::new(1, 0), Body::empty()).await.err(),
        store.copy_part(&token, 1, &source, 0..1).await.err(),
        store.complete(&token, &request(), &[]).await.err(),
        store.abort(&token).await.err(),
        store.copy(&source, &key("b"), request()).await.err(),
        store.set_metadata(&name, request()).await.err(),
        store.make_directory("d").await.err(),
        store.remove_directory("d").await.err(),
        store.delete(&[name.clone().into()]).await.remove(0).err(),
    ];
    for error in denied {
        assert_eq!(error.unwrap().kind(), ErrorKind::Denied);
    }
    assert_eq!(meter.counts().total(), 0);
    assert_eq!(store.get(&name).await.unwrap(), "a");
}

/// What happened to two hundred stats of twenty keys, asked in that order.
async fn fate(seed: u64, order: impl Iterator<Item = u32>) -> Vec<(u32, bool)> {
    let faults = Faults { seed, ..rules(&[(Operation::Stat, When::Rate(0.3), What::Fail(ErrorKind::Timeout))]) };
    let memory: Arc<dyn Store> = Arc::new(Memory::new("t"));
    for number in 0..20 {
        put(&*memory, &number.to_string()).await;
    }
    let fault = Fault::new(memory, faults);
    let mut fates = Vec::new();
    for number in order {
        fates.push((number, fault.stat(&key(&number.to_string()), None).await.is_ok()));
    }
    fates.sort_by_key(|(number, _)| *number);
    fates
}

#[tokio::test]
async fn faults_depend_on_the_seed_and_not_on_the_order() {
    let forward = || (0..200).map(|number| number % 20);
    let one = fate(1, forward()).await;
    assert_eq!(one, fate(1, forward()).await);
    assert_eq!(one, fate(1, forward().rev()).await);
    assert_ne!(one, fate(2, forward()).await);
    let failed = one.iter().filter(|(_, ok)| !ok).count();
    assert!((40..80).contains(&failed), "{failed} of 200 at a rate of 0.3");
}

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let memory: Arc<dyn Store> = Arc::new(Memory::with("t", Behaviour::s3()));
    let content = vec![5_u8; 100_000];
    let timeout = ErrorKind::Timeout;
    let fault = Fault::new(
        Arc::clone(&memory),
        rules(&[
            (Operation::Put, When::Nth(1), What::Fail(timeout)),
            (Operation::Put, When::Nth(2), What::BreakBody(timeout)),
            (Operation::Put, When::Nth(3), What::LoseAnswer(timeout)),
            (Operation::Read, When::Nth(1), What::FlipBit),
            (Operation::Read, When::Nth(2), What::BreakBody(timeout)),
            (Operation::List, When::Nth(2), What::Fail(timeout)),
        ]),
    );
    let name = key("a");
    for stored in [false, false, true] {
        let put = fault.put(&name, PutRequest::default(), content.clone().into()).await;
        assert_eq!(put.unwrap_err().kind(), timeout);
        assert_eq!(memory.stat(&name, None).await.is_ok(), stored);
    }
    let flipped = fault.get(&name).await.unwrap();
    let bits: u32 = flipped.iter().map(|byte| (byte ^ 5).count_ones()).sum();
    assert_eq!((flipped.len(), bits), (100_000, 1));
    let broken = fault.read(&name, Default::default()).await.unwrap();
    let mut chunks = broken.body.chunks();
    let mut seen = 0;
    let error = loop {
        match chunks.try_next().await {
            Ok(Some(chunk)) => seen += chunk.len(),
            Ok(None) => panic!("the body ended well"),
            Err(error) => break error,
        }
    };
    assert!(seen < 100_000 && error.kind() == timeout);
    fault.list_to_vec(ListRequest::all("")).await.unwrap_err();
    assert_eq!(fault.injected(), 6);
}

#[tokio::test]
async fn after_the_stop_nothing_reaches_the_store() {
    let meter = Arc::new(Meter::new(Arc::new(Memory::new("t"))));
    let faults = Faults { stop_after: Some(3), ..Faults::default() };
    let fault = Fault::new(Arc::clone(&meter) as Arc<dyn Store>, faults);
    for number in 0..3 {
        put(&fault, &number.to_string()).await;
    }
    assert!(!fault.is_stopped());
    for _ in 0..3 {
        let error = fault.put(&key("x"), PutRequest::default(), Body::empty()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Cancelled, false));
    }
    assert!(fault.list_to_vec(ListRequest::all("")).await.is_err());
    assert!(fault.delete(&[key("0").into()]).await[0].is_err());
    assert!(fault.is_stopped());
    assert_eq!(meter.counts().total(), 3);
}
