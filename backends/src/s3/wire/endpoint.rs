//! Where requests go: `https://host/bucket/key`, or `https://bucket.host/key`.

use std::net::IpAddr;

use http::{
    HeaderValue, Uri,
    uri::{Authority, Scheme},
};

use super::encode;

/// A bucket's place.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub scheme: Scheme,
    pub authority: Authority,
    /// As signed: without the scheme's own port.
    pub host: HeaderValue,
    /// What stands before the key, encoded: `/bucket/`, or `/`.
    before: String,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEndpoint {
    #[error("an endpoint is written https://host[:port]")]
    NoUrl,
    #[error("an endpoint has no query")]
    Query,
    #[error("the bucket's name cannot be part of a host name; path_style = true may help")]
    Bucket,
}

/// `endpoint` with a scheme: `https` where it has none.
pub(crate) fn with_scheme(endpoint: &str) -> String {
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") }
}

/// The host of an endpoint, without port; empty where there is none.
pub(crate) fn host_of(endpoint: &str) -> String {
    with_scheme(endpoint).parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
}

/// Scheme, host and port of an endpoint: another port is another server.
pub(crate) fn authority_of(endpoint: &str) -> String {
    let endpoint = with_scheme(endpoint);
    let uri = endpoint.parse::<Uri>().ok();
    let authority = uri.as_ref().and_then(Uri::authority).map_or(endpoint.as_str(), |authority| authority.as_str());
    let scheme = uri.as_ref().and_then(Uri::scheme_str).unwrap_or_default();
    format!("{scheme}://{authority}")
}

/// Whether buckets can stand in the host name: not before an address, and, over TLS, not where the bucket's own dots
/// would leave the certificate's wildcard.
pub(crate) fn allows_virtual_host(endpoint: &str, bucket: &str) -> bool {
    let endpoint = with_scheme(endpoint);
    let host = host_of(&endpoint);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let dotted = bucket.contains('.') && endpoint.starts_with("https:");
    !address && !dotted && !host.is_empty()
}

impl Endpoint {
    /// The path of the bucket's own address, ending in `/`.
    pub fn root(&self) -> &str {
        &self.before
    }

    /// The place of `bucket` at `endpoint` (a URL; it may have a path, which is kept).
    pub fn new(endpoint: &str, bucket: &str, path_style: bool) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = with_scheme(endpoint).parse().map_err(|_| InvalidEndpoint::NoUrl)?;
        if uri.query().is_some() {
            return Err(InvalidEndpoint::Query);
        }
        let scheme = uri.scheme().filter(|scheme| matches!(scheme.as_str(), "http" | "https"));
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else { return Err(InvalidEndpoint::NoUrl) };
        if authority.as_str().contains('@') {
            return Err(InvalidEndpoint::NoUrl);
        }
        let base = uri.path().trim_end_matches('/');
        let (authority, before) = if path_style {
            (authority.clone(), format!("{base}/{}/", encode::path(bucket)))
        } else {
            let place = format!("{bucket}.{authority}").parse().map_err(|_| InvalidEndpoint::Bucket)?;
            (place, format!("{base}/"))
        };
        let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let host = match authority.port_u16() {
            Some(port) if port != usual => format!("{}:{port}", authority.host()),
            _ => authority.host().to_owned(),
        };
        let host = HeaderValue::from_str(&host).map_err(|_| InvalidEndpoint::NoUrl)?;
        Ok(Self { scheme: scheme.clone(), authority, host, before })
    }

    /// The encoded path of a key, or of the bucket.
    fn path(&self, key: Option<&str>) -> String {
        match key {
            Some(key) => format!("{}{}", self.before, encode::path(key)),
            None => self.before.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or("/").to_owned(),
        }
    }

    /// The whole URL of a key, or of the bucket.
    pub fn url(&self, key: Option<&str>) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path(key))
    }

    /// Whether requests are encrypted.
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_stand_where_they_belong() {
        let place = |endpoint, path_style| {
            let endpoint = Endpoint::new(endpoint, "bu", path_style).unwrap();
            let host = endpoint.host.to_str().unwrap().to_owned();
            (host, endpoint.path(None), endpoint.path(Some("/a b//../c")))
        };
        let text = |host: &str, bucket: &str, key: &str| (host.to_owned(), bucket.to_owned(), key.to_owned());
        assert_eq!(place("https://s3.x.org", false), text("bu.s3.x.org", "/", "//a%20b//../c"));
        assert_eq!(place("s3.x.org:443", true), text("s3.x.org", "/bu", "/bu//a%20b//../c"));
        assert_eq!(place("http://[::1]:8333/s3/", true), text("[::1]:8333", "/s3/bu", "/s3/bu//a%20b//../c"));
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for endpoint in ["", "ftp://x", "http://", "http://user:secret@x", "a b"] {
            assert_eq!(Endpoint::new(endpoint, "b", true).unwrap_err(), InvalidEndpoint::NoUrl, "{endpoint}");
        }
        assert_eq!(Endpoint::new("http://x/?q", "b", true).unwrap_err(), InvalidEndpoint::Query);
    }

    #[test]
    fn virtual_hosts_need_a_name() {
        assert!(allows_virtual_host("https://s3.x.org", "bucket"));
        assert!(allows_virtual_host("http://localhost:3900", "with.dot"));
        assert!(!allows_virtual_host("https://s3.x.org", "with.dot"));
        assert!(!allows_virtual_host("http://127.0.0.1:3900", "bucket"));
        assert!(!allows_virtual_host("http://[::1]:3900", "bucket"));
    }
}
