use std::{fs, io, os::unix::fs::MetadataExt};

use super::*;
use crate::{PartRequest, Timestamp};

const OLD: i64 = 1_000_000_000_000_000_000;

fn linking() -> (TempDir, Local) {
    with(LocalOptions { hard_link: true, ..quick() })
}

fn dated(size: usize) -> PutRequest {
    PutRequest { modified: Some(Timestamp::from_nanos(OLD)), size: Some(size as u64), ..PutRequest::default() }
}

/// `a`, and `b` as another name of it.
async fn two_names() -> (TempDir, Local) {
    let (root, store) = linking();
    store.put(&key("a"), dated(4), b"tern".to_vec().into()).await.unwrap();
    store.copy(&store.copy_source(&key("a")).unwrap(), &key("b"), PutRequest::default()).await.unwrap();
    assert_eq!(links(&root, "a"), 2, "one file of two names");
    (root, store)
}

fn links(root: &TempDir, name: &str) -> u64 {
    fs::metadata(root.path().join(name)).unwrap().nlink()
}

/// Whatever overwrites one name leaves the bytes and the time of the other alone.
#[tokio::test]
async fn a_name_that_is_overwritten_parts_from_the_others() {
    for way in ["put", "stream", "parts", "copy", "time", "delete"] {
        let (root, store) = two_names().await;
        let b = key("b");
        match way {
            "put" => drop(put(&store, "b", b"gull").await.unwrap()),
            "stream" => drop(store.put(&b, PutRequest::default(), stream(3, 100_000)).await.unwrap()),
            "parts" => {
                let token = store.begin(&b, &dated(4)).await.unwrap();
                let part = store.put_part(&token, &PartRequest::new(1, 0), b"gull".to_vec().into()).await.unwrap();
                assert_eq!(get(&store, "a").await.unwrap(), b"tern");
                store.complete(&token, &dated(4), &[part]).await.unwrap();
            }
            "copy" => {
                put(&store, "c", b"gull").await.unwrap();
                store.copy(&store.copy_source(&key("c")).unwrap(), &b, dated(4)).await.unwrap();
            }
            "time" => {
                let modified = Some(Timestamp::from_nanos(2 * OLD));
                store.set_metadata(&b, PutRequest { modified, ..PutRequest::default() }).await.unwrap();
            }
            _ => store.delete(&[b.into()]).await.remove(0).unwrap(),
        }
        assert_eq!(get(&store, "a").await.unwrap(), b"tern", "{way}");
        let modified = store.stat(&key("a"), None).await.unwrap().modified;
        assert_eq!((modified, links(&root, "a")), (Some(Timestamp::from_nanos(OLD)), 1), "{way}");
    }
}

/// The most names a file may have on any of the file systems that are tried; ext4 takes 65,000.
const MOST: usize = 70_000;

#[tokio::test]
async fn a_file_that_has_enough_names_is_copied() {
    let (root, store) = two_names().await;
    let more = tempfile::tempdir_in(root.path()).unwrap();
    let limit = (0..MOST).map(|number| fs::hard_link(root.path().join("a"), more.path().join(number.to_string())));
    let Some(error) = limit.filter_map(io::Result::err).next() else {
        eprintln!("NOT SHOWN: a file may have more than {MOST} names here");
        return;
    };
    assert_eq!(error.kind(), io::ErrorKind::TooManyLinks);
    let source = store.copy_source(&key("a")).unwrap();
    let entry = store.copy(&source, &key("c"), PutRequest::default()).await.unwrap();
    assert_eq!((entry.size, entry.modified), (Some(4), Some(Timestamp::from_nanos(OLD))));
    assert_eq!((get(&store, "c").await.unwrap(), links(&root, "c")), (b"tern".to_vec(), 1));
    // Its own names are free again for the next ones.
    store.copy(&store.copy_source(&key("c")).unwrap(), &key("d"), PutRequest::default()).await.unwrap();
    assert_eq!(links(&root, "c"), 2);
}
