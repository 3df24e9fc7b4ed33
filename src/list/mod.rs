//! Store -> Listing: byte-ordered, filtered, in bounded memory.

pub mod filter;
mod listing;
mod merge;
mod sort;
mod spool;

pub use listing::{Listing, Scope};
pub use merge::{Merge, Merged, Row};
pub use spool::Spool;
