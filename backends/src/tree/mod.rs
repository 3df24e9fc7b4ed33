//! Stores that are trees of files on a server, which knows nothing of objects: SFTP, FTP, IPFS (MFS). A family brings what
//! its protocol can ([`Tree`]: look, list, write, rename, remove); the contract is kept above that, once for all, by
//! [`TreeStore`].
//!
//! * `family` is what a family brings; `root` what is known of the place. Both speak paths: absolute, without `/` at their end.
//! * `making` is how [directories](crate::directories) are made and removed.
//! * `list`, `put`, `parts`, `delete` are the calls of the contract, which `store` names.

mod delete;
mod family;
mod list;
mod making;
mod parts;
mod put;
mod root;
mod store;

pub(crate) use family::{Facts, Member, Tree, What};
pub(crate) use put::{is_directory, replace};
pub(crate) use root::Root;
pub(crate) use store::TreeStore;
