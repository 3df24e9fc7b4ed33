//! `--max-cost`: what a run may cost at most, before it begins and while it goes on.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use sterna::{
    price::Decimal,
    transfer::{Expense, Stop, StopReason},
};

use super::{Bill, say_quote};
use crate::{
    exit::{Exit, Failure},
    ui,
    values::Money,
};

/// How often it is looked what a run has cost so far.
const LOOKED: Duration = Duration::from_millis(200);

/// What a run may cost.
pub struct Limit<'a> {
    bill: &'a Bill,
    most: &'a Money,
    /// [`Limit::most`] in the currency in which amounts are compared.
    in_base: Decimal,
    /// Whether a plan was let pass.
    begun: AtomicBool,
    refused: AtomicBool,
}

impl<'a> Limit<'a> {
    /// # Errors
    /// For a currency the price book has no rate of.
    pub fn new(bill: &'a Bill, most: &'a Money) -> Result<Self, Failure> {
        let in_base = bill.in_base(most)?;
        Ok(Self { bill, most, in_base, begun: AtomicBool::new(false), refused: AtomicBool::new(false) })
    }

    /// Whether a plan that costs `expense` may be carried out. Says the quote where it may not, and which remotes do not count.
    pub fn allows(&self, expense: &Expense) -> bool {
        self.bill.quotes(expense.clone());
        let rows = self.bill.quoted(expense);
        let together = self.bill.sum(&rows);
        if together.once.unwrap_or_default() > self.in_base {
            say_quote(&rows, &together);
            self.refused.store(true, Relaxed);
            return false;
        }
        if !self.begun.swap(true, Relaxed) {
            for row in rows.iter().filter(|row| row.money.is_none()) {
                let (place, remote) = (&row.place, &row.remote);
                ui::complain(&format!(
                    "--max-cost does not count {place}: no price is known for '{remote}'; set price_offer"
                ));
            }
        }
        true
    }

    /// Drives `run`, and has it end when what was spent is more than it may be.
    pub async fn watch<T>(&self, stop: &Stop, run: impl Future<Output = T>) -> T {
        let mut run = std::pin::pin!(run);
        let mut tick = tokio::time::interval(LOOKED);
        loop {
            tokio::select! {
                ended = &mut run => return ended,
                _ = tick.tick() => {
                    if self.bill.metered() > self.in_base {
                        stop.stop(StopReason::OverBudget);
                    }
                }
            }
        }
    }

    /// Says how the limit has ended the run, where it has; `stopped`: why the run ended before its plan.
    ///
    /// # Errors
    /// [`Exit::OverBudget`] where no plan was let pass, and so nothing was done.
    pub fn verdict(&self, stopped: Option<StopReason>) -> Result<(), Failure> {
        let most = format!("{} {}", self.most.amount, self.most.currency);
        match (self.refused.load(Relaxed), self.begun.load(Relaxed)) {
            (true, false) => {
                let message = format!("it would cost more than {most}; nothing was done");
                return Err(Failure::new(Exit::OverBudget, message));
            }
            (true, true) => {
                ui::complain(&format!("with what is left it would cost more than {most}; that was not begun"))
            }
            (false, _) if stopped == Some(StopReason::OverBudget) => {
                ui::complain(&format!("it has cost more than {most}; the next run goes on from here"));
            }
            (false, _) => {}
        }
        Ok(())
    }
}
