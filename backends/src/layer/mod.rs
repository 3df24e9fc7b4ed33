//! Stores around a store: one concern each.
//!
//! A [`Layer`] says only what it changes; everything else passes through. From the outside in they stand as
//!
//! ```text
//! Fault?  ReadOnly  Prefix  Retry  Pace  Limit  Meter  Fault?  the family
//! ```
//!
//! so that [`Meter`] and [`Pace`] see every attempt, [`Limit`] never slows the waiting between two, and
//! a [`Fault`] inside tests the retries while one outside tests the engine.

mod around;
mod fault;
mod limit;
mod meter;
mod pace;
mod prefix;
mod readonly;
mod retry;
#[cfg(test)]
mod tests;

pub use around::Layer;
pub use fault::{Fault, Faults, Rule, What, When};
pub use limit::{Bandwidth, Clock, InvalidTimetable, Limit, Rate, Timetable};
pub use meter::{Counts, Meter};
pub use pace::{InFlight, Pace, PaceSettings, Pacer, Requests};
pub use prefix::Prefix;
pub use readonly::ReadOnly;
pub(crate) use retry::PATIENCE;
pub use retry::{Retried, Retry, RetrySettings};
