//! Header values as we keep them.

use http::{HeaderMap, header};

use crate::entry::Timestamp;

/// A header as text.
pub(crate) fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An `ETag` as conditions want it.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// An `ETag` as we keep it.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, to the second.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().into())
}
