use std::{
    fs,
    os::unix::fs::symlink,
    sync::{Arc, Mutex},
};

use super::*;
use crate::{
    PartRequest,
    local::Links,
    skipped::{Skipped, WhySkipped},
};

/// A directory outside, and a root with links to it: `out` is the directory, `file` a file in it.
fn attacked(links: Links) -> (TempDir, Local) {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    fs::create_dir_all(outer.path().join("outside/sub")).unwrap();
    fs::write(outer.path().join("outside/secret"), b"secret").unwrap();
    fs::create_dir(&root).unwrap();
    symlink(outer.path().join("outside"), root.join("out")).unwrap();
    symlink("../outside/secret", root.join("file")).unwrap();
    let store = Local::new(root, LocalOptions { links, ..quick() });
    (outer, store)
}

fn outside(outer: &TempDir) -> Vec<String> {
    assert_eq!(fs::read(outer.path().join("outside/secret")).unwrap(), b"secret");
    on_disk(&outer.path().join("outside"))
}

#[tokio::test]
async fn nothing_is_written_or_deleted_through_a_link() {
    for links in [Links::Skip, Links::Follow, Links::Keep] {
        let (outer, store) = attacked(links);
        for name in ["out/new", "out/secret", "out/sub/new", "out/sub/deep/new"] {
            for body in [Body::from(b"x".to_vec()), stream(2, 10)] {
                let put = store.put(&key(name), PutRequest::default(), body).await;
                assert_eq!(kind(put), ErrorKind::Exists, "{links:?} {name}");
            }
            let request = PutRequest { size: Some(1), ..PutRequest::default() };
            assert_eq!(kind(store.begin(&key(name), &request).await), ErrorKind::Exists);
            store.delete(&[key(name).into()]).await.remove(0).unwrap();
            assert!(store.set_metadata(&key(name), PutRequest::default()).await.is_err());
        }
        assert!(store.make_directory("out/made").await.is_err());
        assert!(store.remove_directory("out/sub").await.is_err());
        assert_eq!(outside(&outer), ["secret", "sub/"], "{links:?}");
    }
}

#[tokio::test]
async fn an_upload_token_that_was_tampered_with_leads_nowhere() {
    let (outer, store) = attacked(Links::Skip);
    let part = ".x.sterna-abcdefgh.part";
    fs::write(outer.path().join("outside").join(part), b"x").unwrap();
    fs::write(outer.path().join(part), b"x").unwrap();
    for id in [format!("out/{part}"), format!("../{part}"), format!("/{part}"), "out/secret".into(), String::new()] {
        let token = crate::UploadToken { key: key("x"), id };
        assert_eq!(kind(store.parts(&token).await), ErrorKind::NotFound, "{token:?}");
        let sent = store.put_part(&token, &PartRequest::new(1, 0), b"y".to_vec().into()).await;
        assert_eq!(kind(sent), ErrorKind::NotFound);
        store.abort(&token).await.unwrap();
    }
    assert_eq!(fs::read(outer.path().join(part)).unwrap(), b"x");
    assert_eq!(outside(&outer), [part, "secret", "sub/"]);
}

#[tokio::test]
async fn a_link_with_the_target_s_name_is_replaced() {
    for links in [Links::Skip, Links::Follow, Links::Keep] {
        let (outer, store) = attacked(links);
        for name in ["file", "out"] {
            put(&store, name, b"mine").await.unwrap();
            assert_eq!(get(&store, name).await.unwrap(), b"mine");
            assert!(fs::symlink_metadata(outer.path().join("root").join(name)).unwrap().is_file());
        }
        assert_eq!(outside(&outer), ["secret", "sub/"]);
    }
}

