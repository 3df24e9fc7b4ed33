//! Everything that will be read and written at one place, before anything is. Pure.

use std::{collections::BTreeMap, ops::Range};

use serde::Serialize;
use sterna_backends::{Capabilities, Key, Operation};

use super::{Sample, sample::Pick};

/// Pages of a listing that are asked for, at most.
const PAGES: usize = 10;

/// Reads whose first byte is waited for.
const FIRST_BYTES: usize = 50;

/// Bytes of such a read: what a client that wants a header asks for.
const FIRST_BYTES_LENGTH: u64 = 1024;

/// Small objects that are written, and read.
const SMALL_OBJECTS: usize = 100;

/// Bytes of a small object where the user has none to go by.
const SMALL_OBJECT: u64 = 16 * 1024;

/// Transfers of a single stream, one after the other.
const STREAM: u64 = 3;

/// Transfers at once.
pub(super) const PARALLEL: u64 = 8;

/// Below this many bytes a transfer says more of the waiting than of the rate.
const LEAST: u64 = 64 * 1024;

/// Bytes of an object that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The object.
    pub key: Key,
    /// Which of its bytes.
    pub range: Range<u64>,
}

/// What will be done at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Pages of its listing.
    pub pages: usize,
    /// Small objects to write, many at once.
    pub put_small: Vec<(Key, u64)>,
    /// Large objects to write, one after the other.
    pub put_stream: Vec<(Key, u64)>,
    /// Large objects to write at once.
    pub put_parallel: Vec<(Key, u64)>,
    /// Beginnings of objects to read, one after the other.
    pub first_byte: Vec<Slice>,
    /// Small objects to read, many at once.
    pub get_small: Vec<Slice>,
    /// Ranges to read, one after the other.
    pub get_stream: Vec<Slice>,
    /// Ranges to read at once.
    pub get_parallel: Vec<Slice>,
    /// Whether the objects read are the user's own; else those that were written just before.
    pub own: bool,
}

/// What a program takes at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Requests by operation; the sweep at the end is among them.
    pub requests: BTreeMap<Operation, u64>,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// What is done at a place of these `capabilities`, below `folder` (ending in `/`) where it is written to, with at most `budget`
/// bytes both ways together. Without a `folder` nothing is written, nor where the store is read only; without objects
/// of the user's, what was written is read.
#[must_use]
pub fn program(sample: &Sample, capabilities: &Capabilities, budget: u64, folder: Option<&str>) -> Program {
    let mut program = Program { pages: PAGES, own: !sample.is_empty(), ..Program::default() };
    if let Some(folder) = folder.filter(|_| !capabilities.read_only) {
        program.write(sample, capabilities.max_put, budget, folder);
    }
    let written = || Sample {
        small: program.put_small.iter().map(picked).collect(),
        large: program.put_stream.iter().chain(&program.put_parallel).map(picked).collect(),
    };
    let sample = if program.own { sample.clone() } else { written() };
    program.read(&sample, budget);
    program
}

fn picked((key, size): &(Key, u64)) -> Pick {
    Pick { key: key.clone(), size: *size }
}

impl Program {
    /// Half of the budget: an eighth of that for small objects, three for the single stream, four at once.
    fn write(&mut self, sample: &Sample, max_put: u64, budget: u64, folder: &str) {
        let name = |kind: &str, at: u64| Key::new(format!("{folder}{kind}-{at:03}")).ok();
        let sizes = sample.small.iter().map(|pick| pick.size).chain(std::iter::repeat(SMALL_OBJECT));
        let mut left = budget / 16;
        for (at, size) in (0..).zip(sizes.take(SMALL_OBJECTS)).map_while(|(at, size)| Some((name("small", at)?, size)))
        {
            if size <= left.min(max_put) {
                left -= size;
                self.put_small.push((at, size));
            }
        }
        let stream = (budget * 3 / 16 / STREAM).min(max_put);
        let parallel = (budget * 4 / 16 / PARALLEL).min(max_put);
        let large = |kind: &'static str, count: u64, size: u64| {
            (0..count).filter(move |_| size >= LEAST).filter_map(move |at| Some((name(kind, at)?, size)))
        };
        self.put_stream = large("stream", STREAM, stream).collect();
        self.put_parallel = large("parallel", PARALLEL, parallel).collect();
    }

    /// The other half, cut in the same way.
    fn read(&mut self, sample: &Sample, budget: u64) {
        let mut left = budget / 16;
        let all = if sample.small.is_empty() { &sample.large } else { &sample.small };
        for pick in all.iter().cycle().take(if all.is_empty() { 0 } else { FIRST_BYTES }) {
            let length = pick.size.min(FIRST_BYTES_LENGTH);
            if length <= left {
                left -= length;
                self.first_byte.push(Slice { key: pick.key.clone(), range: 0..length });
            }
        }
        for pick in sample.small.iter().take(SMALL_OBJECTS) {
            if pick.size <= left {
                left -= pick.size;
                self.get_small.push(Slice { key: pick.key.clone(), range: 0..pick.size });
            }
        }
        let mut cuts = Cuts::new(&sample.large);
        self.get_stream = cuts.take(STREAM, budget * 3 / 16 / STREAM);
        self.get_parallel = cuts.take(PARALLEL, budget * 4 / 16 / PARALLEL);
    }

    /// What it takes, at most.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let written = || [&self.put_small, &self.put_stream, &self.put_parallel].into_iter().flatten();
        let read = || [&self.first_byte, &self.get_small, &self.get_stream, &self.get_parallel].into_iter().flatten();
        let puts = written().count() as u64;
        let listed = self.pages as u64 + if puts > 0 { 2 } else { 0 };
        let requests = [
            (Operation::List, listed),
            (Operation::Put, puts),
            (Operation::Read, read().count() as u64),
            (Operation::Delete, puts),
        ];
        Estimate {
            requests: requests.into_iter().filter(|(_, count)| *count > 0).collect(),
            bytes_in: read().map(|slice| slice.range.end - slice.range.start).sum(),
            bytes_out: written().map(|(_, size)| size).sum(),
        }
    }
}

