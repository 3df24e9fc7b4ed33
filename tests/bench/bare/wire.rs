//! One bucket over the HTTP client that sterna has, with its settings, and the SDK's signer: no retries, no checks.

use std::{error::Error, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Any failure ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What is sent.
pub type Outgoing = UnsyncBoxBody<Bytes, std::io::Error>;

/// Bytes in memory as a body.
pub fn full(bytes: Bytes) -> Outgoing {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Chunks as a body.
pub fn streamed(chunks: impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Outgoing {
    use futures::TryStreamExt;
    StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync()
}

/// A bucket.
pub struct Bucket {
    client: Client<HttpConnector, Outgoing>,
    endpoint: String,
    bucket: String,
    identity: Identity,
}

impl Bucket {
    /// `URL KEY:SECRET BUCKET`, separated by spaces.
    pub fn named(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [endpoint, keys, bucket] = words[..] else { return Err(format!("no bucket: {text}").into()) };
        let (id, secret) = keys.split_once(':').ok_or("no keys")?;
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).http1_max_buf_size(128 * 1024).build(http);
        let identity = Credentials::new(id, secret, None, None, "bare").into();
        Ok(Self { client, endpoint: endpoint.to_owned(), bucket: bucket.to_owned(), identity })
    }

    /// How a copy names an object of this bucket.
    pub fn source(&self, key: &str) -> String {
        format!("/{}/{key}", self.bucket)
    }

    /// One request. `sha256`: of the body, in hexadecimal; else the payload is unsigned. Keys and queries are taken as
    /// they stand: those of the benchmark need no encoding.
    pub async fn send(
        &self,
        (method, key, query): (Method, &str, &str),
        headers: HeaderMap,
        sha256: Option<&str>,
        (length, body): (u64, Outgoing),
    ) -> Result<Response<Incoming>> {
        let path = if key.is_empty() { String::new() } else { format!("/{key}") };
        let uri = format!("{}/{}{path}{}{query}", self.endpoint, self.bucket, if query.is_empty() { "" } else { "?" });
        let mut request = Request::builder().method(method).uri(&uri).body(body)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert("content-length", length.into());
        let authority = request.uri().authority().ok_or("no host")?.to_string();
        request.headers_mut().insert("host", authority.parse()?);
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region("us-east-1")
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let payload = sha256.map_or(SignableBody::UnsignedPayload, |hex| SignableBody::Precomputed(hex.to_owned()));
        let named: Vec<(&str, &str)> =
            request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let signable = SignableRequest::new(request.method().as_str(), &uri, named.into_iter(), payload)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let answer = self.client.request(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        Err(format!("{status} {uri}: {}", String::from_utf8_lossy(&said)).into())
    }

    /// A request without headers or body; the whole answer.
    pub async fn ask(&self, call: (Method, &str, &str), headers: HeaderMap) -> Result<(HeaderMap, Bytes)> {
        self.tell(call, headers, None, Bytes::new()).await
    }

    /// A request with a small body; the whole answer.
    pub async fn tell(
        &self,
        call: (Method, &str, &str),
        headers: HeaderMap,
        sha256: Option<&str>,
        body: Bytes,
    ) -> Result<(HeaderMap, Bytes)> {
        let answer = self.send(call, headers, sha256, (body.len() as u64, full(body))).await?;
        let (head, body) = answer.into_parts();
        Ok((head.headers, body.collect().await?.to_bytes()))
    }

    /// All keys and sizes, page after page.
    pub async fn list(&self) -> Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let after = if token.is_empty() { String::new() } else { format!("continuation-token={token}&") };
            let (_, page) = self.ask((Method::GET, "", &format!("{after}list-type=2")), HeaderMap::new()).await?;
            let page = std::str::from_utf8(&page)?;
            for object in page.split("<Contents>").skip(1) {
                found.push((element(object, "Key").to_owned(), element(object, "Size").parse()?));
            }
            if element(page, "IsTruncated") != "true" {
                return Ok(found);
            }
            token = element(page, "NextContinuationToken").replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
        }
    }
}

/// The text of the first element of that name; empty where there is none.
pub fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let open = format!("<{name}>");
    let Some(at) = xml.find(&open) else { return "" };
    let rest = &xml[at + open.len()..];
    &rest[..rest.find('<').unwrap_or(rest.len())]
}
