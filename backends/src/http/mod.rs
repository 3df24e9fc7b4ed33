//! The http family: plain web servers, read only.
//!
//! What is there is told by the server's index pages, or by a list. Pages round sizes and hide times, so what a page does not
//! tell exactly is asked for object by object: the one place where a listing costs a request per object.

mod list;
mod open;
mod page;
mod place;
mod read;
mod store;
mod sums;

use futures::FutureExt;

use crate::{
    entry::Algorithm,
    registry::{Family, OptionSpec},
    web::{client::CA_FILE, site},
};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "http",
    schemes: &["http", "https"],
    about: "plain web servers, read only: index pages, or a list of what is there",
    options: &[
        site::URL,
        OptionSpec::text("list", "what is there: a SHA256SUMS or a list of URLs, as a file or a URL"),
        OptionSpec::bool("any_page", "take pages for indexes that do not look like one"),
        site::USER,
        site::PASSWORD,
        site::BEARER_TOKEN,
        site::HEADERS,
        CA_FILE,
    ],
    open: |remote, path| open::open(remote, path).boxed(),
    digests: &[Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5],
    buckets: None,
};
