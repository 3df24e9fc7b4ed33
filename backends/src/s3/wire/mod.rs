//! The lean wire: listing, reading, writing and copying go through it, all else through the SDK.
//!
//! Measured on two busy cores against one local server, the SDK costs two to four times the CPU of a bare signing
//! loop on these calls. Credentials, connections and error words are the same on both ways, and neither repeats a
//! request: that is the `retry` layer's part.

pub(super) mod credentials;
pub(super) mod encode;
pub(super) mod endpoint;
mod name;
mod resolve;
pub(super) mod sign;
pub(super) mod transport;
pub(super) mod xml;

use std::{
    borrow::Cow,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use credentials::Credentials;
use endpoint::Endpoint;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body::Body as _;
use hyper::body::Incoming;
use sign::Payload;
use transport::Transport;

use super::fault::{Fault, fault_of, no_answer};
use crate::{
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    web::body::{self, Failure, Outgoing},
};

/// The largest answer that is read as a whole, in bytes: a page of 1,000 entries with keys of 1,024 bytes, each
/// octet of them percent-encoded, is 4 MiB.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The largest error body that is read.
const MAX_FAULT: usize = 256 * 1024;

/// Signs and sends.
#[derive(Debug)]
pub(super) struct Wire {
    /// Shared with the SDK.
    pub transport: Transport,
    /// The bucket's place.
    pub endpoint: Endpoint,
    /// Who asks.
    pub credentials: Credentials,
    /// What the signature names.
    pub region: String,
    /// Added to every call: `x-amz-request-payer`.
    pub requester_pays: bool,
    /// Seconds the server's clock is ahead of ours, as its last complaint showed.
    pub skew: AtomicI64,
}

/// One request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// For errors.
    pub operation: Operation,
    pub method: Method,
    /// `None`: the bucket itself.
    pub key: Option<&'a Key>,
    pub query: Vec<(&'static str, Cow<'a, str>)>,
    /// Signed, all of them.
    pub headers: HeaderMap,
}

impl<'a> Call<'a> {
    /// A call without query and headers.
    pub fn new(operation: Operation, method: Method, key: Option<&'a Key>) -> Self {
        Self { operation, method, key, query: Vec::new(), headers: HeaderMap::new() }
    }

    /// Adds a parameter.
    pub fn query(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        self.query.push((name, value.into()));
    }

    /// Adds a header; text that is no header value is encoded.
    pub fn header(&mut self, name: &'static str, value: &str) {
        self.headers.insert(HeaderName::from_static(name), encode::header_value(value));
    }
}

impl Wire {
    /// Sends a call without a body and takes an answer of success.
    ///
    /// # Errors
    /// What the server refused, or what stopped the call.
    pub async fn send(&self, call: Call<'_>) -> Result<Response<Incoming>> {
        self.send_body(call, Payload::Empty, Outgoing::empty(), &Failure::default()).await
    }

    /// Sends a call with a body. `failure` is where the body leaves its own error.
    ///
    /// # Errors
    /// What the body reported; what the server refused, or what stopped the call.
    pub async fn send_body(
        &self,
        call: Call<'_>,
        payload: Payload,
        body: Outgoing,
        failure: &Failure,
    ) -> Result<Response<Incoming>> {
        let operation = call.operation;
        let request = self.request(call, payload, body).await?;
        let answer = self.transport.send(request).await;
        // A server may answer (with a refusal) before the body failed, or because it did: our own error is the cause.
        if let Some(error) = failure.take() {
            return Err(error);
        }
        let answer = answer.map_err(|error| no_answer(operation, error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.refusal(operation, answer).await)
    }

    /// Sends a call and takes the whole answer, of at most 16 MiB.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub async fn send_collect(&self, call: Call<'_>) -> Result<(HeaderMap, bytes::Bytes)> {
        let (head, body) = self.send(call).await?.into_parts();
        Ok((head.headers, body::collect(body, MAX_ANSWER).await?))
    }

    async fn request(&self, call: Call<'_>, payload: Payload, body: Outgoing) -> Result<Request<Outgoing>> {
        let Call { operation, method, key, mut query, mut headers } = call;
        let refuse = |error: http::Error| Error::new(ErrorKind::BadRequest, operation).because(error);
        let mut target = self.endpoint.url(key.map(Key::as_str));
        if !query.is_empty() {
            target.push('?');
            target.push_str(&encode::query(&mut query));
        }
        headers.insert(header::HOST, self.endpoint.host.clone());
        if self.requester_pays {
            headers.insert(HeaderName::from_static("x-amz-request-payer"), HeaderValue::from_static("requester"));
        }
        if let Some(key) = self.credentials.signing_key(operation).await? {
            let request = sign::Request { method: method.as_str(), uri: &target, payload };
            key.sign(&self.region, self.now(), request, &mut headers)
                .map_err(|error| Error::new(ErrorKind::Config, operation).because(error))?;
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("sterna/", env!("CARGO_PKG_VERSION"))));
        // Some servers want to be told even of no bytes.
        if matches!(method, Method::PUT | Method::POST)
            && let Some(length) = body.size_hint().exact()
        {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let uri: Uri = target.parse().map_err(|error: http::uri::InvalidUri| refuse(error.into()))?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(operation);
        Ok(request)
    }

    fn now(&self) -> SystemTime {
        let skew = self.skew.load(Ordering::Relaxed);
        let distance = Duration::from_secs(skew.unsigned_abs());
        if skew >= 0 { SystemTime::now() + distance } else { SystemTime::now() - distance }
    }

    async fn refusal(&self, operation: Operation, answer: Response<Incoming>) -> Error {
        let (head, body) = answer.into_parts();
        // A refusal that cannot be read to its end is still one.
        let body = body::collect(body, MAX_FAULT).await.unwrap_or_default();
        let error = Fault::new(head.status, &head.headers, &body).into_error(operation);
        match fault_of(&error).map(|fault| fault.code.as_str()) {
            Some("RequestTimeTooSkewed") if self.learn_skew(&head.headers) => error.retryable(true),
            Some("ExpiredToken") => {
                self.credentials.forget();
                error.retryable(true)
            }
            _ => error,
        }
    }

    /// Whether the server's `Date` told a distance that we did not know yet.
    fn learn_skew(&self, headers: &HeaderMap) -> bool {
        let date = headers.get(header::DATE).and_then(|value| value.to_str().ok());
        let Some(theirs) = date.and_then(super::headers::http_date) else { return false };
        let Ok(ours) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let skew = theirs.seconds() - i64::try_from(ours.as_secs()).unwrap_or(0);
        let known = self.skew.swap(skew, Ordering::Relaxed);
        skew.abs_diff(known) > 60
    }
}
