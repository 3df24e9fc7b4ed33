//! Services of opendal as stores: one store, and a profile a service.
//!
//! opendal gives neither atomic writes nor time limits, and folds some keys. So: an object is written in a way in which it
//! appears whole ([`Writes`](profile::Writes)), every call has its time, and a key that the library would change is refused.
//! Nothing is tried again here.
//!
//! A profile is data: the options a service takes, what it holds and tells, and how it is written to.

mod calls;
mod flat;
#[cfg(feature = "gcs")]
mod gcs;
mod place;
mod profile;
mod read;
#[cfg(feature = "sftp")]
mod sftp;
mod store;
mod tree;
mod walk;
mod write;

#[cfg(feature = "gcs")]
pub use gcs::GCS;
#[cfg(feature = "sftp")]
pub use sftp::SFTP;
