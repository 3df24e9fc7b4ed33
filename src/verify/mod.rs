//! Two places -> a proof that they hold the same, or what differs.

mod check;

pub use check::{CheckSettings, Checked, Finding, Findings, check};
