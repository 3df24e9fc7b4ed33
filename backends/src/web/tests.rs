use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    body::coalesced,
    checked::checked,
    client::{Answer, Call, Web, refusal},
    site::{Site, succeeded},
};
use crate::{
    body::Body,
    error::{Error, ErrorKind, Operation, Result},
    registry::{Remote, Value, family},
    secret::Secret,
};

fn web() -> Web {
    let remote = Remote::new("test", family("memory").unwrap(), BTreeMap::new()).unwrap();
    Web::new(&remote, false, |_| "other").unwrap()
}

fn call(port: u16, method: Method) -> Call {
    let url = format!("http://127.0.0.1:{port}/a").parse().unwrap();
    Call::new(Operation::Read, method, url)
}

/// A server that reads until it has seen `until`, answers `answer` and hangs up; what it read.
async fn once(until: &'static str, answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(until) && socket.read_buf(&mut seen).await.unwrap() > 0 {}
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&seen).into_owned()
    });
    (port, served)
}

fn pieces(len: Option<u64>, chunks: Vec<Result<Bytes>>) -> Body {
    Body::stream(len, stream::iter(chunks).boxed())
}

#[tokio::test]
async fn a_refused_connection_names_the_server() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = web().send(call(port, Method::GET)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}: ")), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_body_is_streamed_with_its_length_or_in_chunks() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let chunks = || vec![Ok(Bytes::from_static(b"hello ")), Ok(Bytes::from_static(b"world"))];
    let (port, seen) = once("world", ok).await;
    web().send_body(call(port, Method::PUT), pieces(Some(11), chunks())).await.unwrap();
    assert!(seen.await.unwrap().contains("content-length: 11\r\n"));
    let (port, seen) = once("\r\n0\r\n\r\n", ok).await;
    web().send_body(call(port, Method::PUT), pieces(None, chunks())).await.unwrap();
    assert!(seen.await.unwrap().contains("transfer-encoding: chunked\r\n"));
    let (port, seen) = once("bytes", ok).await;
    web().send_body(call(port, Method::PUT), Body::from(&b"bytes"[..])).await.unwrap();
    assert!(seen.await.unwrap().contains("content-length: 5\r\n"));
}

#[tokio::test]
async fn a_body_that_fails_is_the_cause() {
    let (port, _seen) = once("never", "").await;
    let chunks = vec![
        Ok(Bytes::from_static(b"hello ")),
        Err(Error::new(ErrorKind::Changed, Operation::Read).because("the cat")),
    ];
    let error = web().send_body(call(port, Method::PUT), pieces(Some(11), chunks)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
}

async fn drained(answer: Answer, len: u64) -> Result<u64> {
    checked(coalesced(answer.into_body()), len, None)
        .try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len() as u64) })
        .await
}

#[tokio::test]
async fn a_cut_answer_is_an_error() {
    let (port, _seen) = once("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
    let answer = web().send(call(port, Method::GET)).await.unwrap();
    assert_eq!(drained(answer, 10).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (port, _seen) = once("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let answer = web().send(call(port, Method::GET)).await.unwrap();
    assert_eq!(drained(answer, 5).await.unwrap(), 5);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_a_refusal_an_error() {
    let (port, seen) = once("\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n").await;
    let mut call = call(port, Method::GET);
    call.headers.insert("authorization", "Basic x".parse().unwrap());
    let answer = web().send(call).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert!(seen.await.unwrap().contains("authorization"));
    assert_eq!(refusal(Operation::Read, answer).await.kind(), ErrorKind::Config);
    let answer = "HTTP/1.1 429 No\r\nRetry-After: 2\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nslow down";
    let (port, _seen) = once("\r\n\r\n", answer).await;
    let error = refusal(Operation::Put, web().send(self::call(port, Method::GET)).await.unwrap()).await;
    assert_eq!((error.kind(), error.retry_after().map(|wait| wait.as_secs())), (ErrorKind::Throttled, Some(2)));
    assert!(error.to_string().ends_with("slow down"), "{error}");
}

/// A redirect to another server is followed without what is meant for the first one; within it, with all of it.
#[tokio::test]
async fn credentials_stay_at_home() {
    let options = [("user", "tern"), ("password", "hush"), ("headers", "X-Key: k1\nCookie: a=b; c=d")];
    let value = |text: &str| Value::Secret(Secret::new(text));
    let options = options.into_iter().map(|(name, text)| (name.to_owned(), value(text))).collect();
    let remote = Remote::new("dav", family("webdav").unwrap(), options).unwrap();
    let (port, other) = once("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let mut heads = Vec::new();
        for to in ["/there".to_owned(), format!("http://127.0.0.1:{port}/away")] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") && socket.read_buf(&mut seen).await.unwrap() > 0 {}
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            heads.push(String::from_utf8(seen).unwrap());
        }
        heads
    });
    let site = Site::new(&remote, &format!("http://127.0.0.1:{home}/").parse().unwrap(), |_| "other").unwrap();
    let (answer, from) = site.fetch(call(home, Method::GET), None).await.unwrap();
    assert_eq!((answer.status().as_u16(), from.path()), (200, "/away"));
    let (heads, away) = (served.await.unwrap(), other.await.unwrap());
    for own in ["authorization: Basic", "x-key: k1", "cookie: a=b; c=d"] {
        assert!(heads.iter().all(|head| head.contains(own)), "{own}: {heads:?}");
        assert!(!away.contains(own.split(':').next().unwrap()), "{away}");
    }
    // What changes something is not sent on.
    let (port, _seen) =
        once("\r\n\r\n", "HTTP/1.1 307 On\r\nLocation: http://elsewhere/x\r\nContent-Length: 0\r\n\r\n").await;
    let answer = site.send(call(port, Method::DELETE), None).await.unwrap();
    let error = succeeded(Operation::Delete, answer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("http://elsewhere/x"), "{error}");
}
