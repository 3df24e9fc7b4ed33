//! A message to somebody who is no store, over the client that stores use.

use reqwest::Url;

use super::client::{Call, Web, refusal};
use crate::{
    body::Body,
    error::{Error, ErrorKind, Operation, Result},
    secret::Secret,
};

/// Posts `text`, which is `content_type`, to an `http` or `https` URL. Neither a redirect is followed nor anything sent twice.
///
/// # Errors
/// `Config` for what is no such URL; where no answer came, or one that is no success. The URL, which may be secret, stands in
/// none of them; its host may.
pub async fn post(url: &Secret, content_type: &str, text: String) -> Result<()> {
    let wrong = |why: &str| Error::new(ErrorKind::Config, Operation::Put).because(why);
    let parsed = Url::parse(url.reveal()).map_err(|_| wrong("it is no URL"))?;
    let tls = match parsed.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong("it is no http or https URL")),
    };
    let web = Web::plain("notification", tls, None, |_| "post")?;
    let mut call = Call::new(Operation::Put, http::Method::POST, parsed);
    if let Ok(content_type) = http::HeaderValue::from_str(content_type) {
        call.headers.insert(http::header::CONTENT_TYPE, content_type);
    }
    let answer = web.send_body(call, Body::from(text.into_bytes())).await?;
    if answer.status().is_success() { Ok(()) } else { Err(refusal(Operation::Put, answer).await) }
}

/// The host of a URL, which is what of it may be shown.
#[must_use]
pub fn host(url: &Secret) -> Option<String> {
    Url::parse(url.reveal()).ok()?.host_str().map(str::to_owned)
}
