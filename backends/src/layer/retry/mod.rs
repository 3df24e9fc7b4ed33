//! [`Retry`]: makes calls again that failed for a reason that may pass.

mod layer;
mod listing;
mod policy;
mod resume;
mod silence;
#[cfg(test)]
mod tests;

pub use layer::Retry;
pub(crate) use policy::PATIENCE;
pub use policy::{Retried, RetrySettings};
