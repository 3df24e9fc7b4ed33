//! Two places -> a proof that they hold the same, or what differs.

mod check;
mod settle;

pub use check::{CheckSettings, Checked, Finding, Findings, check};
pub use settle::settle;
