//! Events -> summary: a fold. It prints nothing.

mod summary;

pub use summary::{Summary, Tally, Under};
