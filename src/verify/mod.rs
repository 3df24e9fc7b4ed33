//! Two places -> a proof that they hold the same, or what differs. Several places -> what each of them holds.

mod check;
mod coverage;

pub use check::{CheckSettings, Checked, Finding, Findings, check};
pub use coverage::{Cell, Coverage, Holding, Pattern, Seen, State, coverage};
