//! The index against stores in memory and on disk.

use std::{sync::Arc, time::Duration};

use sterna_backends::{
    Algorithm, Body, Digest, Digests, Entry, Key, ListRequest, Operation, PutRequest, Store, StoreExt, Timestamp,
    layer::{Meter, Prefix},
    local::{Local, LocalOptions},
    memory::{Behaviour, Memory},
};

use super::{Index, Known, cuts::Cuts, of_bytes, settle};
use crate::compare::{Evidence, Mode, Policy, Verdict};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn index() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(&folder.path().join("deep/index.sqlite")).unwrap();
    (folder, index)
}

fn sha256(text: &str) -> Digests {
    of_bytes(text.as_bytes(), &[Algorithm::Sha256])
}

async fn put(store: &dyn Store, name: &str, text: &'static str) -> Entry {
    let modified = Some(Timestamp::from_nanos(1_000_000_000));
    let request = PutRequest { modified, size: Some(text.len() as u64), ..PutRequest::default() };
    store.put(&key(name), request, Body::from(text.as_bytes())).await.unwrap()
}

/// What a listing tells, with what is known of it.
async fn known(index: &Index, store: &Arc<dyn Store>, whole: bool) -> Vec<(String, bool)> {
    let mut walk = index.shelf(&**store).unwrap().walk(whole);
    // Rows of this very second may be of what came while the listing ran.
    walk.started += 1;
    let mut entries = store.list_to_vec(ListRequest::all("")).await.unwrap();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let mut told = Vec::new();
    for mut entry in entries {
        walk.see(&mut entry).await;
        told.push((entry.key.to_string(), entry.digests.sha256().is_some()));
    }
    walk.end().await;
    index.flush().await;
    told
}

fn local(folder: &tempfile::TempDir) -> Arc<dyn Store> {
    Arc::new(Local::new(folder.path(), LocalOptions::default()))
}

#[tokio::test]
async fn a_put_is_known_when_it_is_listed_and_no_longer_when_it_was_changed() {
    let (_folder, index) = index();
    let disk = tempfile::tempdir().unwrap();
    let store = local(&disk);
    for name in ["a", "b/c", "z"] {
        let entry = put(&*store, name, "content").await;
        index.shelf(&*store).unwrap().remember(&entry, &sha256("content"));
    }
    index.flush().await;
    assert_eq!(known(&index, &store, true).await, [("a".into(), true), ("b/c".into(), true), ("z".into(), true)]);

    // Other bytes of the same size under the same time: what `ls -l` shows is the same.
    let path = disk.path().join("a");
    let before = std::fs::metadata(&path).unwrap();
    std::fs::write(&path, "CONTENT").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(known(&index, &store, true).await, [("a".into(), false), ("b/c".into(), true), ("z".into(), true)]);
}

#[tokio::test]
async fn an_object_is_the_same_under_every_root_that_leads_to_it() {
    let (_folder, index) = index();
    let memory: Arc<dyn Store> = Arc::new(Memory::new("bucket"));
    let entry = put(&*memory, "deep/in/a", "content").await;
    index.shelf(&*memory).unwrap().remember(&entry, &sha256("content"));
    index.flush().await;
    let inside: Arc<dyn Store> = Arc::new(Prefix::new(Arc::clone(&memory), "deep/in/"));
    assert_eq!(known(&index, &inside, true).await, [("a".into(), true)]);
    let mut entry = inside.stat(&key("a"), None).await.unwrap();
    assert!(index.shelf(&*inside).unwrap().recall(&mut entry).await);
}

#[tokio::test]
async fn a_whole_listing_forgets_what_is_gone_and_a_part_of_one_does_not() {
    let (_folder, index) = index();
    let memory: Arc<dyn Store> = Arc::new(Memory::new("bucket"));
    let shelf = index.shelf(&*memory).unwrap();
    for name in ["a", "b", "c"] {
        shelf.remember(&put(&*memory, name, "content").await, &sha256("content"));
    }
    index.flush().await;
    memory.delete(&[key("a").into(), key("c").into()]).await;
    let rows = |index: &Index| index.stats().unwrap().places.iter().map(|place| place.objects).sum::<u64>();
    known(&index, &memory, false).await;
    assert_eq!(rows(&index), 3);
    known(&index, &memory, true).await;
    assert_eq!(rows(&index), 1);
}

#[tokio::test]
async fn what_was_changed_a_moment_ago_is_not_remembered_where_tags_are_made_of_times() {
    let (_folder, index) = index();
    let shelf = super::Shelf::new(
        &index,
        sterna_backends::Whereabouts::new("web:http://h".to_owned(), Duration::from_secs(10)),
    )
    .unwrap();
    let mut entry = Entry::object(key("a"), 7);
    entry.etag = Some("5-60000".into());
    entry.modified = Some(Timestamp::now());
    shelf.remember(&entry, &sha256("content"));
    index.flush().await;
    assert!(!shelf.recall(&mut entry).await);
    entry.modified = Some(Timestamp::from_nanos(0));
    shelf.remember(&entry, &sha256("content"));
    index.flush().await;
    assert!(shelf.recall(&mut entry).await);
    // A weak tag says of itself that it does not tell versions apart.
    let mut weak = Entry { etag: Some("W/\"5\"".into()), modified: None, ..Entry::object(key("w"), 7) };
    shelf.remember(&weak, &sha256("content"));
    index.flush().await;
    assert!(!shelf.recall(&mut weak).await);
}

