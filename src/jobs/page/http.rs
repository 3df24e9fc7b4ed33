//! The server of the page: hyper, with bounds on what a stranger may send and how long he may take.
//!
//! A handler is a function from a whole request to a whole answer.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

/// What was asked, and by whom.
pub type Request = http::Request<Bytes>;

/// What is answered.
pub type Response = http::Response<Bytes>;

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// The longest body, in bytes: a form of two fields.
const LONGEST_BODY: usize = 16 * 1024;

/// How long a client may take to send a head, and again a body.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a connection may live: no client keeps a place for ever by reading slowly.
const LIFE: Duration = Duration::from_secs(300);

/// Connections served at once; more wait in the system's queue.
const CONNECTIONS: usize = 64;

/// How long to wait where the system has no descriptor for one more connection.
const BREATH: Duration = Duration::from_millis(100);

/// Somebody who answers requests; an answer is whole when it is given.
pub trait Handler: Send + Sync + 'static {
    /// The answer to `request`. It may wait, for a file or for a lock: it is asked on a thread of its own.
    fn answer(&self, request: Request) -> Response;
}

/// Answers whoever connects, for as long as it is polled; dropped, it hangs up on everybody.
///
/// A request has the address of its sender among its extensions.
pub async fn serve(listener: TcpListener, handler: Arc<impl Handler>) -> Infallible {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut visitors = JoinSet::new();
    loop {
        while visitors.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            unreachable!("nobody closes the semaphore");
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let handler = Arc::clone(&handler);
                visitors.spawn(async move {
                    let _place = place;
                    // A client that went away, or takes too long, has nobody to tell.
                    let _gone = timeout(LIFE, converse(stream, from, handler)).await;
                });
            }
            Err(_) => sleep(BREATH).await,
        }
    }
}

async fn converse(stream: TcpStream, from: SocketAddr, handler: Arc<impl Handler>) -> hyper::Result<()> {
    let answer = service_fn(|request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(answer(request, from, handler).await.map(Full::new)) }
    });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEAD).half_close(true);
    connection.serve_connection(TokioIo::new(stream), answer).await
}

async fn answer(request: http::Request<Incoming>, from: SocketAddr, handler: Arc<impl Handler>) -> Response {
    // A target with a host in it is for proxies, and would go past the look at the Host header.
    if request.uri().authority().is_some() || *request.method() == Method::CONNECT {
        return plain(StatusCode::BAD_REQUEST);
    }
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > LONGEST_BODY as u64 {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = match timeout(PATIENCE, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return plain(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT),
    };
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(from);
    let answered = spawn_blocking(move || handler.answer(request)).await;
    answered.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

/// An answer that says no more than its status; what else the client sends is not waited for.
fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::from(format!("{status}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, http::HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Echo;

    impl Handler for Echo {
        fn answer(&self, request: Request) -> Response {
            let text = format!("{} {} {:?}", request.method(), request.uri(), request.body());
            Response::new(text.into())
        }
    }

    /// What the server answers to these bytes.
    async fn answer(sent: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Echo)));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        server.abort();
        text
    }

    #[tokio::test]
    async fn requests_are_read_whole() {
        let text = answer(b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nGET /a?b b\"\""), "{text}");
        let text = answer(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").await;
        assert!(text.ends_with("POST /a b\"abc\""), "{text}");
        let text = answer(b"HEAD / HTTP/1.1\r\n\r\n").await;
        assert!(text.contains("content-length: 10\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }

    #[tokio::test]
    async fn what_could_be_read_in_two_ways_is_refused() {
        for (sent, status) in [
            ("nonsense\r\n\r\n", 400),
            ("GET http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
            ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        ] {
            let text = answer(sent.as_bytes()).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{sent}: {text}");
        }
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(LONGEST_HEAD));
        assert!(answer(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
        assert_eq!(answer(b"GET / HTT").await, "", "half a request is no request");
    }
}
