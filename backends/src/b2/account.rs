//! The account: its authorization, and the calls that carry it.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    fault::{Fault, fault_of},
    settings::Settings,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    secret::Secret,
    web::{
        body::{Failure, Outgoing, collect},
        client::{Answer, Call, Web},
        patience::IDLE_TIMEOUT,
    },
};

/// The largest answer of an API call, in bytes: 1,000 files of 7,000 bytes of infos each, and more.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Calls in which the service moves bytes by itself before it answers.
const SLOW: &[&str] = &["b2_copy_file", "b2_copy_part", "b2_finish_large_file"];

/// How long they may take: what the official SDK allows (`TIMEOUT_FOR_COPY`).
const SLOW_PATIENCE: Duration = Duration::from_secs(20 * 60);

/// What one authorization gave. Tokens live 24 hours.
#[derive(Debug)]
pub(super) struct Session {
    /// 3 or 4: the version that was answered, and that all calls are made in.
    version: u8,
    token: Secret,
    api_url: Url,
    download_url: Url,
    pub account_id: String,
    /// Bytes.
    pub smallest_part: u64,
    /// Bytes.
    pub recommended_part: u64,
    /// The buckets the key is restricted to, as id and name; `None`: all.
    pub buckets: Option<Vec<(String, Option<String>)>>,
    /// What every name the key may see starts with; empty: nothing in particular.
    pub prefix: String,
    pub capabilities: BTreeSet<String>,
}

/// An account, authorized. Renewing the authorization is done once for all who find it expired.
pub(super) struct Account {
    pub web: Web,
    settings: Settings,
    session: RwLock<Arc<Session>>,
    renewing: tokio::sync::Mutex<()>,
}

impl Account {
    /// Host and port of the service.
    pub fn authority(&self) -> String {
        let endpoint = &self.settings.endpoint;
        let (host, port) = (endpoint.host_str(), endpoint.port_or_known_default());
        format!("{}:{}", host.unwrap_or_default(), port.unwrap_or_default())
    }

    /// Authorizes.
    ///
    /// # Errors
    /// `Denied` for keys the service does not know; what stopped the call.
    pub async fn authorize(web: Web, settings: Settings) -> Result<Self> {
        let session = authorize(&web, &settings).await?;
        Ok(Self { web, settings, session: RwLock::new(Arc::new(session)), renewing: tokio::sync::Mutex::default() })
    }

