//! The suite every store and every layer passes: one check a guarantee.
//!
//! It is public so that `sterna doctor` runs it against a real endpoint. It works below a prefix of its own,
//! removes what it made, sends less than 40 MiB, and says what it cost. What a store's
//! [`Capabilities`](crate::Capabilities) do not offer is not asked of it, and the report says so; what they do offer is
//! held against it.

mod checks;
mod copying;
mod deleting;
mod directories;
mod errors;
mod keys;
mod listing;
mod metadata;
mod parts;
mod reading;
mod report;
mod site;
mod suite;
mod versions;
mod writing;

pub use report::{Checked, Outcome, Report};
pub use suite::{Options, run};

static THEMES: &[&[checks::Check]] = &[
    errors::CHECKS,
    writing::CHECKS,
    reading::CHECKS,
    keys::CHECKS,
    listing::CHECKS,
    metadata::CHECKS,
    parts::CHECKS,
    copying::CHECKS,
    deleting::CHECKS,
    directories::CHECKS,
    versions::CHECKS,
];

/// All checks, in the order in which they run.
fn all() -> impl Iterator<Item = &'static checks::Check> + Send {
    THEMES.iter().copied().flatten()
}
