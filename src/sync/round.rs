//! Which of several destinations are made together, and which after them.

use std::{collections::BTreeSet, sync::Arc};

use super::job::Job;
use crate::{list::Patience, plan::Intent};

/// Destinations that are planned and made together; the default takes all.
#[derive(Clone, Debug, Default)]
pub(super) struct Round(Option<Arc<BTreeSet<usize>>>);

impl Round {
    /// Whether destination `to`, from 1, is of this round.
    pub(super) fn takes(&self, to: usize) -> bool {
        self.0.as_ref().is_none_or(|round| round.contains(&to))
    }

    /// How long its destinations wait for one another. A second round waits for all: everything else is done.
    pub(super) fn patience(&self, job: &Job) -> Patience {
        match job.patience.filter(|_| self.0.is_none() && job.intent != Intent::Move) {
            Some(most) => Patience::new(most, 1 + job.targets.len()),
            None => Patience::default(),
        }
    }

    /// The round of those who were left behind; `None`: nobody was.
    pub(super) fn of_those_behind(job: &Job, patience: &Patience) -> Option<Self> {
        let behind: BTreeSet<usize> = (1..=job.targets.len()).filter(|to| patience.left_behind(*to)).collect();
        (!behind.is_empty()).then(|| Self(Some(Arc::new(behind))))
    }
}
