//! One at a time, whoever comes and whoever dies: against the strict store, with conditions on writing and without.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sterna_backends::{
    ErrorKind, Key, ListRequest, Store, StoreExt,
    memory::{Behaviour, Memory},
};

use super::{Exclusive, Holder, Refused, Terms};

const LONG: Terms = Terms { lease: Duration::from_secs(600) };
const SHORT: Terms = Terms { lease: Duration::from_millis(300) };

/// A store that keeps conditions on writing, and one that does not.
fn stores() -> [Arc<dyn Store>; 2] {
    let mut without = Behaviour::strict();
    without.capabilities.conditional_put = false;
    [Arc::new(Memory::new("with")), Arc::new(Memory::with("without", without))]
}

async fn taken(store: &Arc<dyn Store>, machine: &str, terms: Terms) -> Exclusive {
    Exclusive::take(store, Holder::new(machine, "ports", terms)).await.unwrap()
}

async fn is_refused(store: &Arc<dyn Store>, machine: &str) -> bool {
    match Exclusive::take(store, Holder::new(machine, "ports", LONG)).await {
        Err(Refused::Held(by)) => {
            assert_eq!(by.unwrap().job, "ports");
            true
        }
        Err(Refused::Store(error)) => panic!("{error}"),
        Ok(_) => false,
    }
}

#[tokio::test]
async fn a_second_one_is_refused_until_the_first_is_over() {
    for store in stores() {
        let first = taken(&store, "one", LONG).await;
        assert!(is_refused(&store, "two").await);
        first.release().await.unwrap();
        taken(&store, "two", LONG).await.release().await.unwrap();
        assert_eq!(store.list_to_vec(ListRequest::all("")).await.unwrap(), [], "nothing is left");
    }
}

#[tokio::test]
async fn what_a_killed_run_left_is_taken_over_at_once_by_its_own_machine_and_later_by_others() {
    for store in stores() {
        drop(taken(&store, "one", LONG).await);
        assert!(is_refused(&store, "two").await, "it may be alive, for all that is known there");
        drop(taken(&store, "one", SHORT).await);
        let other = async {
            loop {
                match Exclusive::take(&store, Holder::new("two", "ports", LONG)).await {
                    Err(Refused::Held(_)) => {}
                    taken => return taken.unwrap(),
                }
            }
        };
        let other = tokio::time::timeout(Duration::from_secs(20), other).await.expect("it is recovered");
        assert!(is_refused(&store, "one").await);
        other.release().await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_is_renewed_and_who_loses_it_writes_no_more() {
    let key = Key::new("a").unwrap();
    for store in stores() {
        let first = taken(&store, "one", SHORT).await;
        let fenced = first.fence(Arc::clone(&store));
        fenced.put_bytes(&key, b"1".to_vec()).await.unwrap();
        // Longer than it would hold by itself.
        assert!(tokio::time::timeout(SHORT.lease * 3, first.over()).await.is_err(), "it was renewed");
        assert!(is_refused(&store, "two").await);
        let second = taken(&store, "one", LONG).await;
        first.over().await;
        let refused = fenced.put_bytes(&key, b"2".to_vec()).await.unwrap_err();
        assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Unavailable, false));
        assert_eq!(fenced.delete_keys(vec![key.clone()]).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(fenced.get(&key).await.unwrap().as_ref(), b"1", "it may still read");
        first.release().await.unwrap();
        assert!(is_refused(&store, "two").await, "what is another's is left alone");
        second.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_is_at_work() {
    for store in stores() {
        let (at_work, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let one = |at: usize| {
            let (store, at_work, most, done) = (&store, &at_work, &most, &done);
            async move {
                for _ in 0..5 {
                    let Ok(lease) = Exclusive::take(store, Holder::new(&format!("m{at}"), "ports", LONG)).await else {
                        continue;
                    };
                    most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    at_work.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    lease.release().await.unwrap();
                }
            }
        };
        futures::future::join_all((0..6).map(one)).await;
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert!(done.load(Ordering::SeqCst) > 0);
    }
}
