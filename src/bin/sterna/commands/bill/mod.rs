//! What a run sends to each of its remotes and what that costs: as it was quoted, and as it was.
//!
//! `accounts` counts, `past` is what was before, `row` is what one remote's part comes to, `words` tells it to people, and
//! `limit` ends a run that costs more than it may.

mod accounts;
mod limit;
mod past;
mod row;
mod words;

pub use accounts::{Bill, Role};
pub use limit::Limit;
pub use past::{Past, Stored};
pub use row::Row;
pub use words::{say_quote, say_sent, shown, words};