#[tokio::test]
async fn skipped_links_cannot_be_read() {
    let (_outer, store) = attacked(Links::Skip);
    assert_eq!(all(&store).await, [""; 0]);
    for name in ["file", "out/secret"] {
        assert_eq!(kind(get(&store, name).await), ErrorKind::NotFound);
        assert_eq!(kind(store.stat(&key(name), None).await), ErrorKind::NotFound);
        let source = store.copy_source(&key(name)).unwrap();
        assert_eq!(kind(store.copy(&source, &key("copy"), PutRequest::default()).await), ErrorKind::NotFound);
    }
    assert_eq!(keys(&store, ListRequest::all("out/")).await, [""; 0]);
}

#[tokio::test]
async fn followed_links_are_what_they_point_at() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (outer, _) = attacked(Links::Follow);
    let root = outer.path().join("root");
    symlink("nothing", root.join("dangling")).unwrap();
    symlink("round", root.join("round")).unwrap();
    symlink(".", root.join("self")).unwrap();
    let observer = {
        let told = Arc::clone(&told);
        Arc::new(move |skipped: Skipped| told.lock().unwrap().push((skipped.path, skipped.why)))
    };
    let store = Local::new(&root, LocalOptions { links: Links::Follow, observer: Some(observer), ..quick() });
    assert_eq!(all(&store).await, ["file", "out/secret"]);
    for name in ["file", "out/secret"] {
        assert_eq!(get(&store, name).await.unwrap(), b"secret");
        assert_eq!(store.stat(&key(name), None).await.unwrap().size, Some(6));
    }
    let mut told = told.lock().unwrap().clone();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("dangling", WhySkipped::Dangling), ("round", WhySkipped::Loop), ("self", WhySkipped::Loop)];
    assert_eq!(told, expected.map(|(name, why)| (root.join(name), why)));
}

#[tokio::test]
async fn kept_links_travel_as_text() {
    let (outer, store) = attacked(Links::Keep);
    fs::write(outer.path().join("root/x.rclonelink"), b"no link").unwrap();
    assert_eq!(all(&store).await, ["file.rclonelink", "out.rclonelink"]);
    assert_eq!(get(&store, "file.rclonelink").await.unwrap(), b"../outside/secret");
    let listed = store.list_to_vec(ListRequest::all("file")).await.unwrap();
    assert_eq!(listed[0].size, Some(17));
    assert_eq!(store.stat(&key("file.rclonelink"), None).await.unwrap().size, Some(17));
    assert_eq!(kind(get(&store, "file").await), ErrorKind::NotFound);

    put(&store, "d/new.rclonelink", b"../../outside").await.unwrap();
    let made = outer.path().join("root/d/new");
    assert_eq!(fs::read_link(&made).unwrap(), Path::new("../../outside"));
    let source = store.copy_source(&key("d/new.rclonelink")).unwrap();
    store.copy(&source, &key("d/two.rclonelink"), PutRequest::default()).await.unwrap();
    assert_eq!(fs::read_link(outer.path().join("root/d/two")).unwrap(), Path::new("../../outside"));
    for wrong in [&b""[..], b"nul\0", &[b'x'; 5000]] {
        assert_eq!(kind(put(&store, "d/bad.rclonelink", wrong).await), ErrorKind::Unsupported);
    }
    assert_eq!(kind(put(&store, ".rclonelink", b"x").await), ErrorKind::Unsupported);
    let targets = ["d/new.rclonelink", "d/two.rclonelink"].map(|name| key(name).into());
    assert!(store.delete(&targets).await.iter().all(Result::is_ok));
    assert!(!outer.path().join("root/d").exists());
    assert_eq!(outside(&outer), ["secret", "sub/"]);
}

#[tokio::test]
async fn the_root_may_be_a_link() {
    let outer = tempfile::tempdir().unwrap();
    fs::create_dir(outer.path().join("real")).unwrap();
    symlink("real", outer.path().join("root")).unwrap();
    let store = Local::new(outer.path().join("root"), quick());
    put(&store, "a/b", b"x").await.unwrap();
    assert_eq!(all(&store).await, ["a/b"]);
    assert_eq!(on_disk(&outer.path().join("real")), ["a/", "a/b"]);
}
