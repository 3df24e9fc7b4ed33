use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::{CopySource, Timestamp};

async fn copied(from: &Local, to: &Local, content: &[u8]) -> Entry {
    let modified = Some(Timestamp::from_nanos(987_654_321));
    let request = PutRequest { modified, ..PutRequest::default() };
    from.put(&key("a/source"), request, content.to_vec().into()).await.unwrap();
    let source = CopySource { size: Some(content.len() as u64), ..from.copy_source(&key("a/source")).unwrap() };
    let entry = to.copy(&source, &key("b/target"), PutRequest::default()).await.unwrap();
    assert_eq!(entry.modified, modified);
    entry
}

#[tokio::test]
async fn small_and_large_files_are_copied_between_roots() {
    let (_one, from) = fresh();
    let (two, to) = fresh();
    assert!(from.shares_domain(&to));
    for size in [0, 1, 4096, 70_000, 5_000_000] {
        let content: Vec<u8> = (0..size).map(|number| (number / 3) as u8).collect();
        let entry = copied(&from, &to, &content).await;
        assert_eq!(entry.size, Some(size as u64));
        assert_eq!(get(&to, "b/target").await.unwrap(), content);
    }
    assert_eq!(on_disk(two.path()), ["b/", "b/target"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_copy_to_another_file_system_arrives() {
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("Linux has a second file system there");
    let (_one, from) = fresh();
    let to = Local::new(elsewhere.path(), quick());
    let content = vec![9; 3_000_000];
    copied(&from, &to, &content).await;
    assert_eq!(get(&to, "b/target").await.unwrap(), content);
}

#[tokio::test]
async fn a_copy_refuses_what_is_not_the_source_any_more() {
    let (_one, from) = fresh();
    let (two, to) = fresh();
    put(&from, "a", b"four").await.unwrap();
    let source = from.copy_source(&key("a")).unwrap();
    let refused = async |source: CopySource, request| kind(to.copy(&source, &key("b"), request).await);
    let none = PutRequest::default();
    let other = CopySource { size: Some(5), ..source.clone() };
    assert_eq!(refused(other, none.clone()).await, ErrorKind::Precondition);
    let missing = CopySource { key: key("x"), ..source.clone() };
    assert_eq!(refused(missing, none.clone()).await, ErrorKind::NotFound);
    let foreign = CopySource { domain: "s3".into(), ..source.clone() };
    assert_eq!(refused(foreign, none.clone()).await, ErrorKind::Unsupported);
    let old = CopySource { version: Some("1".into()), ..source.clone() };
    assert_eq!(refused(old, none.clone()).await, ErrorKind::Unsupported);
    put(&to, "b", b"there").await.unwrap();
    let careful = PutRequest { if_absent: true, ..none };
    assert_eq!(refused(source, careful).await, ErrorKind::Exists);
    assert_eq!(on_disk(two.path()), ["b"]);
}

#[tokio::test]
async fn stores_that_read_names_or_links_differently_share_no_domain() {
    let (_one, from) = fresh();
    let (_two, to) = with(LocalOptions { escape: false, ..quick() });
    assert!(!from.shares_domain(&to));
    let source = from.copy_source(&key("a")).unwrap();
    assert_eq!(kind(to.copy(&source, &key("b"), PutRequest::default()).await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn permission_bits_travel_where_asked() {
    for (permissions, expected) in [(true, 0o711), (false, 0o600)] {
        let (one, from) = with(LocalOptions { permissions, ..quick() });
        let (two, to) = with(LocalOptions { permissions, ..quick() });
        fs::write(one.path().join("a"), b"x").unwrap();
        fs::set_permissions(one.path().join("a"), fs::Permissions::from_mode(0o711)).unwrap();
        to.copy(&from.copy_source(&key("a")).unwrap(), &key("a"), PutRequest::default()).await.unwrap();
        let mode = fs::metadata(two.path().join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o700, expected & 0o700);
        assert_eq!(mode & 0o111 != 0, permissions);
    }
}
