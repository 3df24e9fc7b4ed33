//! Files that are not finished yet, on stores that hold an object back by writing it under another name: what they are
//! called, and which of them nobody finishes any more.

#[cfg(any(feature = "webdav", feature = "ftp", feature = "sftp", feature = "ipfs"))]
mod draft;
mod ledger;
mod names;
mod stale;

#[cfg(any(feature = "webdav", feature = "ftp", feature = "sftp", feature = "ipfs"))]
pub(crate) use draft::{Draft, Removes};
pub(crate) use ledger::{Change, Head, Ledger, Record};
pub use names::content_name;
#[cfg(any(feature = "webdav", feature = "ftp", feature = "sftp", feature = "ipfs"))]
pub(crate) use names::is_unfinished;
#[cfg(feature = "webdav")]
pub(crate) use names::new_name;
pub(crate) use names::{Leftover, ledger_name, leftover};
pub(crate) use stale::{Stale, is_stale};
