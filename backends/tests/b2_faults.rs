//! Backblaze B2 with the faults of the service: what the family itself makes good, and what `Retry` around it does.
#![cfg(all(feature = "b2", feature = "conformance"))]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sterna_backends::{
    Algorithm, Body, Digests, Entry, ErrorKind, Key, Part, PartRequest, PutRequest, ReadRequest, Result, Store,
    StoreExt, Timestamp, UploadToken, digest,
    layer::{Retry, RetrySettings},
    registry,
};
use sterna_servers::B2Server;

const PART: usize = 5_000_000;

struct World {
    server: B2Server,
    bucket: String,
    store: Arc<dyn Store>,
}

impl World {
    async fn new() -> Self {
        let server = B2Server::start();
        let bucket = server.bucket("faults");
        let store = open(&server, &bucket, (&server.key_id, &server.key)).await.expect("a server and its key");
        // The bucket's id and an upload URL are at hand, so that only what a test does is counted.
        store.put(&key("first"), request(b"first"), Body::from(&b"first"[..])).await.expect("no fault was asked for");
        server.reset();
        Self { server, bucket, store }
    }

    /// As a user has it: with attempts around, and waits too short to notice.
    fn retried(&self) -> Retry {
        let settings = RetrySettings {
            tries: 3,
            base: Duration::from_millis(1),
            cap: Duration::from_millis(1),
            ..RetrySettings::default()
        };
        Retry::new(Arc::clone(&self.store), settings)
    }

    fn fault(&self, fault: Value) {
        self.server.faults(json!([fault]));
    }

    async fn put(&self, name: &str, content: &'static [u8]) -> Result<Entry> {
        self.store.put(&key(name), request(content), Body::from(content)).await
    }

    fn calls(&self, name: &str) -> u64 {
        self.server.calls().get(name).copied().unwrap_or_default()
    }

    /// Versions of a name, hide markers and unfinished ones included.
    fn versions(&self, name: &str) -> usize {
        self.server.versions(&self.bucket).iter().filter(|file| file["fileName"] == name).count()
    }

    async fn holds(&self, name: &str, content: &[u8]) {
        assert_eq!(self.store.get(&key(name)).await.expect("it is there"), content, "{name}");
    }
}

async fn open(server: &B2Server, bucket: &str, (id, secret): (&str, &str)) -> Result<Arc<dyn Store>> {
    let options = [("endpoint", server.endpoint.as_str()), ("application_key_id", id), ("application_key", secret)];
    let text = |(name, value): (&str, &str)| (name.to_owned(), registry::Value::Text(value.to_owned()));
    let family = registry::family("b2").expect("the feature is on");
    let remote = registry::Remote::new("b2", family, options.map(text).into())?;
    Ok(remote.open(bucket).await?.store)
}

fn key(name: &str) -> Key {
    Key::new(name).expect("the tests write legal keys")
}

fn request(content: &[u8]) -> PutRequest {
    PutRequest {
        size: Some(content.len() as u64),
        modified: Some(Timestamp::from_parts(1_700_000_000, 0)),
        ..PutRequest::default()
    }
}

fn streamed(content: &'static [u8]) -> Body {
    let chunks: Vec<_> = content.chunks(7).map(|chunk| Ok(Bytes::from_static(chunk))).collect();
    Body::stream(Some(content.len() as u64), stream::iter(chunks).boxed())
}

const CONTENT: &[u8] = b"the tern flies farther than anybody";

#[tokio::test]
async fn upload_urls_are_used_again_by_one_at_a_time() {
    let world = World::new().await;
    for number in 0..10 {
        world.put(&format!("one-{number}"), CONTENT).await.unwrap();
    }
    assert_eq!(world.calls("b2_get_upload_url"), 0, "the one at hand serves one after the other");
    let names: Vec<String> = (0..8).map(|number| format!("many-{number}")).collect();
    let puts = names.iter().map(|name| world.put(name, CONTENT));
    futures::future::try_join_all(puts).await.unwrap();
    let urls = world.calls("b2_get_upload_url");
    assert!(urls <= 7, "8 at once need 7 more, {urls} were fetched");
    let refused =
        world.server.log().iter().filter(|(_, call, status)| call == "b2_upload_file" && *status != 200).count();
    assert_eq!(refused, 0, "an upload URL was used by two at once");
}

