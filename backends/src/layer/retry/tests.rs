//! Counted attempts, on a paused clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::TryStreamExt;
use tokio::time::Instant;

use super::{Retry, RetrySettings};
use crate::{
    body::Body,
    entry::Key,
    error::{ErrorKind, Operation},
    layer::{Fault, Faults, Rule, What, When},
    memory::{Behaviour, Listed, Memory},
    store::{Deleted, ListRequest, PutRequest, ReadRequest, Store, StoreExt},
};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

/// A store with objects `000` to `099`, 10,000 bytes of their own number each.
async fn filled(behaviour: Behaviour) -> Arc<Memory> {
    let memory = Memory::with("t", behaviour);
    for number in 0..100_u8 {
        let body = Body::from(vec![number; 10_000]);
        memory.put(&key(&format!("{number:03}")), PutRequest::default(), body).await.unwrap();
    }
    Arc::new(memory)
}

fn failing(inner: Arc<dyn Store>, operation: Operation, when: When, what: What) -> (Arc<Fault>, Retry) {
    let rules = vec![Rule { operation: Some(operation), when, what }];
    let fault = Arc::new(Fault::new(inner, Faults { seed: 3, rules, stop_after: None }));
    let retry = Retry::new(Arc::clone(&fault) as Arc<dyn Store>, RetrySettings::default());
    (fault, retry)
}

