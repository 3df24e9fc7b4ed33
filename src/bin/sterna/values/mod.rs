//! Values of flags as people write them.
//!
//! The forms are rclone's (<https://rclone.org/docs/#options>); where more is taken than rclone takes, it says so.

mod invalid;
mod money;
mod number;
mod size;
mod time;
mod traffic;

pub use invalid::InvalidValue;
pub use money::{Money, money};
pub use size::Size;
pub use time::{Age, Span};
pub use traffic::{Churn, Kept, Lifetime, Traffic, bytes_of};

#[cfg(test)]
mod tests;