/// A URL that is dead is replaced at once, without a wait and without help from outside.
#[tokio::test]
async fn a_dead_upload_url_is_replaced() {
    let world = World::new().await;
    for (name, fault) in [
        ("503", json!({ "call": "b2_upload_file", "what": "status", "status": 503 })),
        ("401", json!({ "call": "b2_upload_file", "what": "status", "status": 401, "code": "expired_auth_token" })),
        ("408", json!({ "call": "b2_upload_file", "what": "status", "status": 408, "code": "request_timeout" })),
        ("cut", json!({ "call": "b2_upload_file", "what": "cut_request" })),
    ] {
        world.server.reset();
        world.fault(fault);
        world.put(name, CONTENT).await.unwrap();
        world.holds(name, CONTENT).await;
        assert_eq!(world.calls("b2_get_upload_url"), 1, "{name}");
        assert_eq!(world.calls("b2_upload_file"), 2, "{name}");
        assert_eq!(world.versions(name), 1, "{name}");
    }
    world.server.expire_uploads();
    world.put("expired", CONTENT).await.unwrap();
    assert_eq!(world.versions("expired"), 1);
}

/// Where the family has used up its URLs and the last one's token has run out, another attempt would still help.
#[tokio::test]
async fn a_token_that_runs_out_last_is_worth_another_attempt() {
    let world = World::new().await;
    world.server.faults(json!([
        { "call": "b2_upload_file", "what": "status", "status": 503, "times": 2 },
        { "call": "b2_upload_file", "what": "status", "status": 401, "code": "expired_auth_token" },
    ]));
    world.retried().put(&key("late"), request(CONTENT), Body::from(CONTENT)).await.unwrap();
    world.holds("late", CONTENT).await;
    assert_eq!(world.versions("late"), 1);
}

#[tokio::test]
async fn an_expired_account_token_is_renewed_once_for_all() {
    let world = World::new().await;
    world.server.expire();
    let stats = (0..16).map(|_| async { world.store.stat(&key("first"), None).await });
    futures::future::try_join_all(stats).await.unwrap();
    assert_eq!(world.calls("b2_authorize_account"), 1);

    // The upload URLs of before are used on; a new one is asked for with a token that has run out.
    world.server.expire();
    world.server.expire_uploads();
    world.put("later", CONTENT).await.unwrap();
    assert_eq!(world.calls("b2_authorize_account"), 2);
}

/// A right that the key does not have is no token that has run out.
#[tokio::test]
async fn a_missing_right_is_not_authorized_for_again() {
    let world = World::new().await;
    let (id, secret) = world.server.restricted(&[&world.bucket], None, &["listBuckets", "listFiles", "writeFiles"]);
    let store = open(&world.server, &world.bucket, (&id, &secret)).await.unwrap();
    world.server.reset();
    let marker = sterna_backends::Deleted { key: key("first"), version: Some("9999999999".into()) };
    let denied = store.delete(&[marker]).await.remove(0).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
    assert_eq!(world.calls("b2_authorize_account"), 0);
    let wrong = open(&world.server, &world.bucket, (&id, "wrong")).await.unwrap_err();
    assert_eq!((wrong.kind(), wrong.is_retryable()), (ErrorKind::Denied, false), "{wrong}");
}

/// A server that does not know version 4 is asked in version 3.
#[tokio::test]
async fn an_older_version_will_do() {
    let world = World::new().await;
    world.fault(json!({ "call": "b2_authorize_account", "what": "status", "status": 404, "code": "not_found" }));
    let (id, secret) = world.server.restricted(&[&world.bucket], None, sterna_servers::b2::EVERYTHING);
    let store = open(&world.server, &world.bucket, (&id, &secret)).await.unwrap();
    assert_eq!(store.get(&key("first")).await.unwrap(), b"first"[..]);
    store.put(&key("a"), request(CONTENT), Body::from(CONTENT)).await.unwrap();
    assert_eq!((world.calls("b2_authorize_account"), world.calls("b2_list_buckets")), (2, 0));
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let world = World::new().await;
    let headers = json!({ "Retry-After": "1" });
    let slow = json!({ "call": "b2_upload_file", "what": "status", "status": 429, "code": "too_many_requests",
        "headers": headers });
    world.fault(slow.clone());
    let error = world.put("a", CONTENT).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Throttled, Some(Duration::from_secs(1))));
    world.server.reset();
    world.fault(slow);
    world.retried().put(&key("a"), request(CONTENT), Body::from(CONTENT)).await.unwrap();
    let log = world.server.log();
    let uploads: Vec<f64> = log.iter().filter(|(_, call, _)| call == "b2_upload_file").map(|(at, ..)| *at).collect();
    let [refused, taken] = uploads[..] else { panic!("{log:?}") };
    assert!(taken - refused >= 1.0, "tried again {} s later", taken - refused);
}

