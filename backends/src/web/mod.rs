//! What every family that speaks HTTP shares: certificates, patience, bodies, ranges, and statuses as kinds.
//!
//! [`Web`](client::Web) is the client of every family but s3, whose SDK brings a stack of its own; both trust the same
//! certificates, wait equally long and move bytes the same way. Neither follows a redirect nor repeats a request.

#[cfg(feature = "web")]
pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod checked;
#[cfg(feature = "web")]
pub(crate) mod client;
#[cfg(any(feature = "webdav", feature = "ipfs"))]
pub(crate) mod hashing;
pub(crate) mod headers;
#[cfg(feature = "web")]
pub mod notice;
pub(crate) mod patience;
pub(crate) mod range;
#[cfg(feature = "web")]
pub(crate) mod site;
pub(crate) mod status;
pub(crate) mod tls;
#[cfg(any(feature = "s3", feature = "webdav"))]
pub(crate) mod xml;

#[cfg(test)]
#[cfg(feature = "webdav")]
mod tests;
