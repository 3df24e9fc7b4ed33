//! What conformance cannot ask of every store: strictness, imitation, sharing.

use std::sync::Arc;

use futures::TryStreamExt;

use super::{Behaviour, Listed, Memory};
use crate::{
    body::Body,
    entry::{Digest, Entry, Key},
    error::{ErrorKind, Result},
    registry::{Remote, family},
    store::{ListRequest, PartRequest, PutRequest, ReadRequest, Store, StoreExt, VersionScope},
};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn put(store: &Memory, name: &str, content: &'static str) -> Result<Entry> {
    store.put(&key(name), PutRequest::default(), Body::from(content.as_bytes())).await
}

async fn pages(store: &Memory, request: ListRequest) -> Vec<Vec<String>> {
    let pages: Vec<_> = store.list(request).try_collect().await.unwrap();
    pages.iter().map(|page| page.iter().map(|entry| entry.key.to_string()).collect()).collect()
}

#[tokio::test]
async fn pages_have_the_size_asked_for() {
    let store = Memory::with("t", Behaviour::strict().paged(2));
    for name in ["c", "a", "e", "b", "d"] {
        put(&store, name, name).await.unwrap();
    }
    assert_eq!(pages(&store, ListRequest::all("")).await, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    let overlapping = Behaviour { overlapping_pages: true, ..Behaviour::strict().paged(2) };
    let store = Memory::with("t", overlapping);
    for name in ["a", "b", "c"] {
        put(&store, name, name).await.unwrap();
    }
    assert_eq!(pages(&store, ListRequest::all("")).await, [vec!["a", "b"], vec!["b", "c"]]);
}

#[tokio::test]
async fn orders_differ() {
    let names = ["a", "a!", "a/b", "a0"];
    for (listed, wanted) in [(Listed::Bytes, ["a", "a!", "a/b", "a0"]), (Listed::Tree, ["a", "a/b", "a!", "a0"])] {
        let store = Memory::with("t", Behaviour { listed, ..Behaviour::strict() });
        for name in names {
            put(&store, name, "x").await.unwrap();
        }
        assert_eq!(pages(&store, ListRequest::all("")).await, [wanted.to_vec()]);
    }
}

#[tokio::test]
async fn directories_a_filter_rules_out_are_not_entered() {
    let store = Memory::new("t");
    for name in ["a/x", "b/x", "b/c/y", "d"] {
        put(&store, name, "x").await.unwrap();
    }
    let enter = Arc::new(|directory: &str| directory != "a/" && directory != "b/c/");
    let request = ListRequest { enter: Some(enter), ..ListRequest::all("") };
    assert_eq!(pages(&store, request).await, [vec!["b/x", "d"]]);
}

#[tokio::test]
async fn conditions_that_are_not_kept_are_ignored() {
    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.conditional_put = false;
    let store = Memory::with("t", behaviour);
    let request = || PutRequest { if_absent: true, ..PutRequest::default() };
    store.put(&key("a"), request(), Body::from(&b"old"[..])).await.unwrap();
    store.put(&key("a"), request(), Body::from(&b"new"[..])).await.unwrap();
    assert_eq!(store.get(&key("a")).await.unwrap(), "new");
}

#[tokio::test]
async fn bounds_are_kept() {
    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.max_put = 4;
    let limits = behaviour.capabilities.multipart.as_mut().unwrap();
    (limits.min_part, limits.max_part, limits.max_parts) = (3, 5, 2);
    let store = Memory::with("t", behaviour);
    assert_eq!(put(&store, "a", "12345").await.unwrap_err().kind(), ErrorKind::BadRequest);

    for announced in [2, 4] {
        let request = PutRequest { size: Some(announced), ..PutRequest::default() };
        let error = store.put(&key("a"), request, Body::from(&b"abc"[..])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
    }
    assert_eq!(store.stat(&key("a"), None).await.unwrap_err().kind(), ErrorKind::NotFound);

    let size = |size| PutRequest { size: Some(size), ..PutRequest::default() };
    let token = store.begin(&key("a"), &size(6)).await.unwrap();
    let part = async |number, offset, content: &'static str| {
        store.put_part(&token, &PartRequest::new(number, offset), Body::from(content.as_bytes())).await
    };
    assert_eq!(part(3, 0, "abc").await.unwrap_err().kind(), ErrorKind::BadRequest);
    assert_eq!(part(0, 0, "abc").await.unwrap_err().kind(), ErrorKind::BadRequest);
    assert_eq!(part(1, 0, "abcdef").await.unwrap_err().kind(), ErrorKind::BadRequest);
    let (one, two) = (part(1, 0, "ab").await.unwrap(), part(2, 2, "cdef").await.unwrap());
    let small = store.complete(&token, &size(6), &[one.clone(), two.clone()]).await;
    assert_eq!(small.unwrap_err().kind(), ErrorKind::BadRequest);
    let better = part(1, 0, "abc").await.unwrap();
    let gap = store.complete(&token, &size(7), &[better.clone(), two]).await;
    assert_eq!(gap.unwrap_err().kind(), ErrorKind::Integrity);
    let two = part(2, 3, "def").await.unwrap();
    for wrong in [vec![one, two.clone()], vec![better.clone()], vec![two.clone(), better.clone()], vec![]] {
        let stale = store.complete(&token, &PutRequest::default(), &wrong).await;
        assert_eq!(stale.unwrap_err().kind(), ErrorKind::Integrity);
    }
    let parts = [better, two];
    let short = store.complete(&token, &size(7), &parts).await;
    assert_eq!(short.unwrap_err().kind(), ErrorKind::Integrity);
    let entry = store.complete(&token, &size(6), &parts).await.unwrap();
    assert_eq!(store.get(&key("a")).await.unwrap(), "abcdef");
    assert!(entry.digests.iter().any(|digest| matches!(digest, Digest::Parts { parts: 2, .. })), "{entry:?}");
    assert_eq!(store.complete(&token, &size(6), &parts).await.unwrap().etag, entry.etag);
}

/// The value is that of `printf abc | md5sum`, twice, joined and hashed again.
#[tokio::test]
async fn the_tag_of_parts_is_that_of_s3() {
    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.multipart.as_mut().unwrap().min_part = 1;
    let store = Memory::with("t", behaviour);
    let request = PutRequest { size: Some(6), ..PutRequest::default() };
    let token = store.begin(&key("a"), &request).await.unwrap();
    let mut parts = Vec::new();
    for number in [1, 2] {
        let offset = u64::from(number - 1) * 3;
        let body = Body::from(&b"abc"[..]);
        parts.push(store.put_part(&token, &PartRequest::new(number, offset), body).await.unwrap());
    }
    assert_eq!(parts[0].etag.as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
    let entry = store.complete(&token, &request, &parts).await.unwrap();
    assert_eq!(entry.etag.as_deref(), Some("043a916d6cfeecedf5e04f0312ba762d-2"));
}

#[tokio::test]
async fn times_are_as_coarse_as_said_and_listed_as_said() {
    let mut behaviour = Behaviour::s3();
    behaviour.capabilities.modified = Some(std::time::Duration::from_secs(2));
    let store = Memory::with("t", behaviour);
    let modified = Some(crate::Timestamp::from_parts(-3, 500_000_000));
    store.put(&key("a"), PutRequest { modified, ..PutRequest::default() }, Body::empty()).await.unwrap();
    let stat = store.stat(&key("a"), None).await.unwrap();
    assert_eq!(stat.modified, Some(crate::Timestamp::from_parts(-4, 0)));
    let listed = store.list_to_vec(ListRequest::all("")).await.unwrap();
    assert_eq!(listed[0].modified, None);
    assert!(listed[0].metadata.is_none() && listed[0].digests.md5().is_some(), "{listed:?}");
}

#[tokio::test]
async fn versions_are_listed_as_of_a_time() {
    let store = Memory::with("t", Behaviour::versioned());
    let first = put(&store, "a", "1").await.unwrap();
    let second = put(&store, "a", "22").await.unwrap();
    store.delete(&[key("a").into()]).await.remove(0).unwrap();
    let at = |time| ListRequest { versions: VersionScope::At(time), ..ListRequest::all("") };
    for entry in [first, second] {
        let listed = store.list_to_vec(at(entry.stored.unwrap())).await.unwrap();
        assert_eq!(listed.iter().map(|entry| entry.size).collect::<Vec<_>>(), [entry.size]);
    }
    let now = crate::Timestamp::from_nanos(i64::MAX);
    assert_eq!(store.list_to_vec(at(now)).await.unwrap(), []);
    let strict = Memory::new("t");
    let error = strict.list_to_vec(at(now)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_removed_container_is_gone_until_it_is_made() {
    let store = Memory::new("t");
    put(&store, "a", "x").await.unwrap();
    assert_eq!(store.remove_directory("").await.unwrap_err().kind(), ErrorKind::Exists);
    store.delete(&[key("a").into()]).await.remove(0).unwrap();
    store.remove_directory("").await.unwrap();
    let gone = ErrorKind::NoSuchContainer;
    assert_eq!(put(&store, "a", "x").await.unwrap_err().kind(), gone);
    assert_eq!(store.list_to_vec(ListRequest::all("")).await.unwrap_err().kind(), gone);
    assert_eq!(store.stat(&key("a"), None).await.unwrap_err().kind(), gone);
    assert_eq!(store.delete(&[key("a").into()]).await.remove(0).unwrap_err().kind(), gone);
    store.make_directory("").await.unwrap();
    put(&store, "a", "x").await.unwrap();
}

#[tokio::test]
async fn copies_reach_other_stores_of_the_domain_only() {
    let (from, to) = (Memory::new("from"), Memory::new("to"));
    put(&from, "a", "x").await.unwrap();
    let source = from.copy_source(&key("a")).unwrap();
    assert!(from.shares_domain(&to));
    to.copy(&source, &key("b"), PutRequest::default()).await.unwrap();
    assert_eq!(to.get(&key("b")).await.unwrap(), "x");

    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.copy.as_mut().unwrap().domain = "elsewhere".to_owned();
    let other = Memory::with("other", behaviour);
    assert!(!from.shares_domain(&other));
    let error = other.copy(&source, &key("b"), PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn names_are_shared_through_the_registry() {
    let remote = Remote::new("memory", family("memory").unwrap(), Default::default()).unwrap();
    let opened = remote.open("memory-tests/some/where").await.unwrap();
    assert_eq!((opened.store.name(), opened.prefix.as_str()), ("memory:memory-tests", "some/where"));
    opened.store.put(&key("a"), PutRequest::default(), Body::from(&b"x"[..])).await.unwrap();
    assert_eq!(Memory::shared("memory-tests").get(&key("a")).await.unwrap(), "x");
    let error = Memory::new("memory-tests").read(&key("a"), ReadRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(remote.open("").await.unwrap_err().kind(), ErrorKind::Config);
    let buckets = (remote.family.buckets.unwrap())(&remote).await.unwrap();
    assert!(buckets.contains(&"memory-tests".to_owned()));
}
