//! A server as one remote knows it: where it is, who asks, and how far a redirect is followed.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::Url;

use super::{
    body::{Failure, Outgoing},
    client::{Answer, Call, Name, Web, refusal},
    headers::text,
};
use crate::{
    body::Body,
    error::{Error, ErrorKind, Operation, Result},
    registry::{OptionSpec, Remote},
    request::Ledger,
};

/// Redirects that are followed for one call.
const MOST_REDIRECTS: usize = 5;

pub(crate) const URL: OptionSpec = OptionSpec::text("url", "the address below which everything lies");
pub(crate) const USER: OptionSpec = OptionSpec::text("user", "name to sign in with");
pub(crate) const PASSWORD: OptionSpec = OptionSpec::secret("password", "password to sign in with");
pub(crate) const BEARER_TOKEN: OptionSpec = OptionSpec::secret("bearer_token", "token to sign in with, instead");
pub(crate) const HEADERS: OptionSpec =
    OptionSpec::secret("headers", "headers of every request, 'Name: value', one a line");

/// Sends to one server, and shows credentials to no other.
#[derive(Debug)]
pub(crate) struct Site {
    web: Web,
    home: Url,
    /// What is for this server alone: authorisation and the user's own headers.
    own: HeaderMap,
}

impl Site {
    /// A client for `home` with what `remote` says of signing in; `name` says how requests are counted.
    ///
    /// # Errors
    /// `Config` for settings that do not fit.
    pub fn new(remote: &Remote, home: &Url, name: Name) -> Result<Self> {
        Ok(Self { web: Web::new(remote, home.scheme() == "https", name)?, home: home.clone(), own: own(remote)? })
    }

    /// What was sent.
    pub fn ledger(&self) -> Arc<Ledger> {
        self.web.ledger()
    }

    /// Sends a call to this server and gives its answer, a redirect included.
    ///
    /// # Errors
    /// As [`Web::send_body`].
    pub async fn send(&self, mut call: Call, body: Option<(Outgoing, Failure)>) -> Result<Answer> {
        self.sign(&mut call);
        match body {
            Some((outgoing, failure)) => self.web.send_outgoing(call, Some(outgoing.primed().await?), &failure).await,
            None => self.web.send(call).await,
        }
    }

    /// As [`Site::send`], with a body that is at hand.
    ///
    /// # Errors
    /// As [`Web::send_body`].
    pub async fn send_body(&self, mut call: Call, body: Body) -> Result<Answer> {
        self.sign(&mut call);
        self.web.send_body(call, body).await
    }

    /// Sends a call that changes nothing, follows redirects, and gives the answer and where it came from. Another server
    /// is asked without credentials, and `https` is never left for `http`.
    ///
    /// # Errors
    /// `Config` for a redirect that cannot be followed; else as [`Web::send_body`].
    pub async fn fetch(&self, call: Call, body: Option<Bytes>) -> Result<(Answer, Url)> {
        let (operation, mut url) = (call.operation, call.url.clone());
        for _ in 0..=MOST_REDIRECTS {
            let mut call = Call { url: url.clone(), ..call.again() };
            self.sign(&mut call);
            let outgoing = body.clone().map(Outgoing::Bytes);
            let answer = self.web.send_outgoing(call, outgoing, &Failure::default()).await?;
            let Some(to) = location(&answer, &url) else { return Ok((answer, url)) };
            if url.scheme() == "https" && to.scheme() != "https" || !matches!(to.scheme(), "http" | "https") {
                return Err(redirected(operation, &to, "which is not followed out of https"));
            }
            url = to;
        }
        Err(redirected(operation, &url, "and on and on"))
    }

    fn sign(&self, call: &mut Call) {
        if call.url.origin() == self.home.origin() {
            call.headers.extend(self.own.clone());
        }
    }
}

/// An answer of success; any other as an error.
///
/// # Errors
/// By status; a redirect, where none is followed, says where it leads.
pub(crate) async fn succeeded(operation: Operation, answer: Answer) -> Result<Answer> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let told = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    match told.filter(|_| answer.status().is_redirection()).and_then(|to| to.parse().ok()) {
        Some(to) => Err(redirected(operation, &to, "and what changes something is not sent on; set that address")),
        None => Err(refusal(operation, answer).await),
    }
}

fn redirected(operation: Operation, to: &Url, why: &str) -> Error {
    let mut shown = to.clone();
    shown.set_query(None);
    let _cannot_be_a_base = shown.set_username("").and_then(|()| shown.set_password(None));
    Error::new(ErrorKind::Config, operation).because(format!("the server redirects to {shown}, {why}"))
}

/// Where a redirect leads.
fn location(answer: &Answer, from: &Url) -> Option<Url> {
    use StatusCode as S;
    let redirects = [S::MOVED_PERMANENTLY, S::FOUND, S::TEMPORARY_REDIRECT, S::PERMANENT_REDIRECT];
    redirects.contains(&answer.status()).then(|| from.join(text(answer.headers(), header::LOCATION)?).ok()).flatten()
}

/// The address a remote names, as a folder; `told` is the option, or what followed the scheme.
///
/// # Errors
/// `Config` for what is no address of the web, and for one with credentials in it, which would be shown.
pub(crate) fn address(remote: &Remote, told: &str) -> Result<Url> {
    // The address itself is not shown: there may be a password in it.
    let mut url: Url = told.parse().map_err(|error| remote.wrong(format!("the url is none: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(remote.wrong("the url is neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(remote.wrong("the url holds credentials; they belong in user and password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(remote.wrong("the url has a query or a fragment, which no folder has"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn own(remote: &Remote) -> Result<HeaderMap> {
    let mut own = HeaderMap::new();
    let unfit = |what: &str| remote.wrong(format!("{what} holds what no header can"));
    for line in remote.text(HEADERS.name).unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| remote.wrong("headers: a line is no 'Name: value'"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| unfit("headers"))?;
        own.append(name, secret(value.trim()).ok_or_else(|| unfit("headers"))?);
    }
    let (user, token) = (remote.text(USER.name), remote.secret(BEARER_TOKEN.name));
    match (user, token) {
        (Some(_), Some(_)) => return Err(remote.wrong("user and bearer_token exclude each other")),
        (Some(user), None) => {
            let password = remote.secret(PASSWORD.name);
            let pair = format!("{user}:{}", password.as_ref().map_or("", |password| password.reveal()));
            let value = secret(&format!("Basic {}", BASE64.encode(pair))).ok_or_else(|| unfit("password"))?;
            own.insert(header::AUTHORIZATION, value);
        }
        (None, Some(token)) => {
            let value = secret(&format!("Bearer {}", token.reveal())).ok_or_else(|| unfit("bearer_token"))?;
            own.insert(header::AUTHORIZATION, value);
        }
        (None, None) if remote.text(PASSWORD.name).is_some() => return Err(remote.wrong("a password needs a user")),
        (None, None) => {}
    }
    Ok(own)
}

/// A value that no log shows.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// GET of `url`.
pub(crate) fn get(operation: Operation, url: Url) -> Call {
    let mut call = Call::new(operation, Method::GET, url);
    // A compressed answer has another length than the object.
    call.header("accept-encoding", "identity");
    call
}
