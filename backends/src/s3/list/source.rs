//! Where pages come from: a bucket, or memory in tests.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use http::Method;

use super::page::{self, Page, Reading};
use crate::{
    error::{Operation, Result},
    s3::{place::Shared, wire::Call},
    store::{ListRequest, VersionScope},
};

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// With the first key.
    Start,
    /// After this key, which need not be there.
    After(String),
    /// Where an earlier page said.
    Next(Next),
}

/// How a page says where the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An opaque word.
    Token(String),
    /// The key and version that came last.
    Marker { key: String, version: Option<String> },
}

/// Gives pages.
pub(super) trait Source: Send + Sync + 'static {
    /// At most `limit` entries.
    fn page(&self, from: From, limit: u16) -> BoxFuture<'static, Result<Page>>;
}

/// The pages of a bucket.
pub(super) struct BucketSource {
    place: Shared,
    prefix: Arc<str>,
    recursive: bool,
    versions: bool,
}

impl BucketSource {
    /// For the prefix, the depth and the versions of `request`.
    pub fn new(place: &Shared, request: &ListRequest) -> Self {
        Self {
            place: Arc::clone(place),
            prefix: request.prefix.as_str().into(),
            recursive: request.recursive,
            versions: request.versions != VersionScope::Latest,
        }
    }
}

impl Source for BucketSource {
    fn page(&self, from: From, limit: u16) -> BoxFuture<'static, Result<Page>> {
        let (place, prefix) = (Arc::clone(&self.place), Arc::clone(&self.prefix));
        let (recursive, versions) = (self.recursive, self.versions);
        async move {
            let mut call = Call::new(Operation::List, Method::GET, None);
            call.query("encoding-type", "url");
            call.query("max-keys", limit.to_string());
            if versions {
                call.query("versions", "");
            } else {
                call.query("list-type", "2");
            }
            if !prefix.is_empty() {
                call.query("prefix", prefix.to_string());
            }
            if !recursive {
                call.query("delimiter", "/");
            }
            match from {
                From::Start => {}
                From::After(key) => call.query("start-after", key),
                From::Next(Next::Token(token)) => call.query("continuation-token", token),
                From::Next(Next::Marker { key, version }) => {
                    call.query("key-marker", key);
                    if let Some(version) = version {
                        call.query("version-id-marker", version);
                    }
                }
            }
            let (headers, body) = place.wire.send_collect(call).await?;
            place.learn(&headers);
            let reading = Reading { prefix: &prefix, etag_is_md5: place.etag_is_md5(), sorted: recursive };
            page::read(&body, reading)
        }
        .boxed()
    }
}
