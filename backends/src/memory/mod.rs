//! The strict store in memory: for tests, and `memory:NAME` for trying things out.
//!
//! It does exactly what its [`Capabilities`](crate::Capabilities) say and refuses the rest, so a test may give it the
//! capabilities of any family ([`Behaviour`]) and sees what the engine does with them.

mod behaviour;
mod directories;
mod family;
mod listing;
mod object;
mod revision;
mod state;
#[cfg(test)]
mod tests;
mod upload;

pub use behaviour::{Behaviour, Listed};
pub use family::FAMILY;
pub use object::Memory;