/// Ranges of large objects, one after the other: none is read twice before all were, so that what a server keeps in
/// memory helps nobody.
struct Cuts<'a> {
    picks: &'a [Pick],
    at: usize,
    offset: u64,
}

impl<'a> Cuts<'a> {
    fn new(picks: &'a [Pick]) -> Self {
        Self { picks, at: 0, offset: 0 }
    }

    /// So many ranges of at most `length` bytes.
    fn take(&mut self, count: u64, length: u64) -> Vec<Slice> {
        if self.picks.is_empty() || length < LEAST {
            return Vec::new();
        }
        (0..count).map(|_| self.next(length)).collect()
    }

    fn next(&mut self, length: u64) -> Slice {
        let pick = &self.picks[self.at % self.picks.len()];
        let range = self.offset..pick.size.min(self.offset + length);
        self.offset = range.end;
        if range.end == pick.size {
            (self.at, self.offset) = (self.at + 1, 0);
        }
        Slice { key: pick.key.clone(), range }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use sterna_backends::{Store, memory::Memory};

    use super::*;

    fn pick(at: usize, size: u64) -> Pick {
        Pick { key: Key::new(format!("own/{at}")).unwrap(), size }
    }

    fn capabilities() -> Capabilities {
        Arc::new(Memory::new("memory:")).capabilities().clone()
    }

    proptest! {
        #[test]
        fn it_stays_within_its_budget(
            small in prop::collection::vec(1_u64..262_144, 0..200),
            large in prop::collection::vec(1_u64..1 << 33, 0..16),
            budget in 0_u64..1 << 31,
            writes in any::<bool>(),
        ) {
            let picks = |sizes: &[u64]| sizes.iter().enumerate().map(|(at, size)| pick(at, *size)).collect();
            let sample = Sample { small: picks(&small), large: picks(&large) };
            let program = program(&sample, &capabilities(), budget, writes.then_some("reserved/"));
            let Estimate { bytes_in, bytes_out, .. } = program.estimate();
            prop_assert!(bytes_in + bytes_out <= budget);
            prop_assert!(bytes_in <= budget / 2 && bytes_out <= budget / 2);
            prop_assert!(writes || bytes_out == 0);
            for slice in program.get_stream.iter().chain(&program.get_parallel).chain(&program.get_small) {
                prop_assert!(slice.range.start < slice.range.end);
                let size = sample.small.iter().chain(&sample.large).chain(&[]).filter(|pick| pick.key == slice.key).map(|pick| pick.size).max();
                prop_assert!(size.is_none_or(|size| slice.range.end <= size), "{slice:?}");
            }
        }
    }

    #[test]
    fn an_empty_place_reads_what_it_wrote() {
        let program = program(&Sample::default(), &capabilities(), 64 << 20, Some("reserved/"));
        assert!(!program.own);
        assert_eq!(program.put_small.len(), 100);
        assert_eq!(program.first_byte.len(), 50);
        assert_eq!(program.get_small.len(), 100);
        assert_eq!(program.get_parallel.len(), 8);
        assert!(program.get_stream.iter().all(|slice| slice.key.starts_with("reserved/")));
    }

    #[test]
    fn a_place_that_is_read_only_is_only_read() {
        let mut capabilities = capabilities();
        capabilities.read_only = true;
        let sample = Sample { small: vec![pick(0, 10)], large: vec![pick(0, 10)] };
        let program = program(&sample, &capabilities, 64 << 20, Some("reserved/"));
        assert_eq!(program.estimate().bytes_out, 0);
        assert_eq!(program.estimate().requests.get(&Operation::Delete), None);
        assert_eq!(program.get_small.len(), 1);
    }
}
