//! The engine of sterna: a river.
//!
//! The rooms stand in the order in which data flows. A room uses only rooms above it; nobody uses the face
//! (`bin/sterna`), and `sterna-backends` uses nobody. `tests/architecture.rs` enforces this.

// A blank line between them keeps the order: it is the order of the flow, not of the alphabet.

pub mod event;

pub mod list;

pub mod compare;

pub mod index;

pub mod plan;

pub mod price;

pub mod reuse;

pub mod transfer;

pub mod spending;

pub mod verify;

pub mod lease;

pub mod measure;

pub mod archive;

pub mod report;

pub mod history;

pub mod sync;

pub mod jobs;

pub use sterna_backends as backends;
