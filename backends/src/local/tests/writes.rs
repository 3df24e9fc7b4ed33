use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use super::*;
use crate::{Algorithm, Digest, Metadata, ReadRequest, Tap, Timestamp, error::Operation};

fn digests(content: &[u8]) -> crate::Digests {
    use sha2::Digest as _;
    [
        Digest::Sha256(sha2::Sha256::digest(content).into()),
        Digest::Md5(md5::Md5::digest(content).into()),
        Digest::Crc32c(crate::digest::crc32c(content)),
    ]
    .into_iter()
    .collect()
}

#[tokio::test]
async fn bodies_of_every_kind_arrive_whole() {
    let (directory, store) = fresh();
    let big = vec![7; 3_000_000];
    let file = directory.path().join("source");
    fs::write(&file, [vec![1; 10], big.clone(), vec![2; 10]].concat()).unwrap();
    let file = Arc::new(fs::File::open(&file).unwrap());
    for (name, body) in [
        ("bytes", Body::from(big.clone())),
        ("stream", stream(300, 10_000)),
        ("file", Body::file(file, 10, big.len() as u64)),
        ("unknown", Body::stream(None, stream(3, 1_000_000).chunks())),
    ] {
        let request = PutRequest { digests: digests(&big), size: Some(3_000_000), ..PutRequest::default() };
        let entry = store.put(&key(name), request, body).await.unwrap();
        assert_eq!(entry.size, Some(3_000_000));
        assert!(entry.digests.sha256().is_some());
        assert_eq!(get(&store, name).await.unwrap(), big, "{name}");
    }
    let empty = store.put(&key("none"), PutRequest::default(), Body::stream(Some(0), stream(0, 1).chunks())).await;
    assert_eq!(empty.unwrap().size, Some(0));
    assert_eq!(get(&store, "none").await.unwrap(), b"");
}

