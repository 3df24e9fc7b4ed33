//! `compare`: what each of several places holds. Nobody is the source: what a key stands for is what the first place
//! that has it holds, and the others are compared with that.

use std::{collections::BTreeMap, sync::Arc};

use futures::StreamExt;
use serde::Serialize;
use sterna_backends::{Entry, Error, Key, Result, Store};

use super::check::{CheckSettings, Findings, compare_pair};
use crate::{
    compare::{Evidence, Reason},
    event::Observers,
    index::{self, Known, Shelves},
    list::{Listing, Merge, Merged, Row},
};

/// Why nothing is said of two objects that may well be the same.
const NO_EVIDENCE: &str = "the same size, other times, and no digest that both sides know";

/// One key and what became of it at each place.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// The key.
    pub key: Key,
    /// Bytes at the first place that has it, where known.
    pub size: Option<u64>,
    /// What each place has under it, in the order of the places.
    pub cells: Vec<Cell>,
}

/// What a place has under a key.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "cell", rename_all = "snake_case")]
pub enum Cell {
    /// Nothing.
    Missing,
    /// An object; it is the first place that has one, and the others are compared with it.
    First,
    /// The same as the first.
    Same {
        /// On what that rests.
        evidence: Evidence,
    },
    /// Not the same as the first.
    Differs {
        /// In what.
        reason: Reason,
    },
    /// An object that could not be compared, or of which nothing tells whether it is the same: other times, the same size,
    /// and no digest that both sides know.
    Unknown {
        /// Why.
        message: String,
    },
}

/// [`Cell`], without the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What the first place that has the key holds.
    Held,
    /// Something else under the same key.
    Differs,
    /// Something that could not be compared; see [`Cell::Unknown`].
    Unknown,
    /// Nothing.
    Missing,
}

impl Cell {
    /// The cell without its reasons.
    #[must_use]
    pub const fn state(&self) -> State {
        match self {
            Self::First | Self::Same { .. } => State::Held,
            Self::Differs { .. } => State::Differs,
            Self::Unknown { .. } => State::Unknown,
            Self::Missing => State::Missing,
        }
    }
}

/// What one place holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Objects.
    pub objects: u64,
    /// Their bytes, as the first place that has each tells them.
    pub bytes: u64,
    /// Objects that no place before it has: the others are compared with these.
    pub first: u64,
    /// The same as the first by a digest.
    pub proven: u64,
    /// The same by size and time.
    pub likely: u64,
    /// The same by size alone.
    pub unproven: u64,
    /// Not the same as the first.
    pub differing: u64,
    /// Could not be compared; see [`Cell::Unknown`].
    pub unknown: u64,
    /// Held elsewhere and not here.
    pub missing: u64,
    /// Held nowhere else.
    pub only_here: u64,
}

/// Keys with which all places stand the same.
#[derive(Clone, Debug, Serialize)]
pub struct Pattern {
    /// How each place stands.
    pub states: Vec<State>,
    /// How many keys.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first of them in byte order.
    pub example: Key,
}

impl Pattern {
    /// Whether every place holds the same.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.states.iter().all(|state| *state == State::Held)
    }
}

/// What was found of all keys.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// Keys that any place has.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys under which all places hold the same.
    pub everywhere: u64,
    /// What each place holds, in the order of the places.
    pub places: Vec<Holding>,
    /// The ways in which the places stand beside one another, most keys first.
    pub patterns: Vec<Pattern>,
}

impl Coverage {
    /// Whether anything is missing, differs or could not be compared anywhere.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.everywhere < self.objects
    }

    fn add(&mut self, seen: &Seen, patterns: &mut BTreeMap<Vec<State>, Pattern>) {
        let bytes = seen.size.unwrap_or_default();
        let states: Vec<State> = seen.cells.iter().map(Cell::state).collect();
        let alone = states.iter().filter(|state| **state != State::Missing).count() == 1;
        self.objects += 1;
        self.bytes += bytes;
        self.everywhere += u64::from(states.iter().all(|state| *state == State::Held));
        for (place, cell) in self.places.iter_mut().zip(&seen.cells) {
            place.add(cell, bytes, alone);
        }
        let pattern = patterns.entry(states).or_insert_with_key(|states| Pattern {
            states: states.clone(),
            objects: 0,
            bytes: 0,
            example: seen.key.clone(),
        });
        pattern.objects += 1;
        pattern.bytes += bytes;
    }
}

impl Holding {
    fn add(&mut self, cell: &Cell, bytes: u64, alone: bool) {
        let count = match cell {
            Cell::Missing => {
                self.missing += 1;
                return;
            }
            Cell::First => &mut self.first,
            Cell::Same { evidence: Evidence::Proven(_) } => &mut self.proven,
            Cell::Same { evidence: Evidence::Likely } => &mut self.likely,
            Cell::Same { evidence: Evidence::Unproven } => &mut self.unproven,
            Cell::Differs { .. } => &mut self.differing,
            Cell::Unknown { .. } => &mut self.unknown,
        };
        *count += 1;
        self.objects += 1;
        self.bytes += bytes;
        self.only_here += u64::from(alone);
    }
}

