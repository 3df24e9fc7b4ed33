//! What a job may still be spent this month.

use std::{future::pending, time::Duration};

use sterna::{
    backends::{Timestamp, layer::Counts},
    history::History,
    jobs::{Month, Saved},
    price::Decimal,
    transfer::{Stop, StopReason},
};

use crate::{
    commands::bill::{Bill, shown},
    exit::{Exit, Failure},
    ui,
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
        let spent = Month::of(past, job, Timestamp::now())?;
        let over = |words: String| {
            let message = format!("the budget of the job '{}' is spent: {words} this month", job.name);
            Err(Failure::new(Exit::OverBudget, message))
        };
        if let Some(most) = budget.egress.filter(|most| spent.egress >= *most) {
            return over(format!("egress {} of {}", ui::bytes(spent.egress), ui::bytes(most)));
        }
        let cost = budget.cost.as_ref().map(|(most, currency)| (spent.paid(currency), *most, currency));
        if let Some((paid, most, currency)) = cost.filter(|(paid, most, _)| paid >= most) {
            return over(format!("cost {} of {} {currency}", shown(paid), shown(most)));
        }
        Ok(Self {
            egress: budget.egress.map(|most| most.saturating_sub(spent.egress)),
            cost: cost
                .map(|(paid, most, currency)| Money { amount: most.saturating_sub(paid), currency: currency.clone() }),
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
