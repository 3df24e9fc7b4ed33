//! What other people's libraries reach, behind our contract: a file or folder a library.
//!
//! Options are the library's own, under the library's names. Only what passed the suite against a real server is in the
//! registry.

#[cfg(feature = "azure")]
mod noted;
#[cfg(feature = "azure")]
mod object_store;
#[cfg(feature = "opendal")]
mod opendal;

#[cfg(feature = "azure")]
pub use object_store::AZURE;
#[cfg(feature = "gcs")]
pub use opendal::GCS;
