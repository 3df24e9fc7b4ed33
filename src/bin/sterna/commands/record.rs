//! What a run writes down of itself in the history: its beginning, what it has sent so far, and its end, however it ends.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sterna::{
    backends::Timestamp,
    history::{Account, History, HistoryError, Month, RunId},
    price::{Decimal, Usage},
    transfer::{Stop, StopReason},
};
use tokio::{
    task::{AbortHandle, spawn_blocking},
    time::{Instant, interval_at},
};

use super::{
    bill::{Bill, Past, Row},
    history::{WARNED, free, month, percent, shares, this_day},
};
use crate::{
    args::GlobalArgs,
    config::{BeyondFree, Budget},
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
    /// Begin although a budget is used up, and go on when one is.
    pub over_budget: bool,
    /// How the run is ended when a budget is used up meanwhile; `None` where it cannot be.
    pub stop: Option<&'a Stop>,
}

/// Tells a plan that is only shown what the month's earlier runs have used, and says how far budgets and what is free are used
/// up. Nothing is refused, and nothing written down.
///
/// # Errors
/// Where the history that was named cannot be opened.
pub fn foretell(global: &GlobalArgs, budgets: &[Budget], bill: &Bill) -> Result<(), Failure> {
    let Some(history) = settings::history(global)? else { return Ok(()) };
    let run = Run { command: "", budgets, over_budget: true, stop: None };
    match Known::of(&history, budgets) {
        Ok(known) => known.check(run, bill).map(|()| bill.after(known.past)),
        Err(failure) => {
            ui::complain(&failure.message);
            Ok(())
        }
    }
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
    ends: Option<Ends>,
}

/// Who ends the run when a budget is used up.
struct Ends {
    stop: Stop,
    budgets: Vec<Budget>,
    /// What was sent before.
    months: Vec<Month>,
}

impl Record {
    fn begin(global: &GlobalArgs, run: Run<'_>, bill: &Arc<Bill>) -> Result<Self, Failure> {
        let Some(history) = settings::history(global)? else {
            if run.budgets.iter().any(|budget| bill.remotes().any(|(remote, _)| remote == budget.remote)) {
                ui::complain("without a history no budget is looked at");
            }
            return Ok(Self(None));
        };
        let mut months = Vec::new();
        match Known::of(&history, run.budgets) {
            Ok(known) => {
                known.check(run, bill)?;
                bill.after(known.past);
                months = known.months;
            }
            Err(failure) => ui::complain(&failure.message),
        }
        match history.begin(run.command, Timestamp::now()) {
            Ok(id) => {
                let ends = run.stop.filter(|_| !run.over_budget).cloned().map(|stop| Ends {
                    stop,
                    budgets: run.budgets.to_vec(),
                    months,
                });
                let history = Mutex::new(Some(history));
                Ok(Self(Some(Open::new(Told { history, run: id, bill: Arc::clone(bill), ends }))))
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
        let accounts = self.accounts();
        if let Some(ends) = &self.ends {
            ends.look(&accounts);
        }
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.as_mut().map_or(Ok(()), |history| history.goes_on(self.run, &accounts))
    }

    fn accounts(&self) -> Vec<Account> {
        self.bill.compared().into_iter().filter_map(Row::into_account).collect()
    }
}

impl Ends {
    /// Stops the run where what it has sent, with what was sent before, is what a budget allows or more.
    fn look(&self, accounts: &[Account]) {
        if self.stop.reason().is_some() {
            return;
        }
        for budget in &self.budgets {
            let mut month = of(&self.months, &budget.remote);
            for account in accounts.iter().filter(|account| account.remote == budget.remote) {
                month.sent.add(&account.sent);
                month.money.extend(account.money.iter().map(|money| (money.currency.clone(), money.actual.clone())));
            }
            if let Some((_, words)) = shares(budget, &month).into_iter().find(|(share, _)| *share >= Decimal::ONE) {
                ui::complain(&format!(
                    "the budget of '{}' is spent: {words} this month; nothing new is taken up, and the next run goes on from here",
                    budget.remote
                ));
                return self.stop.stop(StopReason::OverBudget);
            }
        }
    }
}

/// What is known when a run begins.
struct Known {
    /// What the remotes were sent in this month.
    months: Vec<Month>,
    /// The same of this day.
    today: Vec<Month>,
    past: Past,
}

impl Known {
    fn of(history: &History, budgets: &[Budget]) -> Result<Self, Failure> {
        let (from, to) = month(None)?;
        let months = history.between(from, to)?;
        let today = this_day().map_or(Ok(Vec::new()), |(from, to)| history.between(from, to))?;
        let past = Past::new(&months, history.left(to)?, budgets);
        Ok(Self { months, today, past })
    }

    /// Compares what the remotes of the run were sent this month with their budgets, and with what is free there.
    ///
    /// # Errors
    /// [`Exit::OverBudget`] where that is used up and nobody wants to go beyond.
    fn check(&self, run: Run<'_>, bill: &Bill) -> Result<(), Failure> {
        for (remote, offer) in bill.remotes() {
            let budget = run.budgets.iter().find(|budget| budget.remote == remote);
            if offer.is_none() && budget.is_some_and(|budget| budget.cost.is_some()) {
                ui::complain(&format!("the budget of '{remote}' counts no money: no price is known; set price_offer"));
            }
            let month = of(&self.months, remote);
            if let Some(budget) = budget {
                for (share, words) in shares(budget, &month).into_iter().filter(|(share, _)| *share >= WARNED) {
                    let percent = percent(share);
                    let message = format!("the budget of '{remote}' is spent to {percent} %: {words} this month");
                    run.warn(message, share >= Decimal::ONE)?;
                }
            }
            let beyond = budget.map(|budget| budget.beyond_free).unwrap_or_default();
            if beyond == BeyondFree::Allow {
                continue;
            }
            let today: [Usage; 1] = [(&of(&self.today, remote).sent).into()];
            let free = offer.map(|offer| free(offer, &(&month.sent).into(), &today, self.past.stored(remote)));
            for used in free.into_iter().flatten().filter(|used| used.is_much()) {
                run.warn(used.warning(remote), used.is_all() && beyond == BeyondFree::Refuse)?;
            }
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Says it, or refuses the run for it where nobody wants that.
    fn warn(self, message: String, refuses: bool) -> Result<(), Failure> {
        if refuses && !self.over_budget {
            let message = format!("{message}; --over-budget begins all the same");
            return Err(Failure::new(Exit::OverBudget, message));
        }
        ui::complain(&message);
        Ok(())
    }
}

/// The month of that remote; an empty one where nothing was sent to it.
fn of(months: &[Month], remote: &str) -> Month {
    let none = || Month { remote: remote.to_owned(), ..Month::default() };
    months.iter().find(|month| month.remote == remote).cloned().unwrap_or_else(none)
}
