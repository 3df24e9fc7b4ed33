//! The b2 family: Backblaze B2 by its native API.
//!
//! A thin client of about twenty calls. Every upload is verified by the server by its SHA-1, upload URLs are kept and
//! used by one transfer at a time, and an authorization that has run out is renewed once for all. What the protocol
//! itself asks to be repeated (a dead upload URL, a renewed token, a checksum that failed on the way) is repeated here;
//! everything else is for a layer outside.

mod account;
mod bucket;
mod copy;
mod delete;
mod fault;
mod info;
mod list;
mod multipart;
mod names;
mod open;
mod place;
mod put;
mod read;
mod requests;
mod settings;
mod store;
mod upload;

use futures::FutureExt;

use crate::{entry::Algorithm, registry::Family};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "b2",
    schemes: &["b2"],
    about: "Backblaze B2 by its native API",
    options: settings::OPTIONS,
    open: |remote, path| open::open(remote, path).boxed(),
    digests: &[Algorithm::Sha1],
    buckets: Some(|remote| open::buckets(remote).boxed()),
};
