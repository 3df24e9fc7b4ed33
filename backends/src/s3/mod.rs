//! The s3 family: every server that speaks Amazon's S3.
//!
//! Listing, reading, writing and copying go through a lean `wire` of our own, everything else through the SDK;
//! both share connections and credentials, and neither repeats a request: that is for a layer outside. What differs
//! between servers is `provider`'s table.

mod bucket;
mod copy;
mod delete;
mod fault;
mod fold;
mod headers;
mod list;
mod multipart;
mod open;
mod place;
mod provider;
mod put;
mod query;
mod read;
mod requests;
mod settings;
mod store;
mod wire;

use futures::FutureExt;

use crate::{entry::Algorithm, registry::Family};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "s3",
    schemes: &["s3"],
    about: "Amazon S3, Wasabi, Backblaze B2 (S3), Cloudflare R2, Garage, Ceph, MinIO, SeaweedFS and others",
    options: settings::OPTIONS,
    open: |remote, path| open::open(remote, path).boxed(),
    digests: &[Algorithm::Md5],
    buckets: Some(|remote| open::buckets(remote).boxed()),
};
