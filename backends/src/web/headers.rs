//! Header values as we keep them.

use std::sync::Arc;

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

/// An `ETag` that an answer or a listing tells, as we keep it; an empty one, as SeaweedFS 4.30 sends, tells nothing.
pub(crate) fn etag_of(told: &str) -> Option<Arc<str>> {
    Some(unquoted(told)).filter(|tag| !tag.is_empty()).map(Arc::from)
}

/// The `ETag` that an answer tells.
pub(crate) fn etag(headers: &HeaderMap) -> Option<Arc<str>> {
    text(headers, header::ETAG).and_then(etag_of)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, to the second.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tag_is_none() {
        let told = |etag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, http::HeaderValue::from_static(etag));
            super::etag(&headers)
        };
        assert_eq!(told("W/\"a\"").as_deref(), Some("a"));
        assert!(told("").is_none() && told("\"\"").is_none());
    }
}
