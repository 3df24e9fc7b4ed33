//! Store -> Listing: byte-ordered, filtered, in bounded memory.

mod absence;
pub mod filter;
mod generation;
mod listing;
mod merge;
mod patience;
mod sort;
mod spool;

/// Before the keys, at any depth, of what sterna itself keeps at a place while it works there. No listing tells of it: it is
/// neither mirrored nor deleted.
pub const OWN: &str = ".sterna-lease/";

pub use absence::{Absences, Grace};
pub use generation::Generation;
pub use listing::{Listing, Scope};
pub use merge::{Merge, Merged, Row};
pub use patience::Patience;
pub use spool::Spool;
