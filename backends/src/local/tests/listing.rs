use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, net::UnixListener},
    sync::{Arc, Mutex},
};

use proptest::prelude::*;

use super::*;
use crate::{
    Kind, Timestamp, VersionScope,
    local::Links,
    skipped::{Skipped, WhySkipped},
};

/// The keys of the design's third section and of the measured table of libraries, one of each kind.
const ODD: &[&str] = &[
    "/lead.txt",
    "//two",
    "a//b",
    "dir/",
    "a/./b",
    "a/../b",
    "./x",
    "../x",
    "dots/.",
    "dots/..",
    " lead",
    "trail ",
    "tab\there",
    "cr\rhere",
    "line\nfeed",
    "\u{1}",
    "\u{7f}",
    "nul\0here",
    "%41",
    "%2F",
    "+",
    "#",
    "?",
    "back\\slash",
    "~",
    "*",
    "&<>\"'",
    "u\u{308}",
    "ü",
    "🦅/🐦",
    "．",
    "‛．",
    "‛",
    "／",
    "q/／",
    "q/‛／",
    "␀",
    "x‛␀",
    ".hidden",
    "...",
    "a.txt",
    "a!",
    "a-b/c",
];

#[tokio::test]
async fn odd_keys_are_put_listed_read_and_deleted_as_they_are() {
    let (directory, store) = fresh();
    let mut expected: Vec<String> = ODD.iter().map(ToString::to_string).collect();
    expected.push(["x".repeat(255), "y".repeat(255), "z".repeat(255), "w".repeat(254)].join("/"));
    assert!(expected.iter().all(|key| store.capabilities().keys.refuse(key).is_none()));
    for key in &expected {
        put(&store, key, key.as_bytes()).await.unwrap();
    }
    expected.sort();
    assert_eq!(all(&store).await, expected);
    for name in &expected {
        assert_eq!(get(&store, name).await.unwrap(), name.as_bytes(), "{name:?}");
        assert_eq!(store.stat(&key(name), None).await.unwrap().size, Some(name.len() as u64));
        assert!(keys(&store, ListRequest::all(name.as_str())).await.contains(name), "{name:?}");
    }
    let targets: Vec<_> = expected.iter().map(|name| key(name).into()).collect();
    assert!(store.delete(&targets).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(on_disk(directory.path()), [""; 0]);
}

#[tokio::test]
async fn every_key_stays_below_the_root() {
    let (outer, _) = fresh();
    let store = Local::new(outer.path().join("root"), quick());
    for name in ["../out", ".", "/etc/x", "a/../../out", "b/../../../../out"] {
        put(&store, name, b"x").await.unwrap();
    }
    assert!(on_disk(outer.path()).iter().all(|name| name.starts_with("root/")));
    let plain = Local::new(outer.path().join("plain"), LocalOptions { escape: false, ..quick() });
    for name in ["../out", "..", "/etc/x", "a//b", "nul\0"] {
        assert_eq!(kind(put(&plain, name, b"x").await), ErrorKind::Unsupported);
        assert_eq!(kind(get(&plain, name).await), ErrorKind::NoSuchContainer);
    }
}

#[tokio::test]
async fn whole_keys_are_in_byte_order() {
    let (_directory, store) = fresh();
    let mut names = ["a.txt", "a/b", "a-b", "a/b.c/d", "a/b!", "a0", "a/c/", "é/x", "z", "a b/c"].map(String::from);
    for name in names.iter().rev() {
        put(&store, name, b"").await.unwrap();
    }
    names.sort();
    assert_eq!(all(&store).await, names);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_set_of_keys_lists_sorted(names in proptest::collection::btree_set("[ab./!‛．]{1,6}", 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_directory, store) = fresh();
            let mut stored = Vec::new();
            for name in names {
                match put(&store, &name, name.as_bytes()).await {
                    Ok(_) => stored.push(name),
                    // A file beside a directory of that name.
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Exists),
                }
            }
            assert_eq!(all(&store).await, stored);
            for name in &stored {
                assert_eq!(get(&store, name).await.unwrap(), name.as_bytes());
            }
        });
    }
}

#[tokio::test]
async fn a_listing_of_many_pages_tells_each_once() {
    let (directory, store) = fresh();
    let mut expected = Vec::new();
    for folder in 0..3 {
        std::fs::create_dir(directory.path().join(format!("{folder}"))).unwrap();
        for file in 0..1500 {
            expected.push(format!("{folder}/{file:04}"));
            std::fs::write(directory.path().join(expected.last().unwrap()), b"12").unwrap();
        }
    }
    assert_eq!(all(&store).await, expected);
    let first = store.list(ListRequest::all("")).next().await.unwrap().unwrap();
    assert!(first.len() < expected.len(), "pages are smaller than the listing");
}

#[tokio::test]
async fn prefixes_are_text() {
    let (_directory, store) = fresh();
    for name in ["ab", "abc/x", "abc/y/z", "b/abc", "a/b"] {
        put(&store, name, b"").await.unwrap();
    }
    let list = async |prefix: &str| keys(&store, ListRequest::all(prefix)).await;
    assert_eq!(list("ab").await, ["ab", "abc/x", "abc/y/z"]);
    assert_eq!(list("abc/").await, ["abc/x", "abc/y/z"]);
    assert_eq!(list("abc/y").await, ["abc/y/z"]);
    assert_eq!(list("abc/x").await, ["abc/x"]);
    assert_eq!(list("abc/x/").await, [""; 0]);
    assert_eq!(list("no/such").await, [""; 0]);
    assert_eq!(list("/").await, [""; 0]);
    assert_eq!(list("b/abc/").await, [""; 0]);
    let level = async |prefix: &str| keys(&store, ListRequest::level(prefix)).await;
    assert_eq!(level("").await, ["a/", "ab", "abc/", "b/"]);
    assert_eq!(level("abc/").await, ["abc/x", "abc/y/"]);
}

