//! The webdav family: any server of class 1 (RFC 4918), spoken to by a thin client of our own.
//!
//! Nothing is assumed that can be tried: whether a server keeps times is probed when it is opened to be written to, or shown by
//! the first upload where nothing is there to be compared; whether it lists a whole tree at once when one is listed; and what was
//! stored is looked at after every upload. An upload goes to a temporary name and is moved, except where a server is known to
//! do that itself.

mod abilities;
mod around;
mod belief;
mod chunks;
mod collections;
mod copy;
mod delete;
mod list;
mod multistatus;
mod open;
mod place;
mod properties;
mod put;
mod read;
mod requests;
mod settle;
mod store;
mod vendor;

use futures::FutureExt;

use crate::{
    entry::Algorithm,
    registry::{Family, OptionSpec},
    web::{client::CA_FILE, site},
};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "webdav",
    schemes: &["webdav", "webdavs"],
    about: "WebDAV: Nextcloud, ownCloud, Apache, nginx, rclone and others",
    options: &[
        site::URL,
        OptionSpec::text("vendor", "nextcloud, owncloud, apache, nginx, other"),
        site::USER,
        site::PASSWORD,
        site::BEARER_TOKEN,
        site::HEADERS,
        OptionSpec::text("times", "whether the server keeps times: auto (it is tried), kept, none"),
        CA_FILE,
    ],
    open: |remote, path| open::open(remote, path).boxed(),
    digests: &[Algorithm::Sha1, Algorithm::Md5],
    buckets: None,
};
