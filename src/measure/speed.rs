//! What was measured.

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeStruct};
use sterna_backends::ErrorKind;

/// What is measured, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Pages of the listing, one after the other.
    List,
    /// Small objects written, many at once.
    PutSmall,
    /// Large objects written, one after the other.
    PutStream,
    /// Large objects written at once.
    PutParallel,
    /// Reads of 1 KiB, one after the other, until their first byte.
    FirstByte,
    /// Small objects read, many at once.
    GetSmall,
    /// Ranges of large objects read, one after the other.
    GetStream,
    /// Ranges of large objects read at once.
    GetParallel,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::List,
        Self::PutSmall,
        Self::PutStream,
        Self::PutParallel,
        Self::FirstByte,
        Self::GetSmall,
        Self::GetStream,
        Self::GetParallel,
    ];

    /// The words people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "listing",
            Self::PutSmall => "small objects written",
            Self::PutStream => "written in one stream",
            Self::PutParallel => "written in parallel",
            Self::FirstByte => "first byte",
            Self::GetSmall => "small objects read",
            Self::GetStream => "read in one stream",
            Self::GetParallel => "read in parallel",
        }
    }
}

/// How long each of some operations took, in microseconds, in order of size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Of these times.
    #[must_use]
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut times: Vec<u64> = times.into_iter().map(micros).collect();
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    #[must_use]
    pub fn n(&self) -> usize {
        self.0.len()
    }

    /// Every one of them in microseconds, the shortest first.
    #[must_use]
    pub fn micros(&self) -> &[u64] {
        &self.0
    }

    /// The least of them that at least `percent` of a hundred do not exceed (nearest rank: it is one of the samples, nothing is
    /// interpolated), in microseconds; `None` where there are none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut told = serializer.serialize_struct("Latencies", 7)?;
        told.serialize_field("n", &self.n())?;
        told.serialize_field("min", &self.percentile(0))?;
        told.serialize_field("p50", &self.percentile(50))?;
        told.serialize_field("p90", &self.percentile(90))?;
        told.serialize_field("p95", &self.percentile(95))?;
        told.serialize_field("max", &self.percentile(100))?;
        told.serialize_field("samples", &self.0)?;
        told.end()
    }
}

/// One task at one place.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was done.
    pub task: Task,
    /// Operations that succeeded.
    pub done: u64,
    /// Operations that did not, by kind, after what was tried again.
    pub failed: BTreeMap<ErrorKindName, u64>,
    /// Objects they carried, or told of.
    pub objects: u64,
    /// Bytes they carried.
    pub bytes: u64,
    /// Microseconds from the beginning of the first to the end of the last.
    pub micros: u64,
    /// How many were under way together.
    pub at_once: usize,
    /// How long each that succeeded took, in microseconds: to its end, or, of [`Task::FirstByte`], to its first byte.
    pub latency: Latencies,
}

/// A kind of error, by its name.
pub type ErrorKindName = &'static str;

impl Step {
    /// Objects a second; `None` where nothing was done.
    #[must_use]
    pub fn objects_per_second(&self) -> Option<f64> {
        self.per_second(self.objects)
    }

    /// Bytes a second; `None` where nothing was done.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(self.bytes)
    }

    fn per_second(&self, amount: u64) -> Option<f64> {
        (self.done > 0).then(|| amount as f64 * 1e6 / self.micros.max(1) as f64)
    }

    /// Operations that did not succeed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// What was measured at one place.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Speed {
    /// Each task, in order; those with nothing to do are left out.
    pub steps: Vec<Step>,
    /// Whether the objects read were the user's own; else those that were written just before.
    pub own: bool,
    /// Requests that were sent while it was measured, those tried again counted each time.
    pub requests: u64,
    /// Of these, the ones that failed.
    pub errors: u64,
    /// Of these, the ones the store asked to slow down for.
    pub throttled: u64,
    /// Bytes read and sent, by the same count.
    pub bytes: u64,
    /// Why nothing was written; `None` where something was.
    pub not_written: Option<String>,
    /// What may be left there of what was written, and why; `None`: all was removed.
    pub left_behind: Option<String>,
}

impl Speed {
    /// What was measured of that task.
    #[must_use]
    pub fn of(&self, task: Task) -> Option<&Step> {
        self.steps.iter().find(|step| step.task == task)
    }
}

/// The name of a kind, as JSON has it.
pub(super) const fn name(kind: ErrorKind) -> ErrorKindName {
    kind.describe()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let of = |millis: &[u64]| Latencies::of(millis.iter().map(|millis| Duration::from_millis(*millis)));
        assert_eq!(of(&[]).percentile(50), None);
        assert_eq!(of(&[7]).percentile(95), Some(7000));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred).percentile(50), Some(50_000));
        assert_eq!(of(&hundred).percentile(95), Some(95_000));
        assert_eq!(of(&hundred).percentile(0), Some(1000));
        // With fewer than twenty the 95th is the longest.
        assert_eq!(of(&hundred[..19]).percentile(95), Some(100_000));
    }

    proptest! {
        #[test]
        fn so_many_do_not_exceed_it(times in prop::collection::vec(0_u64..10_000, 1..300), percent in 0_usize..=100) {
            let latencies = Latencies::of(times.iter().map(|micros| Duration::from_micros(*micros)));
            let found = latencies.percentile(percent).unwrap();
            let within = times.iter().filter(|micros| **micros <= found).count();
            let below = times.iter().filter(|micros| **micros < found).count();
            prop_assert!(times.contains(&found));
            prop_assert!(within * 100 >= percent * times.len());
            prop_assert!(below * 100 < percent.max(1) * times.len());
        }
    }
}
