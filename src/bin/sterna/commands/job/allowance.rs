//! What a job may still be spent this month.

use std::{future::pending, time::Duration};

use sterna::{
    backends::layer::Counts,
    history::{History, Month},
    jobs::Saved,
    price::Decimal,
    transfer::{Stop, StopReason},
};

use crate::{
    commands::{bill::Bill, history},
    config::{BeyondFree, Budget},
    exit::{Exit, Failure},
    values::Money,
};

/// How often it is looked whether a run has cost what it may.
const LOOKED: Duration = Duration::from_millis(500);

/// What is left of a job's budget.
#[derive(Debug, Default)]
pub struct Allowed {
    egress: Option<u64>,
    cost: Option<Money>,
}

impl Allowed {
    /// What the runs of this month have left. With `over_budget` nothing is limited.
    ///
    /// # Errors
    /// [`Exit::OverBudget`] where nothing is left.
    pub fn of(job: &Saved, past: &History, over_budget: bool) -> Result<Self, Failure> {
        let Some(budget) = job.budget.as_ref().filter(|_| !over_budget) else { return Ok(Self::default()) };
        let (from, to) = history::month(None)?;
        let months = past
            .between_of(&super::command(job), from, to)
            .map_err(|error| Failure { exit: Exit::Error, message: error.to_string() })?;
        let mut spent = Month::default();
        for month in months {
            spent.sent.add(&month.sent);
            spent.money.extend(month.money);
        }
        let whole = Budget {
            remote: format!("job {}", job.name),
            egress: budget.egress,
            cost: budget.cost.clone(),
            stored: None,
            beyond_free: BeyondFree::default(),
        };
        for (share, words) in history::shares(&whole, &spent) {
            if share >= Decimal::ONE {
                let message = format!("the budget of the job '{}' is spent: {words} this month", job.name);
                return Err(Failure { exit: Exit::OverBudget, message });
            }
        }
        let left = |(most, currency): &(Decimal, String)| Money {
            amount: most.saturating_sub(history::paid(&spent, currency)),
            currency: currency.clone(),
        };
        Ok(Self {
            egress: budget.egress.map(|most| most.saturating_sub(spent.sent.bytes_in)),
            cost: budget.cost.as_ref().map(left),
        })
    }

    /// What a run may still take, in the currency that its bill compares amounts in.
    ///
    /// # Errors
    /// For a currency the price book has no rate of.
    pub fn limit(&self, bill: &Bill) -> Result<Limit, Failure> {
        let cost = self.cost.as_ref().map(|cost| bill.in_base(cost)).transpose()?;
        Ok(Limit { egress: self.egress, cost })
    }
}

/// The end of what a run may take.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    egress: Option<u64>,
    cost: Option<Decimal>,
}

impl Limit {
    /// Stops the run once it has taken it; never comes back.
    pub async fn watch(self, bill: &Bill, stop: &Stop) {
        if self.egress.is_none() && self.cost.is_none() {
            return pending().await;
        }
        let mut tick = tokio::time::interval(LOOKED);
        loop {
            tick.tick().await;
            let read: u64 = bill.calls().iter().map(|(_, counts): &(&str, Counts)| counts.bytes_in).sum();
            if self.egress.is_some_and(|most| read > most) || self.cost.is_some_and(|most| bill.metered() > most) {
                stop.stop(StopReason::OverBudget);
            }
        }
    }
}
