//! The local family: a directory of this machine as a store.
//!
//! * **Names.** Keys a file system cannot hold are escaped reversibly (`escape`); names that are not UTF-8 are
//!   told to the [`Observer`](crate::skipped::Observer) and never listed. `a` beside `a/b` cannot be: whoever comes second gets `Exists`.
//! * **Listing** is in the byte order of the whole key, from one thread that stays a few pages ahead. Entries
//!   left out (see [`WhySkipped`](crate::skipped::WhySkipped)) are told to the observer; a directory that cannot be read is an error.
//! * **Puts** write `.<name>.sterna-XXXXXXXX.part` beside the target and rename it. Such files are never listed;
//!   [`uploads`](crate::Store::uploads) finds those that a killed process left. Every digest in
//!   [`PutRequest::digests`](crate::PutRequest::digests) is checked.
//! * **Uploads in parts** write to one preallocated file and keep a ledger beside it; they go on in another
//!   process after every part on disk was checked against its CRC-32C. `complete` reads the file once more where
//!   the request has digests, and only then.
//! * **Links.** No write goes through a symbolic link below the root: every directory is opened without
//!   following one (`openat2` where there is one, else name by name), and a link that has the target's name is
//!   replaced. The root itself may be a link.
//! * **Durability** is what [`Fsync`] says. By default a file that was put survives the end of the process at
//!   once, and a power loss from the next batch on.
//! * **Reads** up to 256 KiB look at the file again afterwards and fail with `Changed`; larger ones hand out the
//!   open file, and whoever reads it compares [`stat`](crate::Store::stat) before and after.

mod case;
mod copy;
mod delete;
mod draft;
mod durable;
mod escape;
mod names;
mod options;
mod read;
mod store;
mod sweep;
mod system;
mod thread;
mod tree;
mod upload;
mod verify;
mod walk;
mod write;

#[cfg(test)]
#[cfg(unix)]
mod tests;

use futures::FutureExt;

pub use self::{
    options::{Fsync, Links, LocalOptions, UnknownWord},
    store::Local,
};
pub use crate::unfinished::content_name as unfinished_name;
use crate::{error::Operation, registry::Family};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "local",
    schemes: &["file"],
    about: "a directory of this machine",
    options: options::OPTIONS,
    open: |remote, path| {
        async move {
            let options = LocalOptions::of(remote)?;
            let path = std::path::PathBuf::from(if path.is_empty() { "." } else { path });
            thread::blocking(Operation::Open, move || Local::open(&path, options)).await
        }
        .boxed()
    },
    digests: &[],
    buckets: None,
};
