//! Transfers -> copies, where the content already lies at the destination under another key, or is sent there in the
//! same run. Nothing is sent twice.
//!
//! What lies where is asked of the [`index`](crate::index), so a transfer is not decided on before the destination's
//! listing has ended: what that listing tells is in the index then. A candidate is looked at before it is relied on, and
//! copied only if it is still the same when its turn comes.

mod ledger;
mod order;
mod stage;
mod target;
#[cfg(test)]
mod tests;

pub use stage::{Reuse, Searched, Step};
