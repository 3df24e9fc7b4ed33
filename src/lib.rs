//! The engine of sterna: a river.
//!
//! The rooms stand in the order in which data flows. A room uses only rooms above it; nobody uses the face
//! (`bin/sterna`), and `sterna-backends` uses nobody. `tests/architecture.rs` enforces this.

pub mod compare;
pub mod event;
pub mod index;
pub mod list;
pub mod plan;
pub mod report;
pub mod sync;
pub mod transfer;
pub mod verify;

pub use sterna_backends as backends;
