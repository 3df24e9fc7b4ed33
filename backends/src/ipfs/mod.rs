//! The ipfs family: the mutable file system (MFS) of an IPFS node, over its RPC interface (`/api/v0/files/…`), which Kubo and
//! js-ipfs speak (<https://docs.ipfs.tech/reference/kubo/rpc/>).
//!
//! What is special about it: what a path holds is named by a CID, which changes with the content and with its time. So a read
//! is of exactly the object that was looked at, a copy carries no bytes, and the CID is the `ETag`. A refusal says nothing but
//! text: what counts as missing is what the directory above does not name.
//!
//! * `open` reads options and tries how times are kept; `rpc` sends calls and knows refusals; `cid` reads digests out of CIDs.
//! * `place` is what a tree asks for (`tree::Tree`); `read` and `put` are what of it takes more than a call.

mod cid;
mod open;
mod place;
mod put;
mod read;
mod rpc;
mod times;

use futures::FutureExt;

use crate::{
    registry::{Family, OptionSpec},
    web::{client::CA_FILE, site},
};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "ipfs",
    schemes: &[],
    about: "IPFS: the files (MFS) of a node, over its RPC interface",
    options: &[
        OptionSpec::text("endpoint", "the node's RPC address; without it, http://127.0.0.1:5001"),
        OptionSpec::text("root", "a directory of the node's files; without it, all of them"),
        OptionSpec::text("times", "whether the node keeps times: auto (it is tried), none"),
        site::USER,
        site::PASSWORD,
        site::BEARER_TOKEN,
        site::HEADERS,
        CA_FILE,
    ],
    open: |remote, path| open::open(remote, path).boxed(),
    buckets: None,
    digests: &[],
};
