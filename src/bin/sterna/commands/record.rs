//! What a run writes down of itself in the history: its beginning, what it has sent so far, and its end, however it ends.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sterna::{
    backends::Timestamp,
    history::{Account, History, HistoryError, Month, RunId},
    price::Decimal,
};
use tokio::{
    task::{AbortHandle, spawn_blocking},
    time::{Instant, interval_at},
};

use super::{
    bill::{Bill, Row},
    history::{WARNED, month, percent, shares},
};
use crate::{
    args::GlobalArgs,
    config::Budget,
    exit::{Exit, Failure},
    settings, ui,
};

/// How often a run tells what it has sent: who kills it loses so much of its cost.
const TOLD: Duration = Duration::from_secs(2);

/// What a run is called in the history, and what it may be spent.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The command's own word.
    pub command: &'a str,
    pub budgets: &'a [Budget],
    /// Begin although a budget is used up.
    pub over_budget: bool,
}

/// Does `work` and writes it down, with what its remotes are sent: before, now and then meanwhile, and at the end. Who drops the
/// future has interrupted the run. What cannot be written is said, and stops nothing.
///
/// # Errors
/// What `work` ends in; [`Exit::OverBudget`] before it begins where a budget of the month is used up.
pub async fn recorded(
    global: &GlobalArgs,
    run: Run<'_>,
    bill: &Arc<Bill>,
    work: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    let mut record = Record::begin(global, run, bill)?;
    let ended = work.await;
    record.end(match &ended {
        Ok(exit) => *exit,
        Err(failure) => failure.exit,
    });
    ended
}

/// A run that is being written down.
struct Record(Option<Open>);

struct Open {
    told: Arc<Told>,
    ticker: AbortHandle,
}

struct Told {
    /// `None` once the run has ended.
    history: Mutex<Option<History>>,
    run: RunId,
    bill: Arc<Bill>,
}

impl Record {
    fn begin(global: &GlobalArgs, run: Run<'_>, bill: &Arc<Bill>) -> Result<Self, Failure> {
        let Some(history) = settings::history(global)? else { return Ok(Self(None)) };
        let begun = month(None).and_then(|(from, to)| Ok(history.between(from, to)?));
        match begun {
            Ok(months) => {
                check_all(run, bill, &months)?;
                bill.after(&months);
            }
            Err(failure) => ui::complain(&failure.message),
        }
        match history.begin(run.command, Timestamp::now()) {
            Ok(id) => {
                Ok(Self(Some(Open::new(Told { history: Mutex::new(Some(history)), run: id, bill: Arc::clone(bill) }))))
            }
            Err(error) => {
                ui::complain(&error.to_string());
                Ok(Self(None))
            }
        }
    }

    fn end(&mut self, exit: Exit) {
        let Some(Open { told, ticker }) = self.0.take() else { return };
        ticker.abort();
        let mut history = told.history.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut history) = history.take()
            && let Err(error) = history.end(told.run, Timestamp::now(), exit as u8, &told.accounts())
        {
            ui::complain(&error.to_string());
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(if std::thread::panicking() { Exit::Error } else { Exit::Interrupted });
    }
}

impl Open {
    fn new(told: Told) -> Self {
        let told = Arc::new(told);
        let ticking = Arc::clone(&told);
        let ticker = tokio::spawn(async move {
            let mut tick = interval_at(Instant::now() + TOLD, TOLD);
            loop {
                tick.tick().await;
                let told = Arc::clone(&ticking);
                if let Ok(Err(error)) = spawn_blocking(move || told.go_on()).await {
                    // It will be said again at the end if it lasts.
                    return ui::complain(&error.to_string());
                }
            }
        });
        Self { told, ticker: ticker.abort_handle() }
    }
}

impl Told {
    fn go_on(&self) -> Result<(), HistoryError> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.as_mut().map_or(Ok(()), |history| history.goes_on(self.run, &self.accounts()))
    }

    fn accounts(&self) -> Vec<Account> {
        self.bill.compared().into_iter().filter_map(Row::into_account).collect()
    }
}

/// Compares what the remotes of the run were sent this month with their budgets.
fn check_all(run: Run<'_>, bill: &Bill, months: &[Month]) -> Result<(), Failure> {
    for budget in run.budgets {
        let Some((_, priced)) = bill.remotes().find(|(remote, _)| *remote == budget.remote) else { continue };
        if budget.cost.is_some() && !priced {
            let remote = &budget.remote;
            ui::complain(&format!("the budget of '{remote}' counts no money: no price is known; set price_offer"));
        }
        check(budget, months, run.over_budget)?;
    }
    Ok(())
}

fn check(budget: &Budget, months: &[Month], over_budget: bool) -> Result<(), Failure> {
    let none = Month { remote: budget.remote.clone(), ..Month::default() };
    let month = months.iter().find(|month| month.remote == budget.remote).unwrap_or(&none);
    for (share, words) in shares(budget, month) {
        let percent = percent(share);
        let message = format!("the budget of '{}' is spent to {percent} %: {words} this month", budget.remote);
        if share >= Decimal::ONE && !over_budget {
            let message = format!("{message}; --over-budget begins all the same");
            return Err(Failure::new(Exit::OverBudget, message));
        }
        if share >= WARNED {
            ui::complain(&message);
        }
    }
    Ok(())
}
