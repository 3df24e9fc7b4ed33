//! The whole river: list, compare, plan, transfer.
//!
//! [`plan`] turns two or more places into a stream of [`Item`](crate::plan::Item)s; [`sync`] pours that stream straight into
//! [`transfer`](crate::transfer); [`apply`] pours a stream that was written down earlier.

mod drive;
mod exempt;
mod job;
mod judge;
mod republished;
mod river;
mod round;
mod undecided;

pub use exempt::{Exempt, Inventory};
pub use job::Job;
pub use river::{Consent, PlanTotals, Planning, Summary, apply, carry_out, plan, sync, sync_with};
