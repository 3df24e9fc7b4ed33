//! FTP under faults: broken connections, lost answers, full disks, servers that rename over nothing.
#![cfg(feature = "ftp")]

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use futures::TryStreamExt;
use sterna_backends::{
    Body, ErrorKind, Key, ListRequest, Operation, PutRequest, ReadRequest, Store, StoreExt, Timestamp,
    layer::{Retry, RetrySettings},
    registry,
};
use sterna_servers::{FtpFault, FtpProxy, FtpServer, proftpd, pyftpdlib, vsftpd};

async fn opened(port: u16, server: &FtpServer, extra: &[(&str, &str)]) -> sterna_backends::Result<Arc<dyn Store>> {
    let port = port.to_string();
    let options = [("host", "127.0.0.1"), ("port", &port), ("user", server.user), ("password", server.password)];
    let text = |value: &str| registry::Value::Text(value.to_owned());
    let options = options.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), text(value))).collect();
    let family = registry::family("ftp").expect("the feature is on");
    let remote = registry::Remote::new("far", family, options).expect("the family knows these options");
    Ok(remote.open("").await?.store)
}

/// A folder of a server behind a proxy: the store, the proxy, and the folder on disk.
async fn behind(
    server: &FtpServer,
    rule: impl Fn(&str, usize) -> Option<FtpFault> + Send + Sync + 'static,
) -> (Arc<dyn Store>, FtpProxy, PathBuf) {
    let proxy = FtpProxy::new(server.port, rule);
    let root = server.folder("faults");
    let store = opened(proxy.port, server, &[("root", &root)]).await.expect("a server that works");
    (store, proxy, server.on_disk(&root))
}

fn retrying(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let quick = Duration::from_millis(1);
    Arc::new(Retry::new(store, RetrySettings { base: quick, cap: quick, ..RetrySettings::default() }))
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a legal key")
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(7).fill(&mut bytes);
    bytes
}

async fn put(store: &Arc<dyn Store>, name: &str, bytes: &[u8]) -> sterna_backends::Result<sterna_backends::Entry> {
    let request = PutRequest { size: Some(bytes.len() as u64), ..PutRequest::default() };
    store.put(&key(name), request, Body::from(bytes.to_vec())).await
}

/// What is on disk, hidden files too.
fn on_disk(folder: &PathBuf) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Each of these on the first command of its kind: the put comes through, once, and leaves nothing beside.
#[tokio::test]
async fn a_put_survives_what_networks_do() {
    let content = noise(300_000);
    for server in [proftpd(), vsftpd(), pyftpdlib()] {
        for (verb, fault) in [
            ("STOR", FtpFault::Drop),
            ("STOR", FtpFault::LoseAnswer),
            ("STOR", FtpFault::CutData(100_000)),
            ("STOR", FtpFault::CutBoth(100_000)),
            ("STOR", FtpFault::Answer("425 Can't open data connection")),
            ("STOR", FtpFault::Replace("226", "451 local error")),
            ("RNFR", FtpFault::Drop),
            ("RNTO", FtpFault::Drop),
            ("RNTO", FtpFault::LoseAnswer),
            ("RNTO", FtpFault::Answer("421 Idle for too long")),
            ("MKD", FtpFault::LoseAnswer),
            ("EPSV", FtpFault::Drop),
        ] {
            // The first EPSV is asked for to see whether there is one.
            let turn = usize::from(verb == "EPSV");
            let rule = move |command: &str, before| (command.starts_with(verb) && before == turn).then_some(fault);
            let (store, proxy, folder) = behind(server, rule).await;
            let entry = put(&retrying(store), "d/a", &content).await;
            let entry = entry.unwrap_or_else(|error| panic!("{verb} {fault:?} at {}: {error}", server.user));
            assert_eq!(entry.size, Some(300_000));
            assert!(proxy.counts()[verb] > turn, "{verb} was never said");
            assert!(fs::read(folder.join("d/a")).unwrap() == content, "{verb} {fault:?}");
            assert_eq!(on_disk(&folder.join("d")), ["a"], "{verb} {fault:?}");
        }
    }
}