#[tokio::test(start_paused = true)]
async fn tries_as_often_as_told_with_growing_waits() {
    let memory = filled(Behaviour::strict()).await;
    let unavailable = What::Fail(ErrorKind::Unavailable);
    let (fault, retry) = failing(memory, Operation::Stat, When::Rate(1.0), unavailable);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waits);
    let retry = retry.observed(move |retried| seen.lock().unwrap().push((retried.attempt, retried.wait)));
    let start = Instant::now();
    let error = retry.stat(&key("001"), None).await.unwrap_err();
    assert_eq!((error.kind(), fault.calls()), (ErrorKind::Unavailable, 10));
    let waits = waits.lock().unwrap();
    assert_eq!(waits.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), (1..10).collect::<Vec<_>>());
    for (attempt, wait) in waits.iter() {
        let full = Duration::from_millis(100 << (attempt - 1)).min(Duration::from_secs(30));
        assert!(*wait >= full / 2 && *wait <= full, "attempt {attempt} waited {wait:?}");
    }
    let total: Duration = waits.iter().map(|(_, wait)| *wait).sum();
    // The paused clock moves in whole milliseconds.
    assert!(start.elapsed() >= total && start.elapsed() < total + Duration::from_millis(20));
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_tried_again() {
    let (fault, retry) = failing(filled(Behaviour::strict()).await, Operation::Stat, When::Rate(0.0), What::FlipBit);
    assert_eq!(retry.stat(&key("missing"), None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fault.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_wait_a_store_asks_for_is_kept() {
    let asked = Duration::from_secs(17);
    let memory = filled(Behaviour::strict()).await;
    let (fault, retry) = failing(memory.clone(), Operation::Stat, When::First(2), What::Throttle(asked));
    let start = Instant::now();
    retry.stat(&key("001"), None).await.unwrap();
    assert_eq!(fault.calls(), 3);
    assert!((asked * 2..asked * 2 + Duration::from_secs(1)).contains(&start.elapsed()), "{:?}", start.elapsed());

    let (fault, retry) = failing(memory, Operation::Stat, When::First(1), What::Throttle(Duration::from_secs(301)));
    assert_eq!(retry.stat(&key("001"), None).await.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(fault.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn bodies_are_replayed_or_the_error_is_handed_on() {
    let memory = Arc::new(Memory::new("t"));
    let lost = What::LoseAnswer(ErrorKind::Timeout);
    let (fault, retry) = failing(memory.clone(), Operation::Put, When::First(2), lost);
    retry.put(&key("a"), PutRequest::default(), Body::from(&b"again"[..])).await.unwrap();
    assert_eq!((fault.calls(), memory.get(&key("a")).await.unwrap()), (3, "again".into()));

    let (fault, retry) = failing(memory, Operation::Put, When::First(1), What::Fail(ErrorKind::Timeout));
    let once = Body::stream(Some(4), Body::from(&b"once"[..]).chunks());
    let error = retry.put(&key("a"), PutRequest::default(), once).await.unwrap_err();
    assert_eq!((error.kind(), fault.calls()), (ErrorKind::Timeout, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_goes_on_where_it_stopped() {
    let behaviour = Behaviour { read_chunk: Some(100), ..Behaviour::strict() };
    let memory = Arc::new(Memory::with("t", behaviour));
    let content: Vec<u8> = (0..10_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    memory.put(&key("a"), PutRequest::default(), content.clone().into()).await.unwrap();
    let broken = What::BreakBody(ErrorKind::Unavailable);
    let (fault, retry) = failing(memory.clone(), Operation::Read, When::First(4), broken);
    assert_eq!(retry.get(&key("a")).await.unwrap(), content);
    assert_eq!((fault.calls(), fault.injected()), (5, 4));

    let (_, retry) = failing(memory, Operation::Read, When::First(4), broken);
    let request = ReadRequest { range: Some(500..9_000), ..ReadRequest::default() };
    let read = retry.read(&key("a"), request).await.unwrap().body.collect().await.unwrap();
    assert_eq!(read, content[500..9_000]);
}

#[tokio::test(start_paused = true)]
async fn a_body_never_goes_on_as_another_object() {
    let behaviour = Behaviour { read_chunk: Some(10), ..Behaviour::strict() };
    let memory = Arc::new(Memory::with("t", behaviour));
    memory.put(&key("a"), PutRequest::default(), vec![1; 1_000].into()).await.unwrap();
    let (_, retry) = failing(memory.clone(), Operation::Read, When::First(1), What::BreakBody(ErrorKind::Unavailable));
    let reader = retry.read(&key("a"), ReadRequest::default()).await.unwrap();
    memory.put(&key("a"), PutRequest::default(), vec![2; 1_000].into()).await.unwrap();
    assert_eq!(reader.body.collect().await.unwrap_err().kind(), ErrorKind::Precondition);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_its_check_is_not_resumed() {
    let memory = filled(Behaviour { read_chunk: Some(10), ..Behaviour::strict() }).await;
    let (fault, retry) = failing(memory, Operation::Read, When::First(1), What::BreakBody(ErrorKind::Integrity));
    assert_eq!(retry.get(&key("007")).await.unwrap_err().kind(), ErrorKind::Integrity);
    assert_eq!(fault.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_fails_its_check_is_sent_once_more_and_no_oftener() {
    let put = |times| async move {
        let memory = Arc::new(Memory::with("t", Behaviour::strict()));
        let (fault, retry) = failing(memory, Operation::Put, When::First(times), What::Fail(ErrorKind::Integrity));
        let put = retry.put(&key("a"), PutRequest::default(), vec![1; 10].into()).await;
        (put.map_err(|error| error.kind()).map(drop), fault.calls())
    };
    assert_eq!(put(1).await, (Ok(()), 2), "a bit that turned on the way");
    assert_eq!(put(9).await, (Err(ErrorKind::Integrity), 2), "what is wrong at home");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_loses_nothing_and_tells_nothing_twice() {
    let memory = filled(Behaviour::strict().paged(9)).await;
    for nth in 1..=12 {
        let (fault, retry) =
            failing(memory.clone(), Operation::List, When::Nth(nth), What::LoseAnswer(ErrorKind::Timeout));
        let listed = retry.list_to_vec(ListRequest::all("")).await.unwrap();
        assert_eq!(listed, memory.list_to_vec(ListRequest::all("")).await.unwrap());
        assert_eq!(fault.injected(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_in_no_order_is_not_resumed() {
    // Declared as ordered, and not.
    let behaviour = Behaviour { listed: Listed::Shuffled(5), ..Behaviour::strict().paged(9) };
    let memory = filled(behaviour).await;
    let timeout = What::Fail(ErrorKind::Timeout);
    let (_, retry) = failing(memory.clone(), Operation::List, When::Nth(3), timeout);
    let mut pages = retry.list(ListRequest::all(""));
    let (mut seen, mut failed) = (0, false);
    loop {
        match pages.try_next().await {
            Ok(Some(page)) => seen += page.len(),
            Ok(None) => break,
            Err(_) => {
                failed = true;
                break;
            }
        }
    }
    assert!(failed && seen < 100, "{seen} were told, as if that were all");
    // Before the first page any listing can start anew.
    let (_, retry) = failing(memory, Operation::List, When::Nth(1), timeout);
    assert_eq!(retry.list_to_vec(ListRequest::all("")).await.unwrap().len(), 100);
}

/// Up to where it breaks it comes in order; then `a!` follows `a/…`, and skipping up to the last key would lose it.
#[tokio::test(start_paused = true)]
async fn a_listing_that_falls_out_of_order_later_is_not_cut() {
    let memory = Arc::new(Memory::with("t", Behaviour { listed: Listed::Tree, ..Behaviour::strict().paged(3) }));
    for name in ["a!", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6"] {
        memory.put(&key(name), PutRequest::default(), Body::empty()).await.unwrap();
    }
    let (_, retry) = failing(memory, Operation::List, When::Nth(3), What::Fail(ErrorKind::Timeout));
    let error = retry.list_to_vec(ListRequest::all("")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_what_failed_is_deleted_again() {
    let memory = filled(Behaviour::strict()).await;
    let (fault, retry) = failing(memory.clone(), Operation::Delete, When::First(2), What::Fail(ErrorKind::Throttled));
    let targets: Vec<Deleted> = (0..100).map(|number| key(&format!("{number:03}")).into()).collect();
    let results = retry.delete(&targets).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 100);
    assert_eq!(fault.calls(), 3);
    assert!(memory.list_to_vec(ListRequest::all("")).await.unwrap().is_empty());

    let (fault, retry) = failing(memory, Operation::Delete, When::Rate(1.0), What::Fail(ErrorKind::Throttled));
    let results = retry.delete(&targets).await;
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Throttled)));
    assert_eq!((results.len(), fault.calls()), (100, 10));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_nothing_is_given_up() {
    let memory = filled(Behaviour::strict()).await;
    let (fault, retry) = failing(memory, Operation::Stat, When::Rate(1.0), What::Fail(ErrorKind::Unavailable));
    let stat = async || retry.stat(&key("001"), None).await.unwrap_err();
    let start = Instant::now();
    let mut error = stat().await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "one call's tries take less than that");
    while error.kind() != ErrorKind::Unreachable {
        error = stat().await;
    }
    assert!(error.is_retryable() && start.elapsed() >= Duration::from_secs(120), "{error} after {:?}", start.elapsed());
    // Nothing more is asked of it,
    let asked = fault.calls();
    for _ in 0..100 {
        assert_eq!(stat().await.kind(), ErrorKind::Unreachable);
    }
    let listed = retry.list_to_vec(ListRequest::all("")).await.unwrap_err();
    assert_eq!((listed.kind(), fault.calls()), (ErrorKind::Unreachable, asked));
    // but now and then, once,
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!((stat().await.kind(), fault.calls()), (ErrorKind::Unreachable, asked + 1));
    // and one answer ends it.
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(retry.list_to_vec(ListRequest::all("")).await.unwrap().len(), 100);
    assert_eq!(stat().await.kind(), ErrorKind::Unavailable);
}
