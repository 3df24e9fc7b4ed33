//! The one HTTP client of a store: the SDK and our own wire share its connections, its certificates and its
//! patience.

use std::{
    fmt, io,
    path::Path,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector as SdkConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    shared::IntoShared,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::body::Outgoing;
use crate::error::ErrorKind;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may move in either direction.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Unused connections are closed before the usual server does it: a request sent into a closing one is lost.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes hyper reads at once, at most; it grows to this only where they come fast.
const READ_BUFFER: usize = 128 * 1024;

/// Connections to servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Timed>,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("nothing moved for {} seconds", IDLE_TIMEOUT.as_secs())]
    Idle,
    #[error(transparent)]
    Http(#[from] hyper_util::client::legacy::Error),
}

impl NoAnswer {
    /// `Timeout` or `Unavailable`.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Idle => ErrorKind::Timeout,
            Self::Http(error) => timeout_or_unavailable(error),
        }
    }
}

/// A connection that took too long is an `io::Error` somewhere among the causes.
fn timeout_or_unavailable(error: &(dyn std::error::Error + 'static)) -> ErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return ErrorKind::Timeout;
        }
        cause = error.source();
    }
    ErrorKind::Unavailable
}

/// Why certificates could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCertificates {
    #[error("no certificates of this system were found; SSL_CERT_FILE may name them")]
    None,
    #[error("{path}: {source}")]
    File { path: String, source: rustls_pki_types::pem::Error },
    #[error("{path} holds no certificate")]
    Empty { path: String },
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl Transport {
    /// `tls`: whether `https` will be spoken at all; reading the system's certificates takes some milliseconds.
    /// `ca_file`: PEM certificates trusted beside them.
    pub fn new(tls: bool, ca_file: Option<&Path>) -> Result<Self, NoCertificates> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_keepalive(Some(IDLE_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(tls, ca_file)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_ALIVE)
            .http1_max_buf_size(READ_BUFFER)
            .build(https);
        Ok(Self { client })
    }

    /// Sends one request; an answer of any status is an answer. Nothing is sent again, but for a request that
    /// found its connection closed before a byte of it was written.
    pub async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, NoAnswer> {
        let activity = Activity::new();
        let request = request.map(|body| Timed { body, activity: activity.clone() });
        let mut answer = pin!(self.client.request(request));
        let mut patience = pin!(tokio::time::sleep(IDLE_TIMEOUT));
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer.map_err(NoAnswer::Http),
                () = &mut patience => match IDLE_TIMEOUT.checked_sub(activity.age()) {
                    None | Some(Duration::ZERO) => return Err(NoAnswer::Idle),
                    Some(left) => patience.as_mut().reset(tokio::time::Instant::now() + left),
                },
            }
        }
    }
}

fn tls_config(tls: bool, ca_file: Option<&Path>) -> Result<rustls::ClientConfig, NoCertificates> {
    let mut roots = rustls::RootCertStore::empty();
    if tls {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = ca_file {
        let shown = || path.display().to_string();
        let file = |source| NoCertificates::File { path: shown(), source };
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(file)? {
            roots.add(certificate.map_err(file)?)?;
        }
        if roots.len() == before {
            return Err(NoCertificates::Empty { path: shown() });
        }
    }
    if tls && roots.is_empty() {
        return Err(NoCertificates::None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// When something last moved.
#[derive(Clone, Debug)]
struct Activity {
    start: Instant,
    /// Milliseconds after `start`.
    last: Arc<AtomicU64>,
}

impl Activity {
    fn new() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn mark(&self) {
        self.last.store(self.millis(), Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        Duration::from_millis(self.millis().saturating_sub(self.last.load(Ordering::Relaxed)))
    }
}

/// A body that marks every chunk it hands on.
struct Timed {
    body: Outgoing,
    activity: Activity,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.activity.mark();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The SDK sends through the same connections.
impl SdkConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = transport.send(request.map(Outgoing::Sdk)).await.map_err(|error| match error.kind() {
                ErrorKind::Timeout => ConnectorError::timeout(error.into()),
                _ => ConnectorError::io(error.into()),
            })?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.clone().into_shared()
    }
}
