//! The HTTP client of a store.

use std::{
    fmt,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::Url;

use super::{
    body::{BoxError, Failure, Outgoing, collect},
    headers::text,
    patience::{Activity, CONNECT_TIMEOUT, IDLE_TIMEOUT, KEEP_ALIVE, Timed, objection, timeout_or_unavailable},
    status::Refused,
    tls,
};
use crate::{
    body::Body,
    error::{Error, ErrorKind, Operation, Result},
    registry::{OptionSpec, Remote},
    request::Ledger,
};

/// The option [`Web::new`] reads.
pub(crate) const CA_FILE: OptionSpec = OptionSpec::text("ca_file", "PEM certificates to trust beside the system's");

/// The largest error body that is read, in bytes.
const MAX_FAULT: usize = 64 * 1024;

/// Sends requests over connections that are kept. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Web {
    client: reqwest::Client,
    ledger: Arc<Ledger>,
    name: Name,
}

/// What a request is called in price lists.
pub(crate) type Name = fn(&Call) -> &'static str;

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    /// For errors.
    pub operation: Operation,
    pub method: Method,
    pub url: Url,
    /// A `Content-Length` is set from the body, where its length is known.
    pub headers: HeaderMap,
    /// How long nothing may move: [`IDLE_TIMEOUT`], or more where the server has long work to do.
    pub patience: Duration,
}

impl Call {
    /// A call without headers.
    pub fn new(operation: Operation, method: Method, url: Url) -> Self {
        Self { operation, method, url, headers: HeaderMap::new(), patience: IDLE_TIMEOUT }
    }

    /// The same once more.
    pub fn again(&self) -> Self {
        Self { method: self.method.clone(), url: self.url.clone(), headers: self.headers.clone(), ..*self }
    }

    /// Adds a header; what cannot stand in one is left out.
    pub fn header(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// An answer of any status, its body still to come: see [`collect`] and [`coalesced`](super::body::coalesced).
pub(crate) type Answer = Response<reqwest::Body>;

/// Why no answer came. It names the server; the address as a whole may hold more than is to be shown.
#[derive(Debug, thiserror::Error)]
#[error("{server}")]
struct NoAnswer {
    server: String,
    source: BoxError,
}

impl Web {
    /// With the certificates `remote` names in [`CA_FILE`]. `tls`: whether `https` will be spoken at all; reading the
    /// system's certificates takes some milliseconds. `name`: how its requests are counted. No proxy is used.
    ///
    /// # Errors
    /// `Config` for certificates that cannot be read.
    pub fn new(remote: &Remote, tls: bool, name: Name) -> Result<Self> {
        Self::plain(&remote.name, tls, remote.text(CA_FILE.name).map(Path::new), name)
    }

    /// For what is called `of` in errors, with the certificates of `ca_file`. As [`Web::new`].
    ///
    /// # Errors
    /// As [`Web::new`].
    pub fn plain(of: &str, tls: bool, ca_file: Option<&Path>, name: Name) -> Result<Self> {
        let config = tls::tls_config(tls, ca_file)
            .map_err(|error| Error::new(ErrorKind::Config, Operation::Open).of(of).because(error))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .tcp_keepalive(IDLE_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(KEEP_ALIVE)
            .user_agent(concat!("sterna/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::new(ErrorKind::Config, Operation::Open).of(of).because(error))?;
        Ok(Self { client, ledger: Arc::default(), name })
    }

    /// What was sent.
    #[cfg(any(feature = "b2", feature = "webdav", feature = "http"))]
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// Sends a call without a body. An answer of any status is an answer.
    ///
    /// # Errors
    /// `Unavailable` and `Timeout` where none came.
    pub async fn send(&self, call: Call) -> Result<Answer> {
        self.send_outgoing(call, None, &Failure::default()).await
    }

    /// Sends a call with a body, streamed: with its length where that is known, in chunks where it is not. An answer of
    /// any status is an answer.
    ///
    /// # Errors
    /// What the body reported; else as [`Web::send`].
    pub async fn send_body(&self, call: Call, body: Body) -> Result<Answer> {
        let (outgoing, failure) = Outgoing::new(body);
        self.send_outgoing(call, Some(outgoing.primed().await?), &failure).await
    }

    /// As [`Web::send_body`], for a body that was made before; `failure` is where it leaves its own error.
    ///
    /// # Errors
    /// As [`Web::send_body`].
    pub async fn send_outgoing(&self, call: Call, body: Option<Outgoing>, failure: &Failure) -> Result<Answer> {
        self.ledger.count(call.operation, (self.name)(&call));
        let Call { operation, method, url, headers, patience } = call;
        let mut server = server(&url);
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        let activity = Activity::new();
        if let Some(body) = body {
            if matches!(&body, Outgoing::Bytes(bytes) if bytes.is_empty()) {
                // hyper takes it for no body at all, and servers that wait for one refuse that: nginx with 500, WsgiDAV 4.0 with 411.
                request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            let timed = Timed { body, activity: activity.clone() };
            *request.body_mut() = Some(reqwest::Body::wrap(Synced(Mutex::new(timed))));
        }
        let answer = activity.unless_idle(patience, self.client.execute(request)).await;
        // A server may answer (with a refusal) before the body failed, or because it did: our own error is the cause.
        if let Some(error) = failure.take() {
            return Err(error);
        }
        let none = |kind, server, source| Error::new(kind, operation).because(NoAnswer { server, source });
        match answer {
            Ok(Ok(answer)) => Ok(answer.into()),
            Ok(Err(error)) => {
                let kind = if error.is_timeout() {
                    ErrorKind::Timeout
                } else if error.is_builder() {
                    ErrorKind::BadRequest
                } else {
                    timeout_or_unavailable(&error)
                };
                let objection = objection(&error);
                server.push_str(objection.unwrap_or_default());
                let retryable = kind.is_transient() && objection.is_none();
                Err(none(kind, server, error.without_url().into()).retryable(retryable))
            }
            Err(idle) => Err(none(ErrorKind::Timeout, server, idle.into())),
        }
    }
}

/// An answer that is no success, as an error by its status. Plain text is passed on to people, pages are not.
pub(crate) async fn refusal(operation: Operation, answer: Answer) -> Error {
    let (head, body) = answer.into_parts();
    let is_text = text(&head.headers, http::header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/plain"));
    // A refusal that cannot be read to its end is still one.
    let said = collect(body, MAX_FAULT).await.unwrap_or_default();
    let said = if is_text { brief(&said) } else { String::new() };
    Refused { status: head.status.as_u16(), said, request_id: None }.into_error(operation, &head.headers)
}

/// The first line, or the beginning of it.
fn brief(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.trim().lines().next().unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// `host:port`.
fn server(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

/// reqwest wants bodies that several threads may look at, though one at a time does.
struct Synced(Mutex<Timed>);

impl HttpBody for Synced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