#[tokio::test]
async fn two_at_once_and_a_second_opening_see_the_same() {
    let (folder, first) = index();
    let second = Index::open(&folder.path().join("deep/index.sqlite")).unwrap();
    let memory: Arc<dyn Store> = Arc::new(Memory::new("bucket"));
    let (one, other) = (first.shelf(&*memory).unwrap(), second.shelf(&*memory).unwrap());
    let mut entries = Vec::new();
    for at in 0..2000 {
        let entry = put(&*memory, &format!("k{at:05}"), "content").await;
        if at % 2 == 0 { &one } else { &other }.remember(&entry, &sha256("content"));
        entries.push(entry);
    }
    first.flush().await;
    second.flush().await;
    for mut entry in entries {
        entry.digests = Digests::new();
        assert!(one.recall(&mut entry).await, "{}", entry.key);
    }
    drop((one, other, first, second));
    let third = Index::open(&folder.path().join("deep/index.sqlite")).unwrap();
    assert_eq!(third.stats().unwrap().places[0].sha256, 2000);
}

#[tokio::test]
async fn more_is_added_to_a_row_of_the_same_version_and_another_version_replaces_it() {
    let (_folder, index) = index();
    let memory: Arc<dyn Store> = Arc::new(Memory::new("bucket"));
    let shelf = index.shelf(&*memory).unwrap();
    let mut entry = put(&*memory, "a", "content").await;
    entry.digests = Digests::new();
    shelf.remember(&entry, &sha256("content"));
    shelf.remember(&entry, &of_bytes(b"content", &[Algorithm::Md5]));
    index.flush().await;
    let mut seen = entry.clone();
    assert!(shelf.recall(&mut seen).await);
    assert!(seen.digests.sha256().is_some() && seen.digests.md5().is_some());

    let mut other = put(&*memory, "a", "CONTENT").await;
    other.digests = Digests::new();
    shelf.remember(&other, &of_bytes(b"CONTENT", &[Algorithm::Sha1]));
    index.flush().await;
    assert!(!shelf.recall(&mut entry).await);
    assert!(shelf.recall(&mut other).await);
    assert!(other.digests.sha256().is_none());
}

#[test]
fn what_is_no_index_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.sqlite");
    std::fs::write(&path, "this is a letter to a friend, and no database at all, however long it may be").unwrap();
    let error = Index::open(&path).unwrap_err().to_string();
    assert!(error.contains("index.sqlite") && error.contains("not a database"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap().len(), 76);
}

/// Destinations may be cut in different ways, and one that was cut anew is no other object.
#[tokio::test]
async fn a_file_is_proven_against_every_way_of_cutting() {
    let text = "tern ".repeat(2000).into_bytes();
    let place = |name: &str, cheap_read| {
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.cheap_read = cheap_read;
        Arc::new(Memory::with(name, behaviour)) as Arc<dyn Store>
    };
    let (from, to) = (place("source", true), place("target", false));
    from.put(&key("big"), PutRequest::default(), Body::from(text.clone())).await.unwrap();
    let mut mine = Entry { digests: Digests::new(), modified: None, ..from.stat(&key("big"), None).await.unwrap() };
    for pieces in [2, 4, 2] {
        let mut cuts = Cuts::new(&[text.len() as u64 / pieces]);
        cuts.update(&text);
        let mut theirs = Entry::object(key("big"), text.len() as u64);
        theirs.metadata = Some(Arc::default());
        theirs.digests.extend(cuts.finish());
        let known =
            (Known { store: &from, shelf: None, patience: None }, Known { store: &to, shelf: None, patience: None });
        let verdict = settle(&Policy::default(), known, (&mut mine, &mut theirs)).await.unwrap();
        assert_eq!(verdict, Verdict::Same { evidence: Evidence::Proven(Algorithm::Parts), touch: false }, "{pieces}");
    }
}

/// Where an object's parts are none of the usual ones, its bytes decide, and each side is read once.
#[tokio::test]
async fn an_object_that_is_cut_in_another_way_is_read_once() {
    let text = "tern ".repeat(2000).into_bytes();
    let place = |name: &str, cheap_read| {
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.cheap_read = cheap_read;
        behaviour.capabilities.digests_in_list.clear();
        behaviour.capabilities.digests_in_stat.clear();
        behaviour.computes.clear();
        behaviour.etags = false;
        Arc::new(Meter::new(Arc::new(Memory::with(name, behaviour))))
    };
    let (source, target) = (place("source", true), place("target", false));
    let policy = Policy { mode: Mode::Checksum, ..Policy::default() };
    let (_folder, index) = index();
    for with_index in [false, true] {
        let (from, to) = (Arc::clone(&source) as Arc<dyn Store>, Arc::clone(&target) as Arc<dyn Store>);
        let shelf = index.shelf(&*from).filter(|_| with_index);
        let mut sides = Vec::new();
        for store in [&from, &to] {
            store.put(&key("big"), PutRequest::default(), Body::from(text.clone())).await.unwrap();
            sides.push(store.stat(&key("big"), None).await.unwrap());
        }
        let [mine, theirs] = &mut sides[..] else { panic!("two sides") };
        theirs.metadata = Some(Arc::default());
        theirs.digests = [Digest::Parts { md5: [7; 16], parts: 3 }].into_iter().collect();
        let before = [&source, &target].map(|meter| meter.counts().of(Operation::Read));
        let known = (
            Known { store: &from, shelf: shelf.as_ref(), patience: None },
            Known { store: &to, shelf: None, patience: None },
        );
        let verdict = settle(&policy, known, (mine, theirs)).await.unwrap();
        assert!(matches!(verdict, Verdict::Same { evidence: Evidence::Proven(Algorithm::Sha256), .. }), "{verdict:?}");
        let read = [&source, &target].map(|meter| meter.counts().of(Operation::Read));
        assert_eq!([read[0] - before[0], read[1] - before[1]], [1, 1]);
    }
}