    /// The present authorization.
    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A newer authorization than `stale`: whoever comes first fetches it, the others wait for that one.
    async fn renew(&self, stale: &Arc<Session>) -> Result<Arc<Session>> {
        let _one_at_a_time = self.renewing.lock().await;
        let now = self.session();
        if !Arc::ptr_eq(&now, stale) {
            return Ok(now);
        }
        let fresh = Arc::new(authorize(&self.web, &self.settings).await?);
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// One call of the API; `name` is what follows `b2api/v3/`.
    ///
    /// # Errors
    /// The refusal, its [`Fault`] as the cause; `Integrity` for an answer that cannot be read.
    pub async fn call<A: DeserializeOwned>(
        &self,
        operation: Operation,
        name: &str,
        given: &(impl Serialize + Sync),
    ) -> Result<A> {
        let body = serde_json::to_vec(given).map_err(|error| Error::new(ErrorKind::Other, operation).because(error))?;
        let body = Bytes::from(body);
        let answer = self
            .authorized(|session| {
                let url = joined(&session.api_url, &format!("b2api/v{}/{name}", session.version));
                let patience = if SLOW.contains(&name) { SLOW_PATIENCE } else { IDLE_TIMEOUT };
                (Call { patience, ..Call::new(operation, Method::POST, url) }, Some(body.clone()))
            })
            .await?;
        read_json(operation, answer.into_body()).await
    }

    /// A file's bytes, or with `HEAD` its facts. `address` is what follows the download URL.
    ///
    /// # Errors
    /// As [`Account::call`].
    pub async fn download(
        &self,
        operation: Operation,
        method: Method,
        address: impl Fn(&Session) -> String,
        range: Option<HeaderValue>,
    ) -> Result<Answer> {
        self.authorized(|session| {
            let url = joined(&session.download_url, &address(session));
            let mut call = Call::new(operation, method.clone(), url);
            if let Some(range) = &range {
                call.headers.insert(header::RANGE, range.clone());
            }
            (call, None)
        })
        .await
    }

    /// Sends what `make` makes, with a token, and once more with a new one where the old has run out.
    async fn authorized(&self, make: impl Fn(&Session) -> (Call, Option<Bytes>)) -> Result<Answer> {
        let mut session = self.session();
        let mut renewed = false;
        loop {
            let (mut call, body) = make(&session);
            let operation = call.operation;
            call.headers.insert(header::AUTHORIZATION, secret_header(operation, session.token.reveal())?);
            let body = body.map(Outgoing::Bytes);
            let answer = self.web.send_outgoing(call, body, &Failure::default()).await?;
            match succeeded(operation, answer).await {
                Err(error) if !renewed && session.may_renew(&error) => {
                    session = self.renew(&session).await?;
                    renewed = true;
                }
                result => return result,
            }
        }
    }
}

impl Session {
    /// The version of the API that is spoken.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Whether a refusal is one of a token that has run out. An answer to `HEAD` has no code, and may as well mean that
    /// the key may not read.
    fn may_renew(&self, error: &Error) -> bool {
        let told = |fault: &Fault| !fault.code.is_empty() || self.capabilities.contains("readFiles");
        fault_of(error).is_some_and(|fault| fault.is_token() && told(fault))
    }
}

/// An address below another.
fn joined(base: &Url, path: &str) -> Url {
    let text = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    // What is joined is percent-encoded, and the base was an address.
    text.parse().unwrap_or_else(|_| base.clone())
}

/// A header that logs do not show.
pub(super) fn secret_header(operation: Operation, text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::new(ErrorKind::Integrity, operation).because("the token is no text for a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An answer of success, or the refusal.
///
/// # Errors
/// The refusal, its [`Fault`] as the cause.
pub(super) async fn succeeded(operation: Operation, answer: Answer) -> Result<Answer> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    // A refusal that cannot be read to its end is still one.
    let body = collect(body, 64 * 1024).await.unwrap_or_default();
    Err(Fault::new(head.status, &body).into_error(operation, &head.headers))
}

/// The JSON of an answer.
///
/// # Errors
/// `Unavailable` where it was cut; `Integrity` where it is not what was asked for.
pub(super) async fn read_json<A: DeserializeOwned>(operation: Operation, body: reqwest::Body) -> Result<A> {
    let body = collect(body, MAX_ANSWER).await.map_err(|error| Error::new(error.kind(), operation).because(error))?;
    serde_json::from_slice(&body).map_err(|error| Error::new(ErrorKind::Integrity, operation).because(error))
}

/// Asks in v4, and in v3 where the server does not know v4.
async fn authorize(web: &Web, settings: &Settings) -> Result<Session> {
    match authorize_as(web, settings, 4).await {
        Err(error) if fault_of(&error).is_some_and(|fault| matches!(fault.status, 400 | 404 | 405 | 501)) => {
            authorize_as(web, settings, 3).await
        }
        answered => answered,
    }
}

async fn authorize_as(web: &Web, settings: &Settings, version: u8) -> Result<Session> {
    let operation = Operation::Open;
    let basic = BASE64.encode(format!("{}:{}", settings.key_id, settings.key.reveal()));
    let url = joined(&settings.endpoint, &format!("b2api/v{version}/b2_authorize_account"));
    let mut call = Call::new(operation, Method::GET, url);
    call.headers.insert(header::AUTHORIZATION, secret_header(operation, &format!("Basic {basic}"))?);
    let answer = succeeded(operation, web.send(call).await?).await?;
    let told: Authorized = read_json(operation, answer.into_body()).await?;
    told.into_session(settings, version)
}

/// `b2_authorize_account` in v3 and v4.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorized {
    account_id: String,
    authorization_token: String,
    api_info: ApiInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiInfo {
    storage_api: StorageApi,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StorageApi {
    api_url: String,
    download_url: String,
    absolute_minimum_part_size: u64,
    recommended_part_size: u64,
    /// v4.
    allowed: Option<Allowed>,
    /// v3.
    bucket_id: Option<String>,
    bucket_name: Option<String>,
    name_prefix: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Allowed {
    buckets: Option<Vec<AllowedBucket>>,
    name_prefix: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
struct AllowedBucket {
    id: String,
    name: Option<String>,
}

impl Authorized {
    fn into_session(self, settings: &Settings, version: u8) -> Result<Session> {
        let wrong = |why: String| Error::new(ErrorKind::Integrity, Operation::Open).because(why);
        let api = self.api_info.storage_api;
        let url = |text: &str| -> Result<Url> {
            let url: Url = text.parse().map_err(|_| wrong(format!("'{text}' is no address")))?;
            // What was asked for in secret is not gone on with in the open.
            if url.scheme() != settings.endpoint.scheme() && url.scheme() != "https" {
                return Err(wrong(format!("the account is sent on to '{text}', which is not encrypted")));
            }
            Ok(url)
        };
        let (api_url, download_url) = (url(&api.api_url)?, url(&api.download_url)?);
        let (buckets, prefix, capabilities) = match api.allowed {
            Some(allowed) => {
                let of = |bucket: AllowedBucket| (bucket.id, bucket.name);
                let buckets = allowed.buckets.map(|buckets| buckets.into_iter().map(of).collect());
                (buckets, allowed.name_prefix, allowed.capabilities)
            }
            None => (api.bucket_id.map(|id| vec![(id, api.bucket_name)]), api.name_prefix, api.capabilities),
        };
        Ok(Session {
            version,
            token: Secret::new(self.authorization_token),
            api_url,
            download_url,
            account_id: self.account_id,
            smallest_part: api.absolute_minimum_part_size.max(1),
            recommended_part: api.recommended_part_size.max(api.absolute_minimum_part_size).max(1),
            buckets,
            prefix: prefix.unwrap_or_default(),
            capabilities: capabilities.into_iter().collect(),
        })
    }
}

/// A header of ours.
pub(super) fn header_named(name: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).ok()
}

/// Whether an error is a refusal with that status.
pub(super) fn has_status(error: &Error, status: StatusCode) -> bool {
    fault_of(error).is_some_and(|fault| fault.status == status.as_u16())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::registry::{Remote, Value};

    fn settings(endpoint: &str) -> Settings {
        let options = [("application_key_id", "id"), ("application_key", "k"), ("endpoint", endpoint)];
        let options = options.map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())));
        Settings::read(&Remote::new("r", &crate::b2::FAMILY, BTreeMap::from(options)).unwrap()).unwrap()
    }

    fn read(text: &str, version: u8) -> Result<Session> {
        serde_json::from_str::<Authorized>(text).unwrap().into_session(&settings("https://x"), version)
    }

    const V3: &str = r#"{"accountId": "a", "authorizationToken": "t", "apiInfo": {"storageApi": {
        "apiUrl": "https://api", "downloadUrl": "https://f", "absoluteMinimumPartSize": 5000000,
        "recommendedPartSize": 100000000, "bucketId": "i", "bucketName": "n", "namePrefix": "p/",
        "infoType": "storageApi", "capabilities": ["listFiles"]}}}"#;

    const V4: &str = r#"{"accountId": "a", "authorizationToken": "t", "apiInfo": {"groupsApi": {}, "storageApi": {
        "apiUrl": "https://api", "downloadUrl": "https://f", "absoluteMinimumPartSize": 5000000,
        "recommendedPartSize": 100000000, "allowed": {"capabilities": ["listFiles", "readFiles"], "namePrefix": null,
        "buckets": [{"id": "i", "name": "n"}, {"id": "j", "name": null}]}}}}"#;

    #[test]
    fn both_versions_are_read() {
        let session = read(V3, 3).unwrap();
        assert_eq!(session.buckets, Some(vec![("i".to_owned(), Some("n".to_owned()))]));
        assert_eq!((session.prefix.as_str(), session.capabilities.len()), ("p/", 1));
        let session = read(V4, 4).unwrap();
        assert_eq!(session.buckets.as_ref().map(Vec::len), Some(2));
        assert_eq!((session.prefix.as_str(), session.capabilities.len()), ("", 2));
        assert!(!format!("{session:?}").contains("\"t\""), "a token is a secret");
    }

    #[test]
    fn a_token_is_not_sent_in_the_open() {
        assert_eq!(read(&V4.replace("https://f", "http://f"), 4).unwrap_err().kind(), ErrorKind::Integrity);
    }
}
