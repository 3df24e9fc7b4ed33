//! Store -> Listing: byte-ordered, filtered, in bounded memory.

mod absence;
pub mod filter;
mod generation;
mod listing;
mod merge;
mod sort;
mod spool;

pub use absence::{Absences, Grace};
pub use generation::Generation;
pub use listing::{Listing, Scope};
pub use merge::{Merge, Merged, Row};
pub use spool::Spool;
