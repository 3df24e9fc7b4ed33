//! The one HTTP client of a store: the SDK and our own wire share its connections, its certificates and its
//! patience.

use std::{fmt, path::Path, sync::Arc};

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
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{name::name_of, resolve::Resolver};
use crate::{
    error::{ErrorKind, Operation},
    request::Ledger,
    web::{
        body::Outgoing,
        patience::{
            Activity, CONNECT_TIMEOUT, IDLE_TIMEOUT, Idle, KEEP_ALIVE, Timed, objection, timeout_or_unavailable,
        },
        tls::{NoCertificates, tls_config},
    },
};

/// Bytes hyper reads at once, at most; it grows to this only where they come fast.
const READ_BUFFER: usize = 128 * 1024;

/// Connections to servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Timed>,
    /// Where requests to the bucket are counted, and the path of the bucket's own address.
    counted: Option<(Arc<Ledger>, Arc<str>)>,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    Idle(#[from] Idle),
    #[error("{server}")]
    Http { server: String, source: hyper_util::client::legacy::Error },
}

impl NoAnswer {
    /// `Timeout` or `Unavailable`.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Idle(_) => ErrorKind::Timeout,
            Self::Http { source, .. } => timeout_or_unavailable(source),
        }
    }
}

impl NoAnswer {
    /// Whether the same request may have an answer later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Http { source, .. } if objection(source).is_some())
    }
}

impl Transport {
    /// `tls`: whether `https` will be spoken at all; reading the system's certificates takes some milliseconds.
    /// `ca_file`: PEM certificates trusted beside them.
    pub fn new(tls: bool, ca_file: Option<&Path>) -> Result<Self, NoCertificates> {
        let mut http = HttpConnector::new_with_resolver(Resolver::new());
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
        Ok(Self { client, counted: None })
    }

    /// The same connections, for requests to the bucket whose own address has the path `root`: each is counted.
    pub fn counting(&self, ledger: Arc<Ledger>, root: &str) -> Self {
        Self { counted: Some((ledger, root.into())), ..self.clone() }
    }

    /// Sends one request; an answer of any status is an answer. Nothing is sent again, but for a request that
    /// found its connection closed before a byte of it was written.
    pub async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, NoAnswer> {
        if let Some((ledger, root)) = &self.counted {
            // The SDK lists nothing that a run lists.
            let operation = request.extensions().get().copied().unwrap_or(Operation::Open);
            ledger.count(operation, name_of(&request, root));
        }
        let activity = Activity::new();
        let request = request.map(|body| Timed { body, activity: activity.clone() });
        let uri = request.uri().clone();
        let answer = activity.unless_idle(IDLE_TIMEOUT, self.client.request(request)).await?;
        answer.map_err(|source| {
            let server = uri.authority().map_or_else(String::new, ToString::to_string);
            NoAnswer::Http { server: server + objection(&source).unwrap_or_default(), source }
        })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// The SDK sends through the same connections.
impl SdkConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer =
                transport.send(request.map(|body| Outgoing::Foreign(body.boxed_unsync()))).await.map_err(|error| {
                    match error.kind() {
                        _ if !error.is_retryable() => ConnectorError::user(error.into()),
                        ErrorKind::Timeout => ConnectorError::timeout(error.into()),
                        _ => ConnectorError::io(error.into()),
                    }
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
