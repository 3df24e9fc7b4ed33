//! What B2 says when it refuses, as errors of the contract. Kinds come from codes and statuses, never from texts.

use std::fmt;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::{
    error::{Error, ErrorKind, Operation},
    web::status,
};

/// Codes that say more than their status
/// (<https://www.backblaze.com/docs/cloud-storage-api-error-handling>, and the official SDK's `exception.py`).
static CODES: &[(&str, ErrorKind)] = &[
    ("already_hidden", ErrorKind::NotFound),
    ("auth_token_limit", ErrorKind::Unavailable),
    ("bad_bucket_id", ErrorKind::NoSuchContainer),
    ("cannot_delete_non_empty_bucket", ErrorKind::Exists),
    ("duplicate_bucket_name", ErrorKind::Exists),
    ("file_not_present", ErrorKind::NotFound),
    ("missing_part", ErrorKind::Integrity),
    ("no_such_file", ErrorKind::NotFound),
    ("not_found", ErrorKind::NotFound),
    ("part_sha1_mismatch", ErrorKind::Integrity),
    ("range_not_satisfiable", ErrorKind::BadRequest),
    ("source_too_large", ErrorKind::Unsupported),
];

/// An answer that is a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    /// HTTP status.
    pub status: u16,
    /// `bad_request`, …; empty where the answer had no body.
    pub code: String,
    /// What the server says to people.
    pub message: String,
}

impl Fault {
    /// From an answer's head and body.
    pub fn new(status: StatusCode, body: &[u8]) -> Self {
        let told: Self = serde_json::from_slice(body).unwrap_or_default();
        Self { status: status.as_u16(), ..told }
    }

    /// By code where it is known, else by status.
    pub fn kind(&self) -> ErrorKind {
        // There is a cap each for storage, bandwidth and kinds of calls, under a code of its own.
        if self.status == 403 && self.code.ends_with("cap_exceeded") {
            return ErrorKind::Capped;
        }
        let coded = CODES.binary_search_by_key(&self.code.as_str(), |(code, _)| code).ok();
        coded.map_or_else(|| status::kind(self.status), |index| CODES[index].1)
    }

    /// Whether a token has run out, so that a new one helps. A key that lacks a right is `unauthorized`, too.
    pub fn is_token(&self) -> bool {
        self.status == 401 && matches!(self.code.as_str(), "expired_auth_token" | "bad_auth_token" | "")
    }

    /// Says it in the contract's words.
    pub fn into_error(self, operation: Operation, headers: &HeaderMap) -> Error {
        Error::new(self.kind(), operation).after(status::retry_after(headers)).because(self)
    }
}

/// The refusal behind an error; `None` where there was no answer.
pub(super) fn fault_of(error: &Error) -> Option<&Fault> {
    error.cause()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", _) => write!(f, "HTTP {}", self.status)?,
            (code, "") => write!(f, "{code} (HTTP {})", self.status)?,
            (code, message) => write!(f, "{code}: {message}")?,
        }
        if self.kind() == ErrorKind::Capped {
            write!(f, "; raise the cap under 'Caps & Alerts' of the account, which takes up to ten minutes to count")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, code: &str) -> Fault {
        let body = format!(r#"{{"status": {status}, "code": "{code}", "message": "m"}}"#);
        Fault::new(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn codes_are_sorted_and_come_before_statuses() {
        assert!(CODES.is_sorted_by_key(|(code, _)| code));
        for (status, code, kind) in [
            (400, "bad_request", ErrorKind::BadRequest),
            (400, "bad_bucket_id", ErrorKind::NoSuchContainer),
            (400, "file_not_present", ErrorKind::NotFound),
            (401, "unauthorized", ErrorKind::Denied),
            (403, "access_denied", ErrorKind::Denied),
            (403, "storage_cap_exceeded", ErrorKind::Capped),
            (403, "cap_exceeded", ErrorKind::Capped),
            (408, "request_timeout", ErrorKind::Timeout),
            (429, "too_many_requests", ErrorKind::Throttled),
            (503, "service_unavailable", ErrorKind::Throttled),
            (500, "internal_error", ErrorKind::Unavailable),
        ] {
            assert_eq!(fault(status, code).kind(), kind, "{status} {code}");
        }
        assert!(fault(401, "expired_auth_token").is_token() && !fault(401, "unauthorized").is_token());
        let error = fault(403, "storage_cap_exceeded").into_error(Operation::Put, &HeaderMap::new());
        assert!(!error.is_retryable() && error.to_string().contains("Caps & Alerts"), "{error}");
    }

    #[test]
    fn what_is_no_json_counts_by_its_status() {
        let fault = Fault::new(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!((fault.kind(), fault.to_string()), (ErrorKind::Unavailable, "HTTP 502".to_owned()));
    }
}
