//! Events -> summary, findings -> a comparison and its page: folds. They print nothing.

mod comparison;
mod summary;

pub use comparison::{Comparison, Provider};
pub use summary::{Summary, Tally, Under};
