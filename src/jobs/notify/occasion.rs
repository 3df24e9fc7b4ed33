//! [`Occasion`]: what there is to tell of a run.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use sterna_backends::{ErrorKind, Timestamp};

use crate::jobs::{RunRecord, Verdict};

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A run failed.
    Failure,
    /// A run succeeded after a failure that was told, or a target is in step that was told to be stale.
    Recovery,
    /// A budget is spent, so that a run was not begun or not ended.
    Budget,
    /// A target was not in step for too long.
    Staleness,
}

impl Occasion {
    /// All, in the order in which people read of them.
    pub const ALL: [Self; 4] = [Self::Failure, Self::Recovery, Self::Budget, Self::Staleness];

    /// Its word, in the configuration and in notices.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Budget => "budget",
            Self::Staleness => "staleness",
        }
    }
}

/// What there is to tell of the last of `runs`, which are in the order in which they ended. The same trouble is told again only after `quiet`.
/// `runs` should reach back as far as that, or to the first run: what lies before them counts as never told.
#[must_use]
pub fn told(runs: &[RunRecord], quiet: Duration) -> BTreeSet<Occasion> {
    let mut memory = Memory::default();
    let mut last = BTreeSet::new();
    for run in runs {
        let Some(ended) = run.ended else { continue };
        last = memory.hear(run, ended, quiet);
    }
    last
}

/// What was told before.
#[derive(Default)]
struct Memory {
    failure: Option<Timestamp>,
    budget: Option<Timestamp>,
    /// A failure was told, and no recovery since.
    is_open: bool,
}

impl Memory {
    fn hear(&mut self, run: &RunRecord, ended: Timestamp, quiet: Duration) -> BTreeSet<Occasion> {
        let mut told = BTreeSet::new();
        if run.verdict.is_success() {
            if std::mem::take(&mut self.is_open) {
                told.insert(Occasion::Recovery);
            }
            return told;
        }
        if run.verdict.is_trouble() && again(&mut self.failure, ended, quiet) {
            self.is_open = true;
            told.insert(Occasion::Failure);
        }
        let is_spent = matches!(run.verdict, Verdict::Skipped | Verdict::Stopped)
            && run.first_failure().is_some_and(|failure| failure.kind == ErrorKind::Capped);
        if is_spent && again(&mut self.budget, ended, quiet) {
            told.insert(Occasion::Budget);
        }
        told
    }
}

/// Whether what was last told at `before` is to be told at `now`; then it is noted.
fn again(before: &mut Option<Timestamp>, now: Timestamp, quiet: Duration) -> bool {
    let is_due = before.is_none_or(|before| since(before, now) >= quiet);
    if is_due {
        *before = Some(now);
    }
    is_due
}

/// How long `then` is ago.
pub(super) fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(now.as_nanos().saturating_sub(then.as_nanos())).unwrap_or(0))
}
