//! Services of opendal as stores: one store, and a profile a service.
//!
//! opendal has no time limits, and folds some keys. So: every call has its time, and a key that the library would change is
//! refused. Nothing is tried again here. A service is a bucket of keys, in which objects appear whole; one that is a tree of
//! files, and has to be written to by another way, was better served by a family of its own each time.
//!
//! A profile is data: the options a service takes, what it holds and tells, and how it is written to.

mod calls;
#[cfg(feature = "gcs")]
mod gcs;
mod list;
mod place;
mod profile;
mod read;
mod store;
mod write;

#[cfg(feature = "gcs")]
pub use gcs::GCS;
