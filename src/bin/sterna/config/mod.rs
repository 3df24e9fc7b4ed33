//! The settings of the face: where the file lies, what it and the environment say, and remotes made of it.
//!
//! One TOML file of `[remote.NAME]` tables. Every value is a text, or says where the text is to be had
//! ([`given`]); it is had only when the remote is used. Every key can be overridden by the environment
//! ([`environment`]). Beside them `[budget.NAME]` and `[job.NAME]` ([`fields`]). Every error names the file, line and column, or the variable, and what to do.

mod budget;
mod check;
mod environment;
mod error;
mod fields;
mod file;
mod given;
pub mod import;
mod job;
mod locate;
mod notify;
mod prices;
mod remotes;
mod show;

pub use budget::{BeyondFree, Budget, money};
pub use check::check;
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrorKind};
pub use locate::{locate, open_to_others};
pub use remotes::Config;
pub use show::show;

use sterna_backends::registry::{COMMON_OPTIONS, Family, OptionSpec};

/// The families a configuration may name.
type Families = &'static [&'static Family];

/// Every option a remote of `family` takes.
fn specs(family: &'static Family) -> impl Iterator<Item = &'static OptionSpec> {
    family.options.iter().chain(COMMON_OPTIONS)
}

#[cfg(test)]
mod tests;
