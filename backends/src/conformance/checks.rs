//! What a check is, and what it finds.

use futures::future::BoxFuture;

use super::site::Site;
use crate::error::{Error, ErrorKind, Result};

/// One guarantee and how it is tried.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) guarantee: &'static str,
    pub(super) run: Run,
}

pub(super) type Run = for<'a> fn(&'a Site) -> BoxFuture<'a, Verdict>;

impl Check {
    pub(super) const fn new(name: &'static str, guarantee: &'static str, run: Run) -> Self {
        Self { name, guarantee, run }
    }
}

/// `Ok`: the guarantee held.
pub(super) type Verdict = Result<(), Trouble>;

/// Why a check did not end well.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The guarantee does not hold.
    Broken(String),
    /// The capabilities do not offer what it is about.
    NotOffered(String),
}

/// A call that should have worked.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// # Errors
/// `Broken`, unless `holds`.
pub(super) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Trouble::Broken(what())) }
}

/// # Errors
/// `NotOffered`, unless `offered`.
pub(super) fn offered(offered: bool, why: &str) -> Verdict {
    if offered { Ok(()) } else { Err(Trouble::NotOffered(why.to_owned())) }
}

/// # Errors
/// `Broken`, unless `result` is an error of one of `kinds`.
pub(super) fn fails<T>(result: Result<T>, kinds: &[ErrorKind], what: &str) -> Verdict {
    let wanted = || kinds.iter().map(|kind| kind.describe()).collect::<Vec<_>>().join(" or ");
    match result {
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(Trouble::Broken(format!("{what}: expected '{}', got: {error}", wanted()))),
        Ok(_) => Err(Trouble::Broken(format!("{what}: expected '{}', but it succeeded", wanted()))),
    }
}
