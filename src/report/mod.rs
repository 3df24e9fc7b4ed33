//! Events -> summary, findings -> a comparison and its page: folds. They print nothing.

mod comparison;
mod departures;
pub mod html;
mod prices;
mod summary;
pub mod words;

pub use comparison::{Comparison, Provider};
pub use departures::Departures;
pub use prices::{Priced, Prices};
pub use summary::{Summary, Tally, Under};
