//! WebDAV as another library reads it: opendal, which shares no code with ours.
#![cfg(feature = "webdav")]

use std::{collections::BTreeSet, sync::Arc};

use futures::StreamExt;
use opendal::{Operator, services};
use sterna_backends::{Body, Key, ListRequest, PutRequest, Store, StoreExt, registry};
use sterna_servers::{WebServer, apache, rclone_webdav, seaweedfs_webdav};

async fn ours(url: &str) -> Arc<dyn Store> {
    let options = [("url".to_owned(), registry::Value::Text(url.to_owned()))].into();
    let family = registry::family("webdav").expect("the feature is on");
    let remote = registry::Remote::new("dav", family, options).expect("the family knows these options");
    remote.open("").await.expect("a folder that was just made").store
}

fn theirs(url: &str) -> Operator {
    opendal::install_default();
    Operator::new(services::Webdav::default().endpoint(url)).expect("a valid address")
}

const KEYS: &[&str] =
    &["a", "in side/a b", "plus+plus", "hash#hash", "ask?b", "&amp;<>", "\u{e9}/🐦", "100%", "~", "o.txt"];

#[tokio::test]
async fn another_library_reads_what_we_wrote_and_we_what_it_wrote() {
    let servers: [&'static WebServer; 3] = [apache(), rclone_webdav(), &seaweedfs_webdav().0];
    for server in servers {
        let url = server.folder("reader");
        let (ours, theirs) = (ours(&url).await, theirs(&url));
        for key in KEYS {
            let content = format!("ours {key}").into_bytes();
            let request = PutRequest { size: Some(content.len() as u64), ..PutRequest::default() };
            ours.put(&Key::new(*key).unwrap(), request, Body::from(content)).await.unwrap();
        }
        let mut seen = BTreeSet::new();
        let mut lister = theirs.lister_with("").recursive(true).await.unwrap();
        while let Some(entry) = lister.next().await {
            let path = entry.unwrap().path().to_owned();
            if !path.is_empty() && !path.ends_with('/') {
                seen.insert(path);
            }
        }
        assert_eq!(seen, KEYS.iter().map(|key| (*key).to_owned()).collect(), "{url}");
        for key in KEYS {
            let read = theirs.read(key).await.unwrap().to_vec();
            assert_eq!(read, format!("ours {key}").into_bytes(), "{url} {key}");
            theirs.write(key, format!("theirs {key}")).await.unwrap();
        }
        for entry in ours.list_to_vec(ListRequest::all("")).await.unwrap() {
            let content = ours.get(&entry.key).await.unwrap();
            assert_eq!(content, format!("theirs {}", entry.key), "{url}");
            assert_eq!(entry.size, Some(content.len() as u64), "{url}");
        }
    }
}

/// To replace a collection is to delete all that is in it. A store that has not seen it yet must not.
#[tokio::test]
async fn a_collection_is_never_replaced_and_never_deleted_as_an_object() {
    let servers: [&'static WebServer; 3] = [apache(), rclone_webdav(), &seaweedfs_webdav().0];
    for server in servers {
        let url = server.folder("collection");
        let (inside, above) = (Key::new("d/e").unwrap(), Key::new("d").unwrap());
        ours(&url).await.put(&inside, PutRequest::default(), Body::from(&b"kept"[..])).await.unwrap();
        let put = ours(&url).await.put(&above, PutRequest::default(), Body::from(&b"new"[..])).await;
        assert_eq!(put.unwrap_err().kind(), sterna_backends::ErrorKind::Exists, "{url}");
        ours(&url).await.delete(&[above.clone().into()]).await.into_iter().for_each(Result::unwrap);
        assert_eq!(ours(&url).await.get(&inside).await.unwrap(), "kept", "{url}");
        // The last object takes its collection along, and makes room.
        let store = ours(&url).await;
        store.delete(&[inside.into()]).await.into_iter().for_each(Result::unwrap);
        store.put(&above, PutRequest::default(), Body::from(&b"new"[..])).await.unwrap();
        assert_eq!(store.list_to_vec(ListRequest::all("")).await.unwrap().len(), 1, "{url}");
    }
}