/// A cut upload that nobody tries again leaves nothing that is seen, and what was there before.
#[tokio::test]
async fn a_cut_upload_leaves_nothing() {
    for server in [proftpd(), vsftpd(), pyftpdlib()] {
        let rule =
            |command: &str, before| (command.starts_with("STOR") && before == 1).then_some(FtpFault::CutData(50_000));
        let (store, _proxy, folder) = behind(server, rule).await;
        put(&store, "a", b"old").await.unwrap();
        let error = put(&store, "a", &noise(300_000)).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"old");
        assert_eq!(on_disk(&folder), ["a"]);
    }
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full() {
    for fault in [
        FtpFault::Answer("452 Insufficient storage space"),
        FtpFault::Replace("226", "552 Exceeded storage allocation"),
    ] {
        let rule = move |command: &str, _| command.starts_with("STOR").then_some(fault);
        let (store, _proxy, folder) = behind(proftpd(), rule).await;
        let error = put(&store, "a", &noise(10_000)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Full, false), "{error}");
        assert_eq!(on_disk(&folder), [""; 0]);
    }
}

#[tokio::test]
async fn a_cut_read_is_an_error_and_another_try_reads_all() {
    let content = noise(2_000_000);
    for fault in [FtpFault::CutData(1_000_000), FtpFault::CutBoth(1_000_000)] {
        let rule = move |command: &str, before| (command.starts_with("RETR") && before == 0).then_some(fault);
        let (store, _proxy, folder) = behind(proftpd(), rule).await;
        fs::write(folder.join("a"), &content).unwrap();
        let error = store.get(&key("a")).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(error.operation(), Operation::Read);
        assert!(store.get(&key("a")).await.unwrap() == content);
    }
}

/// Ranges end where they end, and the connection is of use afterwards: it is not made anew for each.
#[tokio::test]
async fn ranges_keep_their_connection() {
    let content = noise(5_000_000);
    for server in [proftpd(), vsftpd(), pyftpdlib()] {
        let (store, proxy, folder) = behind(server, |_, _| None).await;
        fs::write(folder.join("a"), &content).unwrap();
        for start in 0..8 {
            let range = start * 100_000..start * 100_000 + 50_000;
            let request = ReadRequest { range: Some(range.clone()), ..ReadRequest::default() };
            let read = store.read(&key("a"), request).await.unwrap().body.collect().await.unwrap();
            assert!(read == content[range.start as usize..range.end as usize]);
        }
        assert_eq!(proxy.counts()["connect"], 1, "port {}", server.port);
    }
}

/// A listing that breaks off is an error or is made again, and never short.
#[tokio::test]
async fn listings_are_whole() {
    for server in [proftpd(), vsftpd(), pyftpdlib()] {
        for fault in [FtpFault::CutData(500), FtpFault::CutBoth(500), FtpFault::Answer("450 busy")] {
            let rule = move |command: &str, before| {
                (matches!(command.get(..4), Some("MLSD" | "LIST")) && before == 0).then_some(fault)
            };
            let (store, _proxy, folder) = behind(server, rule).await;
            for number in 0..100 {
                fs::write(folder.join(format!("{number:03}")), "x").unwrap();
            }
            let listed: sterna_backends::Result<Vec<_>> = store.list(ListRequest::all("")).try_concat().await;
            assert_eq!(listed.unwrap().len(), 100, "{fault:?}");
        }
        // What is refused is no empty directory: a mirror would delete everything.
        let everywhere: &[&str] = &["", "d/", "missing/"];
        for (fault, prefixes) in
            [(FtpFault::Answer("550 Permission denied"), everywhere), (FtpFault::Replace("226", "451 error"), &[""])]
        {
            let rule = move |command: &str, _| matches!(command.get(..4), Some("MLSD" | "LIST")).then_some(fault);
            let (store, _proxy, folder) = behind(server, rule).await;
            fs::create_dir(folder.join("d")).unwrap();
            fs::write(folder.join("d/a"), "x").unwrap();
            for prefix in prefixes {
                let listed: sterna_backends::Result<Vec<_>> = store.list(ListRequest::all(*prefix)).try_concat().await;
                assert!(listed.is_err(), "'{prefix}' with {fault:?}: {listed:?}");
            }
        }
    }
}

/// A delete that is refused is none; one of what is missing is one.
#[tokio::test]
async fn a_refused_delete_is_an_error() {
    let rule = |command: &str, _| command.starts_with("DELE").then_some(FtpFault::Answer("550 Permission denied"));
    let (store, _proxy, folder) = behind(proftpd(), rule).await;
    fs::write(folder.join("a"), "x").unwrap();
    let results = store.delete(&[key("a").into(), key("missing").into()]).await;
    assert_eq!(results[0].as_ref().unwrap_err().kind(), ErrorKind::Denied);
    assert!(results[1].is_ok());
}