#[tokio::test]
async fn a_cap_is_final() {
    let world = World::new().await;
    for call in ["b2_upload_file", "b2_hide_file", "b2_download_file_by_name", "b2_list_file_names"] {
        world.server.reset();
        world.fault(json!({ "call": call, "what": "status", "status": 403, "code": "transaction_cap_exceeded" }));
        let store = world.retried();
        let error = match call {
            "b2_upload_file" => store.put(&key("a"), request(CONTENT), Body::from(CONTENT)).await.unwrap_err(),
            "b2_hide_file" => store.delete(&[key("first").into()]).await.remove(0).unwrap_err(),
            "b2_list_file_names" => {
                store.list_to_vec(sterna_backends::ListRequest::all("")).await.map(drop).unwrap_err()
            }
            _ => store.read(&key("first"), ReadRequest::default()).await.unwrap_err(),
        };
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Capped, false), "{error}");
        assert!(error.to_string().contains("Caps & Alerts"), "{error}");
        assert_eq!(world.calls(call), 1);
    }
}

/// What was stored is found again before it would be sent again: no second version.
#[tokio::test]
async fn a_lost_answer_makes_no_second_version() {
    let world = World::new().await;
    for what in ["lose_answer", "cut_answer"] {
        for (name, body) in [("bytes", Body::from(CONTENT)), ("stream", streamed(CONTENT))] {
            let name = format!("{what}-{name}");
            world.fault(json!({ "call": "b2_upload_file", "what": what }));
            let entry = world.store.put(&key(&name), request(CONTENT), body).await.unwrap();
            assert_eq!(world.versions(&name), 1, "{name}");
            let stat = world.store.stat(&key(&name), None).await.unwrap();
            assert_eq!((entry.version, entry.modified), (stat.version, stat.modified), "{name}");
            world.holds(&name, CONTENT).await;
        }
    }
    // Even where the look itself fails, and another attempt comes from outside.
    world.fault(json!({ "call": "b2_upload_file", "what": "lose_answer" }));
    world.fault(json!({ "call": "b2_list_file_versions", "what": "status", "status": 500, "code": "internal_error" }));
    world.retried().put(&key("twice"), request(CONTENT), Body::from(CONTENT)).await.unwrap();
    assert_eq!(world.versions("twice"), 1);
    // A version of the same content that says another time is not the one that was sent.
    world.put("touched", CONTENT).await.unwrap();
    world.fault(json!({ "call": "b2_upload_file", "what": "cut_request" }));
    let later = PutRequest { modified: Some(Timestamp::from_parts(1_800_000_000, 0)), ..request(CONTENT) };
    world.store.put(&key("touched"), later, Body::from(CONTENT)).await.unwrap();
    assert_eq!(world.versions("touched"), 2);
}

