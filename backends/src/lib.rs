//! What a store is, and every store sterna speaks to.
//!
//! The words both sides share come first ([`entry`], [`capability`], [`error`]), then the contract
//! ([`store`]), then the families that keep it, and the layers that are a store around a store.
//! This crate uses nobody: it never prints, and reads the environment only where a family's own
//! credential chain is asked to (`s3`).

#[cfg(any(feature = "opendal", feature = "azure"))]
pub mod adaptor;
#[cfg(feature = "b2")]
pub mod b2;
pub mod body;
pub mod capability;
pub mod digest;
#[cfg(any(feature = "webdav", feature = "ftp", feature = "sftp", feature = "ipfs"))]
mod directories;
pub mod entry;
pub mod error;
#[cfg(feature = "ftp")]
pub mod ftp;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "ipfs")]
pub mod ipfs;
pub mod layer;
pub mod local;
pub mod location;
pub mod memory;
#[cfg(any(feature = "s3", feature = "b2"))]
mod past;
pub mod registry;
pub mod request;
#[cfg(feature = "s3")]
pub mod s3;
pub mod secret;
#[cfg(feature = "sftp")]
pub mod sftp;
pub mod skipped;
pub mod store;
pub mod sums;
mod sweep;
#[cfg(any(feature = "ftp", feature = "sftp", feature = "ipfs"))]
mod tree;
mod unfinished;
pub mod unopened;
#[cfg(any(feature = "webdav", feature = "http", feature = "ftp", feature = "sftp", feature = "ipfs"))]
mod walk;
#[cfg(any(feature = "s3", feature = "web"))]
#[cfg_attr(
    all(
        any(feature = "azure", feature = "ftp", feature = "opendal", feature = "sftp"),
        not(any(feature = "b2", feature = "webdav", feature = "http", feature = "ipfs"))
    ),
    expect(dead_code, reason = "each takes a part of it")
)]
mod web;
#[cfg(feature = "webdav")]
pub mod webdav;
pub mod words;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use body::{Body, Chunks, Tap};
pub use capability::{Capabilities, CopyAbility, DeleteMeaning, KeyRules, MultipartAbility, OldVersions, Order};
pub use entry::{Algorithm, Digest, Digests, Entry, Key, Kind, Metadata, Timestamp, Version};
pub use error::{Error, ErrorKind, Operation, Result};
pub use request::{Called, Ledger, Requests, Spend, Turn};
pub use store::{
    Begun, CopySource, Deleted, Enter, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest,
    ReadRequest, Reader, Store, StoreExt, UploadToken, VersionScope, Whereabouts,
};
pub use sweep::sweep;
#[cfg(feature = "web")]
pub use web::notice;