/// Some servers rename over nothing: what is there steps aside, and comes back where that was not the reason.
#[tokio::test]
async fn what_cannot_be_replaced_steps_aside() {
    let once = |command: &str, before: usize| {
        (command.starts_with("RNTO") && before == 1).then_some(FtpFault::Rewrite("RNTO /no/such/place"))
    };
    let (store, _proxy, folder) = behind(proftpd(), once).await;
    put(&store, "a", b"old").await.unwrap();
    put(&store, "a", b"new").await.unwrap();
    assert_eq!((fs::read(folder.join("a")).unwrap(), on_disk(&folder)), (b"new".to_vec(), vec!["a".to_owned()]));

    let never = |command: &str, before: usize| {
        let onto_a = command.starts_with("RNTO") && command.ends_with("/a");
        (onto_a && before > 0 && before < 4).then_some(FtpFault::Rewrite("RNTO /no/such/place"))
    };
    let (store, _proxy, folder) = behind(proftpd(), never).await;
    put(&store, "a", b"old").await.unwrap();
    let error = put(&store, "a", b"new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!((fs::read(folder.join("a")).unwrap(), on_disk(&folder)), (b"old".to_vec(), vec!["a".to_owned()]));
}

/// A directory is made once, however many objects come to lie in it; and a known one costs no call.
#[tokio::test]
async fn what_an_object_costs() {
    let (store, proxy, folder) = behind(proftpd(), |_, _| None).await;
    let time = Some(Timestamp::from_parts(1_000_000_000, 0));
    for number in 0..20 {
        let request = PutRequest { modified: time, ..PutRequest::default() };
        store.put(&key(&format!("d/e/{number}")), request, Body::from(&b"x"[..])).await.unwrap();
    }
    let counts = proxy.counts();
    for (verb, most) in
        [("connect", 1), ("MKD", 3), ("STOR", 20), ("MFMT", 20), ("MLST", 21), ("RNFR", 20), ("RNTO", 20), ("CWD", 0)]
    {
        let count = counts.get(verb).copied().unwrap_or_default();
        assert!(count <= most, "{count} times {verb}: {counts:?}");
    }
    assert_eq!(on_disk(&folder.join("d/e")).len(), 20);
    let listed = store.list_to_vec(ListRequest::all("")).await.unwrap();
    assert!(listed.iter().all(|entry| entry.modified == time), "{listed:?}");
}

/// What a killed run left goes with the first write after a listing that saw it, when it is a day old.
#[tokio::test]
async fn what_killed_runs_left_is_swept() {
    for server in [proftpd(), vsftpd()] {
        let (store, _proxy, folder) = behind(server, |_, _| None).await;
        let [old, young] = [".a.sterna-00000000.part", ".a.sterna-11111111.part"];
        for name in [old, young] {
            fs::write(folder.join(name), "half").unwrap();
        }
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60);
        fs::File::open(folder.join(old)).unwrap().set_modified(long_ago).unwrap();
        assert!(store.list_to_vec(ListRequest::all("")).await.unwrap().is_empty());
        put(&store, "b", b"x").await.unwrap();
        assert_eq!(on_disk(&folder), [young, "b"]);
    }
}

#[tokio::test]
async fn who_signs_in_wrongly_is_told() {
    let server = pyftpdlib();
    let wrong = |user: &str, password: &str| {
        let options = [("user", user.to_owned()), ("password", password.to_owned())];
        async move {
            let options = options.each_ref().map(|(name, value)| (*name, value.as_str()));
            opened(server.port, server, &options).await.unwrap_err()
        }
    };
    let error = wrong("tern", "guess").await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Denied, false), "{error}");
    let error = wrong("tern\r\nDELE a", "x").await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    // A certificate nobody signed is not trusted unasked.
    let error = opened(server.port, server, &[("tls", "explicit")]).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{error}");
    // TLS that is not offered is not done without.
    let proxy = FtpProxy::new(server.port, |command, _| {
        command.starts_with("AUTH").then_some(FtpFault::Answer("502 not implemented"))
    });
    let error = opened(proxy.port, server, &[("tls", "explicit")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!proxy.counts().contains_key("PASS"));
    // Too many connections: later there may be fewer.
    let proxy = FtpProxy::new(server.port, |command, before| {
        (command.starts_with("USER") && before > 0).then_some(FtpFault::Answer("530 too many"))
    });
    let store = opened(proxy.port, server, &[]).await.unwrap();
    let (a, b) = (key("a"), key("b"));
    let (first, second) = tokio::join!(store.get(&a), store.get(&b));
    let errors = [first.unwrap_err().kind(), second.unwrap_err().kind()];
    assert!(errors.contains(&ErrorKind::Throttled), "{errors:?}");
}
