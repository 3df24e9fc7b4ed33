//! A comparison that learns what it is asked for.

use std::sync::Arc;

use sterna_backends::{Entry, Result, Store};

use super::{digest, learn, parts};
use crate::compare::{Policy, Question, Side, Verdict, Which, judge};

/// Compares two entries, learning of them what the comparison asks for. The verdict is never [`Verdict::Ask`].
///
/// # Errors
/// `NotFound` where an object vanished meanwhile, `Changed` where it became another; else what stopped a question.
pub async fn settle(
    policy: &Policy,
    (source, target): (&Arc<dyn Store>, &Arc<dyn Store>),
    (mine, theirs): (&mut Entry, &mut Entry),
) -> Result<Verdict> {
    let sides = (Side::from(source.capabilities()), Side::from(target.capabilities()));
    loop {
        match judge(policy, sides, mine, theirs) {
            Verdict::Ask(Question::Stat(Which::Source)) => learn(source, mine).await?,
            Verdict::Ask(Question::Stat(Which::Target)) => learn(target, theirs).await?,
            Verdict::Ask(Question::Digest(Which::Source, algorithm)) => digest(source, mine, algorithm).await?,
            Verdict::Ask(Question::Digest(Which::Target, algorithm)) => digest(target, theirs, algorithm).await?,
            Verdict::Ask(Question::Parts(Which::Source)) => parts(source, mine, theirs).await?,
            Verdict::Ask(Question::Parts(Which::Target)) => parts(target, theirs, mine).await?,
            verdict => return Ok(verdict),
        }
    }
}
