//! What a run sends to each of its remotes and what that costs: as it was quoted, and as it was.
//!
//! `accounts` counts, `row` is what one remote's part comes to, `words` tells it to people, and `limit` ends a run that costs more than
//! it may.

mod accounts;
mod limit;
mod row;
mod words;

pub use accounts::{Bill, Role};
pub use limit::Limit;
pub use row::Row;
pub use words::{say_quote, say_sent, shown, words};
