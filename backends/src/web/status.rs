//! HTTP statuses in the contract's words.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode, header};

use super::headers::{http_date, text};
use crate::{
    entry::Timestamp,
    error::{Error, ErrorKind, Operation},
};

/// What a status means where the answer's body says no more (RFC 9110, 15; RFC 4918, 11).
pub(crate) fn kind(status: u16) -> ErrorKind {
    match status {
        401 | 403 | 407 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        408 | 504 => ErrorKind::Timeout,
        409 => ErrorKind::Exists,
        304 | 412 => ErrorKind::Precondition,
        423 | 425 => ErrorKind::Unavailable,
        429 | 503 => ErrorKind::Throttled,
        507 => ErrorKind::Full,
        300..=399 => ErrorKind::Config,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::BadRequest,
    }
}

/// How long the answer asks us to wait: seconds, or a moment (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let told = text(headers, header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = told.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let nanos = http_date(told)?.as_nanos().saturating_sub(Timestamp::now().as_nanos());
    Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

/// An answer that is a refusal, as the cause of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// HTTP status.
    pub status: u16,
    /// What the server says to people, where it says something short; empty else.
    pub said: String,
    /// What the server calls the request, where it does.
    pub request_id: Option<String>,
}

impl Refused {
    /// An error by status.
    pub fn into_error(self, operation: Operation, headers: &HeaderMap) -> Error {
        Error::new(kind(self.status), operation).after(retry_after(headers)).because(self)
    }

    /// The one among the causes of `error`, if one is.
    pub fn of(error: &Error) -> Option<&Self> {
        error.cause()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(reason) = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason()) {
            write!(f, " {reason}")?;
        }
        if !self.said.is_empty() {
            write!(f, ": {}", self.said)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn waiting(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn waits_are_seconds_or_a_moment() {
        assert_eq!(retry_after(&waiting("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&waiting("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
        assert!(retry_after(&waiting("Thu, 01 Jan 2099 00:00:00 GMT")).unwrap() > Duration::from_secs(1_000_000));
        assert_eq!(retry_after(&waiting("soon")), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn refusals_become_errors() {
        let refused = Refused { status: 503, said: "less".to_owned(), request_id: None };
        let error = refused.clone().into_error(Operation::List, &waiting("3"));
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Throttled, Some(Duration::from_secs(3))));
        assert_eq!(Refused::of(&error), Some(&refused));
        assert_eq!(error.to_string(), "list: throttled: HTTP 503 Service Unavailable: less");
    }
}