#[tokio::test]
async fn directories_are_entered_as_asked_and_empty_ones_told() {
    let (_directory, store) = fresh();
    for name in ["keep/x", "skip/x", "z"] {
        put(&store, name, b"").await.unwrap();
    }
    store.make_directory("empty/inner").await.unwrap();
    let mut request = ListRequest::all("");
    request.enter = Some(Arc::new(|directory| directory != "skip/"));
    assert_eq!(keys(&store, request.clone()).await, ["keep/x", "z"]);
    request.empty_directories = true;
    let entries = store.list_to_vec(request).await.unwrap();
    let told: Vec<_> = entries.iter().map(|entry| (&*entry.key, entry.kind)).collect();
    assert_eq!(told, [("empty/inner/", Kind::Directory), ("keep/x", Kind::Object), ("z", Kind::Object)]);
}

#[tokio::test]
async fn entries_tell_size_and_time_to_the_nanosecond() {
    let (_directory, store) = fresh();
    for nanos in [1_700_000_000_123_456_789, -1, 0, -1_500_000_000] {
        let modified = Some(Timestamp::from_nanos(nanos));
        let request = PutRequest { modified, ..PutRequest::default() };
        let stored = store.put(&key("a"), request, b"abc".to_vec().into()).await.unwrap();
        assert_eq!((stored.size, stored.modified), (Some(3), modified));
        let listed = store.list_to_vec(ListRequest::all("")).await.unwrap();
        assert_eq!((listed[0].size, listed[0].modified), (Some(3), modified));
    }
}

#[tokio::test]
async fn what_no_key_names_is_told_and_left_out() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = Arc::clone(&told);
        Arc::new(move |skipped: Skipped| told.lock().unwrap().push((skipped.path, skipped.why)))
    };
    let (directory, store) = with(LocalOptions { observer: Some(observer), ..quick() });
    let root = directory.path();
    std::fs::create_dir(root.join("d")).unwrap();
    let strange = root.join("d").join(OsStr::from_bytes(b"bad-\xff"));
    std::fs::write(&strange, b"x").unwrap();
    std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    std::fs::write(root.join("good"), b"x").unwrap();
    assert_eq!(all(&store).await, ["good"]);
    let mut told = told.lock().unwrap().clone();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let mut expected = [
        (strange, WhySkipped::NotUtf8),
        (root.join("link"), WhySkipped::Link),
        (root.join("socket"), WhySkipped::Special),
    ];
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_root_that_is_missing_is_an_error_and_an_empty_one_is_none() {
    let (outer, _) = fresh();
    let store = Local::new(outer.path().join("none"), quick());
    assert_eq!(kind(store.list_to_vec(ListRequest::all("")).await), ErrorKind::NoSuchContainer);
    assert_eq!(kind(store.list_to_vec(ListRequest::all("x/")).await), ErrorKind::NoSuchContainer);
    assert_eq!(kind(get(&store, "x").await), ErrorKind::NoSuchContainer);
    assert_eq!(kind(store.stat(&key("x"), None).await), ErrorKind::NoSuchContainer);
    store.make_directory("").await.unwrap();
    assert_eq!(all(&store).await, [""; 0]);
    assert_eq!(kind(get(&store, "x").await), ErrorKind::NotFound);
    store.remove_directory("").await.unwrap();
    assert_eq!(kind(store.list_to_vec(ListRequest::all("")).await), ErrorKind::NoSuchContainer);
    put(&store, "again/x", b"x").await.unwrap();
    assert_eq!(all(&store).await, ["again/x"]);
}

#[tokio::test]
async fn a_level_that_cannot_be_read_ends_the_listing_with_an_error() {
    let (directory, store) = fresh();
    for name in ["a", "b/x", "c"] {
        put(&store, name, b"").await.unwrap();
    }
    // A privileged user may read everything; a link loop as the root of a followed tree fails for all.
    std::os::unix::fs::symlink("round", directory.path().join("round")).unwrap();
    let looped = Local::new(directory.path().join("round"), quick());
    assert!(looped.list_to_vec(ListRequest::all("")).await.is_err());
    if rustix::process::geteuid().is_root() {
        return;
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(directory.path().join("b"), mode).unwrap();
    assert_eq!(kind(store.list_to_vec(ListRequest::all("")).await), ErrorKind::Denied);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path().join("b"), mode).unwrap();
}

#[tokio::test]
async fn old_versions_are_refused() {
    let (_directory, store) = fresh();
    let mut request = ListRequest::all("");
    request.versions = VersionScope::At(Timestamp::now());
    assert_eq!(kind(store.list_to_vec(request).await), ErrorKind::Unsupported);
    assert_eq!(kind(store.stat(&key("x"), Some(&"1".into())).await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn keys_too_long_on_disk_are_told() {
    let told = Arc::new(Mutex::new(0));
    let observer = {
        let told = Arc::clone(&told);
        Arc::new(move |skipped: Skipped| {
            assert_eq!(skipped.why, WhySkipped::TooLong);
            *told.lock().unwrap() += 1;
        })
    };
    let (directory, store) = with(LocalOptions { observer: Some(observer), links: Links::Follow, ..quick() });
    let deep: std::path::PathBuf = std::iter::repeat_n("x".repeat(250), 5).collect();
    std::fs::create_dir_all(directory.path().join(&deep)).unwrap();
    std::fs::write(directory.path().join("ok"), b"").unwrap();
    assert_eq!(all(&store).await, ["ok"]);
    assert_eq!(*told.lock().unwrap(), 1);
}
