//! Which of the user's own objects are read. Pure: the same places give the same sample, so that two runs compare.

use sterna_backends::Key;

use crate::verify::{Cell, Seen};

/// Objects up to this size, in bytes, count as small: one request each, whose time is mostly waiting.
const SMALL: u64 = 256 * 1024;

/// Small objects that are kept to choose from.
const MANY: usize = 200;

/// Large objects that are kept, the largest.
const LARGE: usize = 16;

/// An object that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Its key.
    pub key: Key,
    /// Its bytes, at least one.
    pub size: u64,
}

/// Objects that may be read at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Small ones, any of them as likely as any other.
    pub small: Vec<Pick>,
    /// The largest ones, largest first.
    pub large: Vec<Pick>,
}

impl Sample {
    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }
}

/// Picks objects as they come by, in bounded memory.
#[derive(Debug)]
pub struct Sampler {
    /// What all places hold alike: the fairest to compare them by.
    shared: Gathered,
    places: Vec<Gathered>,
    random: fastrand::Rng,
}

#[derive(Clone, Debug, Default)]
struct Gathered {
    sample: Sample,
    /// Small objects that came by.
    small: usize,
}

impl Sampler {
    /// For so many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            shared: Gathered::default(),
            places: vec![Gathered::default(); places],
            random: fastrand::Rng::with_seed(0),
        }
    }

    /// Looks at the next key.
    pub fn take(&mut self, seen: &Seen) {
        let Some(size) = seen.size.filter(|size| *size > 0) else { return };
        let same = |cell: &Cell| matches!(cell, Cell::First | Cell::Same { .. });
        let pick = || Pick { key: seen.key.clone(), size };
        if seen.cells.iter().all(same) {
            self.shared.take(pick(), &mut self.random);
        }
        // Where an object differs its size is not known here.
        for (place, _) in self.places.iter_mut().zip(&seen.cells).filter(|(_, cell)| same(cell)) {
            place.take(pick(), &mut self.random);
        }
    }

    /// What is to be read at each place: the same objects at all of them, where there are such.
    #[must_use]
    pub fn finish(self) -> Vec<Sample> {
        let shared = self.shared.sample;
        let or = |shared: &Vec<Pick>, own: Vec<Pick>| if shared.is_empty() { own } else { shared.clone() };
        let chosen = |own: Gathered| Sample {
            small: or(&shared.small, own.sample.small),
            large: or(&shared.large, own.sample.large),
        };
        self.places.into_iter().map(chosen).collect()
    }
}

impl Gathered {
    fn take(&mut self, pick: Pick, random: &mut fastrand::Rng) {
        let Sample { small, large } = &mut self.sample;
        if pick.size <= SMALL {
            self.small += 1;
            if small.len() < MANY {
                small.push(pick.clone());
            } else {
                // Each of those seen so far stays with the same likelihood (Vitter's algorithm R).
                let at = random.usize(..self.small);
                if at < MANY {
                    small[at] = pick.clone();
                }
            }
        }
        let at = large.partition_point(|known| known.size >= pick.size);
        if at < LARGE {
            large.insert(at, pick);
            large.truncate(LARGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(key: &str, size: u64, cells: Vec<Cell>) -> Seen {
        Seen { key: Key::new(key).unwrap(), size: Some(size), cells }
    }

    #[test]
    fn what_all_places_hold_is_preferred() {
        let mut sampler = Sampler::new(2);
        sampler.take(&seen("alone", 9, vec![Cell::First, Cell::Missing]));
        sampler.take(&seen("both", 7, vec![Cell::First, Cell::Same { evidence: crate::compare::Evidence::Likely }]));
        let samples = sampler.finish();
        assert_eq!(samples[0], samples[1]);
        assert_eq!(samples[0].small.iter().map(|pick| pick.key.as_str()).collect::<Vec<_>>(), ["both"]);
    }

    #[test]
    fn where_nothing_is_shared_each_place_reads_its_own() {
        let mut sampler = Sampler::new(2);
        sampler.take(&seen("mine", 9, vec![Cell::First, Cell::Missing]));
        let samples = sampler.finish();
        assert_eq!(samples[0].small.len(), 1);
        assert!(samples[1].is_empty());
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_keeps_the_largest(sizes in prop::collection::vec(0_u64..2_000_000, 0..600)) {
            let mut sampler = Sampler::new(1);
            for (at, size) in sizes.iter().enumerate() {
                sampler.take(&seen(&format!("{at:04}"), *size, vec![Cell::First]));
            }
            let sample = sampler.finish().remove(0);
            prop_assert!(sample.small.len() <= MANY && sample.large.len() <= LARGE);
            prop_assert!(sample.small.iter().all(|pick| pick.size > 0 && pick.size <= SMALL));
            let mut sorted: Vec<u64> = sizes.into_iter().filter(|size| *size > 0).collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(LARGE);
            prop_assert_eq!(sample.large.iter().map(|pick| pick.size).collect::<Vec<_>>(), sorted);
        }
    }
}