#[tokio::test]
async fn taps_are_told_of_every_byte_once() {
    #[derive(Default)]
    struct Count(std::sync::atomic::AtomicU64);
    impl Tap for Count {
        fn pass(&self, bytes: u64) {
            self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let (_directory, store) = fresh();
    for body in [Body::from(vec![1; 1000]), stream(10, 100)] {
        let count = Arc::new(Count::default());
        store.put(&key("a"), PutRequest::default(), body.tapped(count.clone())).await.unwrap();
        assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 1000);
    }
}

#[tokio::test]
async fn what_fails_leaves_nothing_and_what_was_there() {
    let (directory, store) = fresh();
    put(&store, "a", b"old").await.unwrap();
    for chunks in [0, 1, 100] {
        let failed = store.put(&key("a"), PutRequest::default(), failing(chunks, 50_000)).await;
        assert_eq!(kind(failed), ErrorKind::Unavailable);
    }
    let short = Body::stream(Some(10), stream(1, 9).chunks());
    assert_eq!(kind(store.put(&key("a"), PutRequest::default(), short).await), ErrorKind::Unavailable);
    for body in [Body::from(vec![7; 9]), Body::stream(None, stream(1, 9).chunks())] {
        let request = PutRequest { size: Some(10), ..PutRequest::default() };
        assert_eq!(kind(store.put(&key("a"), request, body).await), ErrorKind::Integrity);
    }
    for body in [Body::from(vec![7; 9]), stream(3, 3), stream(4, 300_000)] {
        for digest in digests(b"else").iter() {
            let request = PutRequest { digests: [*digest].into_iter().collect(), ..PutRequest::default() };
            let failed = store.put(&key("a"), request, body.replay().unwrap_or_else(|| stream(4, 300_000))).await;
            assert_eq!(kind(failed), ErrorKind::Integrity);
        }
    }
    assert_eq!(get(&store, "a").await.unwrap(), b"old");
    assert_eq!(on_disk(directory.path()), ["a"]);
}

#[tokio::test]
async fn a_put_that_nobody_waits_for_leaves_nothing() {
    let (directory, store) = fresh();
    let (sent, reached) = tokio::sync::oneshot::channel();
    let body = futures::stream::once(async { Ok(vec![7; 2_000_000].into()) })
        .chain(futures::stream::once(async move {
            sent.send(()).unwrap();
            futures::future::pending::<Result<bytes::Bytes>>().await
        }))
        .boxed();
    let store = Arc::new(store);
    let writing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.put(&key("a"), PutRequest::default(), Body::stream(None, body)).await })
    };
    reached.await.unwrap();
    assert_eq!(all(&store).await, [""; 0], "the draft is not listed");
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    // Where drafts have names, the thread that writes may still hold one for a moment.
    while !on_disk(directory.path()).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn if_absent_keeps_what_is_there() {
    let (directory, store) = fresh();
    for body in [Body::from(b"new".to_vec()), stream(1, 3)] {
        let request = PutRequest { if_absent: true, ..PutRequest::default() };
        fs::write(directory.path().join("a"), b"old").unwrap();
        let second = body.replay().unwrap_or_else(|| stream(1, 3));
        assert_eq!(kind(store.put(&key("a"), request.clone(), body).await), ErrorKind::Exists);
        assert_eq!(get(&store, "a").await.unwrap(), b"old");
        fs::remove_file(directory.path().join("a")).unwrap();
        store.put(&key("a"), request, second).await.unwrap();
    }
    assert_eq!(on_disk(directory.path()), ["a"]);
    let request = PutRequest { if_match: Some("x".into()), ..PutRequest::default() };
    assert_eq!(kind(store.put(&key("a"), request, Body::empty()).await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_file_and_a_directory_of_one_name_exclude_each_other() {
    let (directory, store) = fresh();
    put(&store, "a", b"file").await.unwrap();
    assert_eq!(kind(put(&store, "a/b", b"x").await), ErrorKind::Exists);
    assert_eq!(kind(put(&store, "a/b/c", b"x").await), ErrorKind::Exists);
    assert_eq!(kind(store.make_directory("a").await), ErrorKind::Exists);
    put(&store, "d/b", b"x").await.unwrap();
    assert_eq!(kind(put(&store, "d", b"x").await), ErrorKind::Exists);
    assert_eq!(kind(get(&store, "d").await), ErrorKind::NotFound);
    assert_eq!(kind(store.stat(&key("d"), None).await), ErrorKind::NotFound);
    assert_eq!(kind(get(&store, "a/b").await), ErrorKind::NotFound);
    assert_eq!(on_disk(directory.path()), ["a", "d/", "d/b"]);
    assert!(store.delete(&[key("d").into(), key("a/b").into()]).await.iter().all(Result::is_ok));
    assert_eq!(on_disk(directory.path()), ["a", "d/", "d/b"]);
}

#[tokio::test]
async fn names_kept_for_drafts_are_refused() {
    let (_directory, store) = fresh();
    let refused = put(&store, "d/.x.sterna-abcdefgh.part", b"x").await;
    assert_eq!(kind(refused), ErrorKind::Unsupported);
}

#[tokio::test]
async fn ranges_are_cut_to_the_file() {
    let (_directory, store) = fresh();
    let content: Vec<u8> = (0..600_000_u32).map(|number| number as u8).collect();
    put(&store, "a", &content).await.unwrap();
    for range in [0..1, 5..400_000, 599_999..700_000, 700_000..800_000, 100_000..100_000] {
        let request = ReadRequest { range: Some(range.clone()), ..ReadRequest::default() };
        let reader = store.read(&key("a"), request).await.unwrap();
        assert_eq!(reader.entry.size, Some(600_000));
        let expected = &content[(range.start as usize).min(600_000)..(range.end as usize).min(600_000)];
        assert_eq!(reader.body.len(), Some(expected.len() as u64));
        assert_eq!(reader.body.collect().await.unwrap(), expected, "{range:?}");
    }
    let request = ReadRequest { version: Some("1".into()), ..ReadRequest::default() };
    assert_eq!(kind(store.read(&key("a"), request).await), ErrorKind::Unsupported);
}

#[test]
fn a_file_that_changed_while_it_was_read_is_noticed() {
    let (directory, store) = fresh();
    let path = directory.path().join("a");
    fs::write(&path, b"one").unwrap();
    let file = fs::File::open(&path).unwrap();
    let before = crate::local::system::facts_of(&file).unwrap();
    let tree = crate::local::tree::Tree::new(directory.path().into(), quick());
    let unchanged = || crate::local::read::unchanged(&tree, Operation::Read, &key("a"), &file, &before);
    unchanged().unwrap();
    // Other names, as other copies may be giving it just then, until the clock of the file system has gone on.
    let changed = || crate::local::system::facts_of(&file).unwrap().changed;
    for number in (0..).take_while(|_| changed() == before.changed) {
        fs::hard_link(&path, directory.path().join(format!("name-{number}"))).unwrap();
    }
    assert_eq!(kind(unchanged()), ErrorKind::Changed);
    let named = crate::local::tree::Tree::new(directory.path().into(), LocalOptions { hard_link: true, ..quick() });
    let unchanged = || crate::local::read::unchanged(&named, Operation::Read, &key("a"), &file, &before);
    unchanged().unwrap();
    let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_times(times).unwrap();
    assert_eq!(kind(unchanged()), ErrorKind::Changed);
    drop(store);
}

#[tokio::test]
async fn a_large_file_that_shrinks_while_it_is_read_is_noticed() {
    let (directory, store) = fresh();
    put(&store, "a", &vec![1; 2_000_000]).await.unwrap();
    let reader = store.read(&key("a"), ReadRequest::default()).await.unwrap();
    fs::OpenOptions::new().write(true).open(directory.path().join("a")).unwrap().set_len(1_000_000).unwrap();
    assert_eq!(kind(reader.body.collect().await), ErrorKind::Changed);
}

#[tokio::test]
async fn deleting_takes_the_directories_it_empties_and_never_the_root() {
    let (directory, store) = fresh();
    for name in ["a/b/c/d", "a/b/e", "x/y"] {
        put(&store, name, b"").await.unwrap();
    }
    let targets = ["a/b/c/d", "x/y", "missing", "no/such"].map(|name| key(name).into());
    assert!(store.delete(&targets).await.iter().all(Result::is_ok));
    assert_eq!(on_disk(directory.path()), ["a/", "a/b/", "a/b/e"]);
    store.delete(&[key("a/b/e").into()]).await.remove(0).unwrap();
    assert_eq!(on_disk(directory.path()), [""; 0]);
    assert!(directory.path().exists());
    put(&store, "a/b", b"again").await.unwrap();
    assert_eq!(kind(store.remove_directory("a").await), ErrorKind::Exists);
    store.remove_directory("nothing").await.unwrap();
    store.make_directory("e/f").await.unwrap();
    store.make_directory("e/f/").await.unwrap();
    store.remove_directory("e/f/").await.unwrap();
    assert_eq!(on_disk(directory.path()), ["a/", "a/b", "e/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_and_deletes_in_one_directory_do_not_hurt_each_other() {
    let (_directory, store) = fresh();
    let store = Arc::new(store);
    let tasks = (0..8).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..100 {
                let name = format!("d/e/{task}");
                put(&store, &name, b"x").await.unwrap();
                store.delete(&[key(&name).into()]).await.remove(0).unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(all(&store).await, [""; 0]);
}

#[tokio::test]
async fn metadata_is_the_time_and_where_asked_the_mode() {
    let (directory, store) = with(LocalOptions { permissions: true, ..quick() });
    let mut metadata = Metadata::default();
    metadata.user.insert("mode".into(), "100750".into());
    let request = PutRequest { metadata: Arc::new(metadata), ..PutRequest::default() };
    store.put(&key("a"), request, b"x".to_vec().into()).await.unwrap();
    let mode = || fs::metadata(directory.path().join("a")).unwrap().permissions().mode();
    assert_eq!(mode(), 0o100_750);
    let told = store.stat(&key("a"), None).await.unwrap().metadata.unwrap();
    assert_eq!(told.user["mode"], "100750");
    let modified = Some(Timestamp::from_nanos(5));
    store.set_metadata(&key("a"), PutRequest { modified, ..PutRequest::default() }).await.unwrap();
    assert_eq!(store.stat(&key("a"), None).await.unwrap().modified, modified);
    assert_eq!(mode(), 0o100_750);
    assert_eq!(kind(store.set_metadata(&key("b"), PutRequest::default()).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn zeroes_become_holes_where_asked() {
    use std::os::unix::fs::MetadataExt;
    let (directory, store) = with(LocalOptions { sparse: true, ..quick() });
    let mut content = vec![0; 4_000_000];
    content[2_000_000] = 1;
    put(&store, "bytes", &content).await.unwrap();
    let chunks: Vec<_> = content.chunks(99_999).map(|chunk| Ok(chunk.to_vec().into())).collect();
    let body = Body::stream(None, futures::stream::iter(chunks).boxed());
    store.put(&key("stream"), PutRequest::default(), body).await.unwrap();
    let source = store.copy_source(&key("bytes")).unwrap();
    store.copy(&source, &key("copy"), PutRequest::default()).await.unwrap();
    for name in ["bytes", "stream", "copy"] {
        assert_eq!(get(&store, name).await.unwrap(), content, "{name}");
        let blocks = fs::metadata(directory.path().join(name)).unwrap().blocks();
        assert!(blocks < 100, "{name} takes {blocks} blocks of 512 bytes");
    }
}

#[tokio::test]
async fn every_fsync_policy_stores() {
    for fsync in [Fsync::None, Fsync::Batch, Fsync::Always] {
        let (directory, store) = with(LocalOptions { fsync, ..LocalOptions::default() });
        put(&store, "a/b/c", b"x").await.unwrap();
        store.sync().await.unwrap();
        drop(store);
        assert_eq!(fs::read(directory.path().join("a/b/c")).unwrap(), b"x");
    }
}

#[tokio::test]
async fn opening_a_file_means_its_directory_and_its_key() {
    let (directory, store) = fresh();
    put(&store, "d/.", b"dot").await.unwrap();
    let open = async |path: &Path| {
        let path = path.to_str().unwrap().to_owned();
        let remote = crate::registry::Remote::new("local", &crate::local::FAMILY, Default::default()).unwrap();
        remote.open(&path).await.unwrap()
    };
    let opened = open(&directory.path().join("d").join("．")).await;
    assert_eq!((opened.prefix.as_str(), opened.store.name()), (".", directory.path().join("d").to_str().unwrap()));
    assert_eq!(&opened.store.get(&key(".")).await.unwrap()[..], b"dot");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path().join("d").join("．"), &link).unwrap();
    assert_eq!(open(&link).await.prefix, ".");
    assert_eq!(open(&directory.path().join("missing")).await.prefix, "");
    assert_eq!(open(directory.path()).await.prefix, "");
}

#[tokio::test]
async fn options_are_read_by_name() {
    let remote = |name: &str, value: &str| {
        let options = [(name.to_owned(), crate::registry::Value::Text(value.to_owned()))].into();
        crate::registry::Remote::new("here", &crate::local::FAMILY, options).unwrap()
    };
    assert_eq!(LocalOptions::of(&remote("links", "follow")).unwrap().links, crate::local::Links::Follow);
    assert_eq!(LocalOptions::of(&remote("fsync", "always")).unwrap().fsync, Fsync::Always);
    assert!(!LocalOptions::of(&remote("escape", "false")).unwrap().escape);
    assert_eq!(LocalOptions::of(&remote("links", "maybe")).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn local_knows_no_digest_without_reading() {
    let (_directory, store) = fresh();
    assert!(!store.capabilities().digests_in_list.contains(&Algorithm::Sha256));
    assert!(!store.capabilities().keys.folds_case, "tests run where case counts");
}
