//! HTTP/1.1 as far as a status page needs it: one request a connection, whole bodies, nothing kept open.
//!
//! Heads are read by `httparse`, and the types are those of the `http` crate, which every framework speaks: one can take this
//! file's place without another being touched. `docs/decisions/0017-a-page-without-a-framework.md` says why none does.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
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

/// Headers in a request.
const HEADERS: usize = 64;

/// How long a client may take to send its request, and again to take the answer.
const PATIENCE: Duration = Duration::from_secs(20);

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
                    // A client that went away has nobody to tell.
                    let _gone = converse(stream, from, handler).await;
                });
            }
            Err(_) => sleep(BREATH).await,
        }
    }
}

async fn converse(mut stream: TcpStream, from: SocketAddr, handler: Arc<impl Handler>) -> io::Result<()> {
    let asked = match timeout(PATIENCE, receive(&mut stream)).await {
        Ok(asked) => asked,
        Err(_) => Err(Refusal::Slow),
    };
    let (response, bodiless) = match asked {
        Ok(mut request) => {
            request.extensions_mut().insert(from);
            let bodiless = request.method() == Method::HEAD;
            let answered = spawn_blocking(move || handler.answer(request)).await;
            (answered.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR)), bodiless)
        }
        Err(Refusal::Gone) => return Ok(()),
        Err(refusal) => (refusal.response(), false),
    };
    match timeout(PATIENCE, send(&mut stream, &response, bodiless)).await {
        Ok(sent) => sent,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Malformed,
    HeadTooLong,
    BodyTooLong,
    NoLength,
    Slow,
    Gone,
}

impl Refusal {
    fn response(self) -> Response {
        let status = match self {
            Self::Malformed | Self::Gone => StatusCode::BAD_REQUEST,
            Self::HeadTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoLength => StatusCode::LENGTH_REQUIRED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
        };
        plain(status)
    }
}

/// An answer that says no more than its status.
fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::from(format!("{status}\n")));
    *response.status_mut() = status;
    response
}

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

async fn receive(stream: &mut TcpStream) -> Result<Request, Refusal> {
    let mut received = Vec::with_capacity(2048);
    let (head, length) = loop {
        if let Some(read) = head(&received)? {
            break read;
        }
        if received.len() >= LONGEST_HEAD {
            return Err(Refusal::HeadTooLong);
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(Refusal::Gone);
        }
    };
    let body = body_length(&head)?;
    while received.len() < length + body {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(Refusal::Gone);
        }
    }
    let body = Bytes::copy_from_slice(&received[length..length + body]);
    Ok(head.map(|()| body))
}

/// The head that `received` begins with, and its length; `None` where more of it is to come.
fn head(received: &[u8]) -> Result<Option<(http::Request<()>, usize)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(_) => return Err(Refusal::Malformed),
    };
    let mut head = http::Request::new(());
    let malformed = |_| Refusal::Malformed;
    *head.method_mut() = parsed.method.unwrap_or_default().parse().map_err(|_| Refusal::Malformed)?;
    let uri: Uri = parsed.path.unwrap_or_default().parse().map_err(|_| Refusal::Malformed)?;
    // A target with a host in it is for proxies, and would go past the look at the Host header.
    if uri.authority().is_some() {
        return Err(Refusal::Malformed);
    }
    *head.uri_mut() = uri;
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Refusal::Malformed)?;
        head.headers_mut().append(name, HeaderValue::from_bytes(header.value).map_err(malformed)?);
    }
    Ok(Some((head, length)))
}

/// How long the body is: as long as one `Content-Length` says.
fn body_length(head: &http::Request<()>) -> Result<usize, Refusal> {
    if head.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::NoLength);
    }
    let mut lengths = head.headers().get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) if head.method() == Method::POST => Err(Refusal::NoLength),
        (None, _) => Ok(0),
        (Some(length), None) => {
            let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|digits| digits.parse().ok()).ok_or(Refusal::Malformed)?;
            if length > LONGEST_BODY { Err(Refusal::BodyTooLong) } else { Ok(length) }
        }
        (Some(_), Some(_)) => Err(Refusal::Malformed),
    }
}

async fn send(stream: &mut TcpStream, response: &Response, bodiless: bool) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(
        format!("content-length: {}\r\nconnection: close\r\n\r\n", response.body().len()).as_bytes(),
    );
    stream.write_all(&head).await?;
    if !bodiless {
        stream.write_all(response.body()).await?;
    }
    stream.shutdown().await?;
    // What the client still sends is read, so that the system does not take back the answer; not without end.
    let mut rest = stream.take(LONGEST_BODY as u64);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.map(|_| ())
}

#[cfg(test)]
mod tests {
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
            ("POST / HTTP/1.1\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 411),
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
