//! What other people's libraries reach, behind our contract.
//!
//! A service is a line of data: the options it takes, which are the library's own under the library's names, and what
//! its protocol can do beyond what the library tells. Only what passed the suite against a real server is in the
//! registry.

#[cfg(feature = "opendal")]
mod calls;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "azure")]
mod noted;
#[cfg(feature = "azure")]
mod object_store;

#[cfg(feature = "gcs")]
pub use gcs::GCS;
#[cfg(feature = "azure")]
pub use object_store::AZURE;