/// Lays `stores` beside one another and hands every key to `tell`, in byte order. Keys below `aside` are passed over:
/// what our own runs write there is nobody's content. `settings.one_way` does not matter here.
///
/// # Errors
/// What ended one of the listings; then the counts would be worth nothing.
pub async fn coverage(
    stores: &[Arc<dyn Store>],
    settings: &CheckSettings,
    aside: &str,
    observer: &Observers,
    mut tell: impl FnMut(&Seen),
) -> Result<Coverage> {
    let open = |(place, store)| Listing::open(store, &settings.scope, place, Arc::clone(observer)).by_key();
    let merge = Merge::new(stores.iter().enumerate().map(open).collect());
    let shelves = Shelves::of(settings.index.as_ref(), stores);
    let rows = index::rows(merge, shelves.walks(settings.scope.is_everything()));
    let shelves = &shelves;
    let compare = |told: Result<Merged>| async move {
        let Some(row) = told?.row()? else { return Ok(None) };
        let known = |at: usize| Known::at(at, &stores[at], shelves);
        let mine = !row.key.starts_with(aside);
        Ok::<_, Error>(if mine { lay_beside(known, settings, observer, row).await } else { None })
    };
    let mut seen = std::pin::pin!(rows.map(compare).buffered(settings.checkers.max(1)));
    let mut coverage = Coverage { places: vec![Holding::default(); stores.len()], ..Coverage::default() };
    let mut patterns = BTreeMap::new();
    while let Some(row) = seen.next().await {
        if let Some(row) = row? {
            coverage.add(&row, &mut patterns);
            tell(&row);
        }
    }
    coverage.patterns = patterns.into_values().collect();
    coverage.patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.objects));
    Ok(coverage)
}

/// `None` where the filter has nothing of it.
async fn lay_beside<'a>(
    known: impl Fn(usize) -> Known<'a>,
    settings: &CheckSettings,
    observer: &Observers,
    row: Row,
) -> Option<Seen> {
    let first = row.entries.iter().position(Option::is_some)?;
    let reference: Entry = row.entries[first].clone()?;
    if !settings.scope.filter.admits(&reference) {
        return None;
    }
    let mut cells = Vec::with_capacity(row.entries.len());
    for (at, entry) in row.entries.into_iter().enumerate() {
        cells.push(match entry {
            None => Cell::Missing,
            Some(_) if at == first => Cell::First,
            Some(theirs) => {
                let pair = (known(first), known(at));
                match compare_pair(pair, settings, observer, (&mut reference.clone(), theirs)).await {
                    Ok(Findings::Match { evidence }) => Cell::Same { evidence },
                    // A copy that keeps no times looks like this; who wants to know has it read.
                    Ok(Findings::Differs { reason: Reason::Time }) => Cell::Unknown { message: NO_EVIDENCE.to_owned() },
                    Ok(Findings::Differs { reason }) => Cell::Differs { reason },
                    Ok(Findings::Error { message }) => Cell::Unknown { message },
                    Ok(Findings::MissingAtDestination | Findings::MissingAtSource) => Cell::Missing,
                    Err(error) => Cell::Unknown { message: error.to_string() },
                }
            }
        });
    }
    Some(Seen { key: row.key, size: reference.size, cells })
}

#[cfg(test)]
mod tests {
    use sterna_backends::{
        Body, PutRequest, Timestamp,
        memory::{Behaviour, Memory},
    };

    use super::*;
    use crate::{compare::Policy, event::Silent, list::Scope};

    /// A place that tells sizes and times, no digests, and is dear to read.
    async fn mute(objects: &[(&str, &'static str, i64)]) -> Arc<dyn Store> {
        let mut behaviour = Behaviour::directory();
        behaviour.capabilities.cheap_read = false;
        let store = Memory::with("mute", behaviour);
        for (name, text, seconds) in objects {
            let modified = Some(Timestamp::from_parts(*seconds, 0));
            let request = PutRequest { modified, size: Some(text.len() as u64), ..PutRequest::default() };
            store.put(&Key::new(*name).unwrap(), request, Body::from(text.as_bytes())).await.unwrap();
        }
        Arc::new(store)
    }

    #[tokio::test]
    async fn without_evidence_nothing_is_said_to_differ() {
        let ours = [("other-time", "x", 1), ("same-time", "x", 1), ("size", "x", 1)];
        let theirs = [("other-time", "x", 2), ("same-time", "x", 1), ("size", "longer", 2)];
        let stores = [mute(&ours).await, mute(&theirs).await];
        let settings = CheckSettings {
            scope: Scope::default(),
            policy: Policy::default(),
            download: false,
            one_way: false,
            index: None,
            checkers: 4,
        };
        let observer: Observers = Arc::new(Silent);
        let mut states = BTreeMap::new();
        let tell = |seen: &Seen| {
            states.insert(seen.key.to_string(), seen.cells[1].state());
        };
        let found = coverage(&stores, &settings, "aside/", &observer, tell).await.unwrap();
        let expected = [("other-time", State::Unknown), ("same-time", State::Held), ("size", State::Differs)]
            .map(|(key, state)| (key.to_owned(), state));
        assert_eq!(states, BTreeMap::from(expected));
        let theirs = &found.places[1];
        assert_eq!((theirs.likely, theirs.unknown, theirs.differing, found.everywhere), (1, 1, 1, 1));
    }
}
