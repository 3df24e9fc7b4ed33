//! A comparison that learns what it is asked for.

use std::sync::Arc;

use sterna_backends::{Algorithm, Entry, Error, Result, Store};

use super::{Shelf, Shelves, digest, learn, parts};
use crate::{
    compare::{Policy, Question, Side, Verdict, Which, judge},
    list::Patience,
};

/// A place that is compared, and what is remembered of it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The place.
    pub store: &'a Arc<dyn Store>,
    /// Its part of the index.
    pub shelf: Option<&'a Shelf>,
    /// How long it is waited for, and which place it is there.
    pub patience: Option<(&'a Patience, usize)>,
}

impl<'a> Known<'a> {
    /// `store`, which is place number `at` of `shelves`.
    #[must_use]
    pub fn at(at: usize, store: &'a Arc<dyn Store>, shelves: &'a Shelves) -> Self {
        Self { store, shelf: shelves.get(at), patience: None }
    }

    /// The same, waited for with `patience` as its place number `at`.
    #[must_use]
    pub fn awaited(self, patience: &'a Patience, at: usize) -> Self {
        Self { patience: Some((patience, at)), ..self }
    }
}

/// Why two entries could not be compared, and which side is to blame.
#[derive(Debug)]
pub struct Unsettled {
    /// Whose object could not be looked at.
    pub which: Which,
    /// What stopped it.
    pub error: Error,
}

/// Compares two entries, learning of them what the comparison asks for. The verdict is never [`Verdict::Ask`].
///
/// # Errors
/// The side to blame, and: `NotFound` where an object vanished meanwhile, `Changed` where it became another; else what
/// stopped a question; `Timeout` for a place that is waited for no longer.
pub async fn settle(
    policy: &Policy,
    (source, target): (Known<'_>, Known<'_>),
    (mine, theirs): (&mut Entry, &mut Entry),
) -> Result<Verdict, Unsettled> {
    let sides = (Side::from(source.store.capabilities()), Side::from(target.store.capabilities()));
    forget_other_cut(sides.0, mine, theirs);
    forget_other_cut(sides.1, theirs, mine);
    loop {
        match judge(policy, sides, mine, theirs) {
            Verdict::Ask(question) => {
                let which = question.which();
                let (place, asked, other) = match which {
                    Which::Source => (source, &mut *mine, &*theirs),
                    Which::Target => (target, &mut *theirs, &*mine),
                };
                // Boxed, or every pair would carry the room of a question, and most ask none.
                let answered = Box::pin(answer(question, place, asked, other));
                let answered = match place.patience {
                    Some((patience, at)) => patience.wait(at, answered).await,
                    None => answered.await,
                };
                answered.map_err(|error| Unsettled { which, error })?;
            }
            verdict => return Ok(verdict),
        }
    }
}

/// A digest of parts that was had by reading answers for one way of cutting. What an earlier comparison asked for, of another
/// destination or in another run, is no answer where `other` is cut in another way: it would keep this one from being asked.
fn forget_other_cut(side: Side, entry: &mut Entry, other: &Entry) {
    let cut = |entry: &Entry| entry.digests.get(Algorithm::Parts);
    if side.cheap_read && cut(other).is_some() && cut(entry) != cut(other) {
        entry.digests = entry.digests.iter().copied().filter(|digest| digest.algorithm() != Algorithm::Parts).collect();
    }
}

/// Learns of `asked`, which lies at `place`, what is asked.
async fn answer(question: Question, place: Known<'_>, asked: &mut Entry, other: &Entry) -> Result<()> {
    match question {
        Question::Stat(_) => {
            learn(place.store, asked).await?;
            if let Some(shelf) = place.shelf {
                shelf.remember(asked, &asked.digests);
            }
            Ok(())
        }
        Question::Digest(_, algorithm) => digest(place.store, place.shelf, asked, algorithm).await,
        Question::Parts(_) => parts(place.store, place.shelf, asked, other).await,
    }
}
