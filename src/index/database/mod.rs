//! The file: SQLite, one writer on a thread of its own, readers beside it.
//!
//! Rows are written in the order in which they come, which is mostly that of the keys. A run that is killed loses the
//! last rows, and the file stays whole; two runs at once wait for each other's writes.

mod export;
pub(crate) mod file;
mod open;
mod queue;
mod read;
mod schema;
mod write;

pub use open::{Index, IndexError};
pub(super) use read::Page;
pub use read::{PlaceStats, Stats};
