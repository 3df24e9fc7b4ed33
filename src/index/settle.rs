//! A comparison that learns what it is asked for.

use std::sync::Arc;

use sterna_backends::{Entry, Result, Store};

use super::{Shelf, Shelves, digest, learn, parts};
use crate::compare::{Policy, Question, Side, Verdict, Which, judge};

/// A place that is compared, and what is remembered of it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The place.
    pub store: &'a Arc<dyn Store>,
    /// Its part of the index.
    pub shelf: Option<&'a Shelf>,
}

impl<'a> Known<'a> {
    /// `store`, which is place number `at` of `shelves`.
    #[must_use]
    pub fn at(at: usize, store: &'a Arc<dyn Store>, shelves: &'a Shelves) -> Self {
        Self { store, shelf: shelves.get(at) }
    }
}

/// Compares two entries, learning of them what the comparison asks for. The verdict is never [`Verdict::Ask`].
///
/// # Errors
/// `NotFound` where an object vanished meanwhile, `Changed` where it became another; else what stopped a question.
pub async fn settle(
    policy: &Policy,
    (source, target): (Known<'_>, Known<'_>),
    (mine, theirs): (&mut Entry, &mut Entry),
) -> Result<Verdict> {
    let sides = (Side::from(source.store.capabilities()), Side::from(target.store.capabilities()));
    loop {
        match judge(policy, sides, mine, theirs) {
            Verdict::Ask(question) => {
                let (which, asked, other) = match question.which() {
                    Which::Source => (source, &mut *mine, &*theirs),
                    Which::Target => (target, &mut *theirs, &*mine),
                };
                match question {
                    // Not remembered: a stat tells times, too, and who knew the digest only would judge otherwise.
                    Question::Stat(_) => learn(which.store, asked).await?,
                    Question::Digest(_, algorithm) => digest(which.store, which.shelf, asked, algorithm).await?,
                    Question::Parts(_) => parts(which.store, asked, other).await?,
                }
            }
            verdict => return Ok(verdict),
        }
    }
}