/// A bit that turned over on the way is noticed by the server, and the content is sent once more.
#[tokio::test]
async fn a_flipped_bit_is_sent_once_more() {
    let world = World::new().await;
    let file = tempfile::tempfile().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    std::os::unix::fs::FileExt::write_all_at(&file, &content, 0).unwrap();
    let file = Arc::new(file);
    for body in [Body::from(CONTENT), Body::file(Arc::clone(&file), 0, content.len() as u64)] {
        world.server.reset();
        world.fault(json!({ "call": "b2_upload_file", "what": "flip" }));
        let size = body.len();
        let request = PutRequest { size, ..PutRequest::default() };
        let entry = world.store.put(&key("flipped"), request, body).await.unwrap();
        assert_eq!(entry.size, size);
        assert_eq!(world.calls("b2_upload_file"), 2);
    }
    world.holds("flipped", &content).await;
    // Once: what is refused twice is not a matter of chance.
    world.server.reset();
    world.fault(json!({ "call": "b2_upload_file", "what": "flip", "times": 9 }));
    assert!(world.put("never", CONTENT).await.is_err());
    assert_eq!((world.calls("b2_upload_file"), world.versions("never")), (2, 0));

    // A stream is not at hand any more: whoever has the content is asked for it, once.
    world.server.reset();
    world.fault(json!({ "call": "b2_upload_file", "what": "flip", "times": 9 }));
    for kind in [ErrorKind::Integrity, ErrorKind::BadRequest, ErrorKind::Integrity] {
        let refused = world.store.put(&key("stream"), request(CONTENT), streamed(CONTENT)).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
    }

    // On the way down the SHA-1 tells.
    world.server.reset();
    world.fault(json!({ "call": "b2_download_file_by_name", "what": "flip" }));
    let error = world.store.get(&key("flipped")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_broke() {
    let world = World::new().await;
    let content: Vec<u8> = (0..2_000_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
    let put = PutRequest { size: Some(content.len() as u64), ..PutRequest::default() };
    world.store.put(&key("big"), put, content.clone().into()).await.unwrap();
    world.fault(json!({ "call": "b2_download_file_by_name", "what": "cut_answer" }));
    let got = world.retried().get(&key("big")).await.unwrap();
    assert!(got == content);
    assert!(world.calls("b2_download_file_by_name") + world.calls("b2_download_file_by_id") >= 2);
}

fn large() -> (Vec<u8>, PutRequest) {
    let content: Vec<u8> = (0..2 * PART + 1_000).map(|at| (at % 251) as u8).collect();
    let digests: Digests =
        [Algorithm::Sha1, Algorithm::Sha256].into_iter().filter_map(|kind| digest::of(kind, &content)).collect();
    let request = PutRequest { size: Some(content.len() as u64), digests, ..PutRequest::default() };
    (content, request)
}

async fn send(store: &dyn Store, token: &UploadToken, content: &[u8], numbers: &[u32]) -> Vec<Part> {
    let mut parts = Vec::new();
    for number in numbers {
        let start = (*number as usize - 1) * PART;
        let part = Bytes::copy_from_slice(&content[start..content.len().min(start + PART)]);
        let sent = store.put_part(token, &PartRequest::new(*number, start as u64), part.into()).await;
        parts.push(sent.expect("faults on the way are made good"));
    }
    parts
}

/// In the middle of a large file every token runs out, a part's answer is lost, a bit turns over, a URL dies.
#[tokio::test]
async fn a_large_file_survives() {
    let world = World::new().await;
    let (content, request) = large();
    let token = world.store.begin(&key("large"), &request).await.unwrap();
    let mut parts = send(&*world.store, &token, &content, &[1]).await;
    world.server.expire();
    world.server.expire_uploads();
    parts.extend(send(&*world.store, &token, &content, &[2]).await);
    world.server.faults(json!([
        { "call": "b2_upload_part", "what": "status", "status": 503 },
        { "call": "b2_upload_part", "what": "lose_answer" },
    ]));
    parts.extend(send(&*world.store, &token, &content, &[3]).await);
    world.fault(json!({ "call": "b2_upload_part", "what": "flip" }));
    let again = send(&*world.store, &token, &content, &[3]).await;
    assert_eq!(again, parts[2..]);
    world.server.expire();
    // The call is refused for its token, made again, and its answer is lost: the file itself says that it is finished.
    world.fault(json!({ "call": "b2_finish_large_file", "what": "lose_answer", "after": 1 }));
    let entry = world.store.complete(&token, &request, &parts).await.unwrap();
    assert_eq!(entry.size, request.size);
    assert_eq!(world.calls("b2_get_file_info"), 1);
    world.holds("large", &content).await;
    assert_eq!(world.versions("large"), 1);
    let file = &world.server.versions(&world.bucket).into_iter().find(|file| file["fileName"] == "large").unwrap();
    let sha1 = digest::of(Algorithm::Sha1, &content).unwrap();
    assert_eq!(file["fileInfo"]["large_file_sha1"], sha1.hex());
    assert_eq!(file["contentSha1"], "none");
    let stat = world.store.stat(&key("large"), None).await.unwrap();
    assert_eq!(stat.digests.get(Algorithm::Sha1), Some(sha1));
    // A repeat is refused by the server, and is done.
    let parts_again = world.store.complete(&token, &request, &parts).await.unwrap();
    assert_eq!(parts_again.version, entry.version);
}

/// Another process finds the upload and its parts, by name.
#[tokio::test]
async fn a_large_file_is_gone_on_with_by_another_process() {
    let world = World::new().await;
    let (content, request) = large();
    let token = world.store.begin(&key("d/large"), &request).await.unwrap();
    send(&*world.store, &token, &content, &[1, 3]).await;
    let other = open(&world.server, &world.bucket, (&world.server.key_id, &world.server.key)).await.unwrap();
    world.server.reset();
    let open_uploads = other.uploads("d/").await.unwrap();
    assert_eq!(open_uploads.iter().map(|upload| &upload.token).collect::<Vec<_>>(), [&token]);
    let mut parts = other.parts(&token).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(parts[0].digests.get(Algorithm::Sha1), digest::of(Algorithm::Sha1, &content[..PART]));
    parts.extend(send(&*other, &token, &content, &[2]).await);
    parts.sort_by_key(|part| part.number);
    other.complete(&token, &request, &parts).await.unwrap();
    assert_eq!(world.calls("b2_upload_part"), 1);
    world.holds("d/large", &content).await;
    // What is given up is gone, and no call is an error.
    let token = world.store.begin(&key("d/large"), &request).await.unwrap();
    send(&*world.store, &token, &content, &[1]).await;
    other.abort(&token).await.unwrap();
    assert_eq!(world.versions("d/large"), 1);
    assert!(world.store.uploads("").await.unwrap().is_empty());
}

#[tokio::test]
async fn copies_stay_inside_the_account() {
    let world = World::new().await;
    let (far_bucket, server) = (world.server.bucket("far"), &world.server);
    let far = open(server, &far_bucket, (&server.key_id, &server.key)).await.unwrap();
    assert!(world.store.shares_domain(&*far));
    let entry = world.put("a", CONTENT).await.unwrap();
    let mut source = world.store.copy_source(&key("a")).unwrap();
    server.reset();
    far.copy(&source, &key("b"), PutRequest::default()).await.unwrap();
    source.version = entry.version.clone();
    let same_time = PutRequest { modified: entry.modified, ..PutRequest::default() };
    far.copy(&source, &key("c"), same_time).await.unwrap();
    for name in ["b", "c"] {
        assert_eq!(far.get(&key(name)).await.unwrap(), CONTENT);
        assert_eq!(far.stat(&key(name), None).await.unwrap().modified, entry.modified);
    }
    assert_eq!((world.calls("b2_copy_file"), world.calls("b2_upload_file")), (2, 0));
    // A copy whose answer was lost is found again, too.
    world.fault(json!({ "call": "b2_copy_file", "what": "lose_answer" }));
    let known = PutRequest { modified: entry.modified, digests: entry.digests.clone(), ..PutRequest::default() };
    far.copy(&source, &key("d"), known).await.unwrap();
    assert_eq!(server.versions(&far_bucket).iter().filter(|file| file["fileName"] == "d").count(), 1);
    // A key for one bucket is of another domain: it reads nothing elsewhere.
    let (id, secret) = server.restricted(&[&far_bucket], None, sterna_servers::b2::EVERYTHING);
    let own = open(server, &far_bucket, (&id, &secret)).await.unwrap();
    assert!(!world.store.shares_domain(&*own));
}

#[tokio::test]
async fn a_restricted_key_works_inside_its_bounds() {
    let world = World::new().await;
    let rights = &["listBuckets", "listFiles", "readFiles", "writeFiles"];
    let (id, secret) = world.server.restricted(&[&world.bucket], Some("mine/"), rights);
    world.put("other/a", CONTENT).await.unwrap();
    world.server.reset();
    let store = open(&world.server, &world.bucket, (&id, &secret)).await.unwrap();
    store.put(&key("mine/a"), request(CONTENT), Body::from(CONTENT)).await.unwrap();
    assert_eq!(world.calls("b2_list_buckets"), 0, "the key knows its bucket");
    for prefix in ["", "mine/", "mine/a"] {
        let listed = store.list_to_vec(sterna_backends::ListRequest::all(prefix)).await.unwrap();
        assert_eq!(listed.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["mine/a"], "{prefix:?}");
    }
    let level = store.list_to_vec(sterna_backends::ListRequest::level("")).await.unwrap();
    assert_eq!(level.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["mine/"]);
    let outside = store.put(&key("other/b"), request(CONTENT), Body::from(CONTENT)).await.unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::Denied, "{outside}");
    let listed = store.list_to_vec(sterna_backends::ListRequest::all("other/")).await.unwrap_err();
    assert_eq!(listed.kind(), ErrorKind::Denied, "{listed}");
    // Without deleteFiles it still hides, and destroys nothing.
    store.delete(&[key("mine/a").into()]).await.remove(0).unwrap();
    assert_eq!(world.versions("mine/a"), 2);
}
