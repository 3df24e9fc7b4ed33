//! The remotes of a run, each with its meter and its prices.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sterna::{
    backends::{
        Requests, Spend, Timestamp,
        layer::{Counts, Meter},
    },
    history::Kept,
    price::{Book, Decimal, Flag, Gone, Offer, Stock, Usage},
    report::Departures,
    transfer::{Expense, Outcome, Outlay, TargetOutcome},
};

use super::{
    Past,
    row::{Price, Row, Sum},
};
use crate::{
    args::OwnPricesArgs,
    exit::Failure,
    places::{Opener, Place},
    values::Money,
};

/// The remotes of a run, each with its meter. Files of this machine cost nothing and are not among them.
pub struct Bill {
    accounts: Vec<Account>,
    own: OwnPricesArgs,
    /// Read with the first remote: who has none asks for no prices.
    book: Option<Book>,
    /// What is known from before: of allowances it has used up what it has.
    past: OnceLock<Past>,
    /// Of each destination whether all that was planned is done there, once the run has ended.
    settled: OnceLock<Vec<bool>>,
    /// What the run has deleted and overwritten so far.
    departures: Arc<Departures>,
    quote: Mutex<Option<Expense>>,
}

/// What a place is to a run; destinations from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Source,
    Target(usize),
    Backup,
}

struct Account {
    role: Role,
    written: String,
    remote: String,
    meter: Arc<Meter>,
    /// What was sent to open it.
    opened: Requests,
    offer: Option<Offer>,
}

impl Bill {
    /// Without remotes; `own` are prices that are laid over the book.
    pub fn new(own: OwnPricesArgs, departures: Arc<Departures>) -> Self {
        let (accounts, past, settled, quote) = (Vec::new(), OnceLock::new(), OnceLock::new(), Mutex::default());
        Self { accounts, own, book: None, past, settled, departures, quote }
    }

    /// Counts what is sent to `place`, what opened it included.
    ///
    /// # Errors
    /// Where its `price_offer` is no entry of the price book; where prices of the user's own cannot be read.
    pub fn add(&mut self, opener: &Opener<'_>, role: Role, place: &Place) -> Result<(), Failure> {
        let (Some(meter), Some(terms)) = (&place.meter, &place.terms) else { return Ok(()) };
        let book = match &mut self.book {
            Some(book) => book,
            none => none.insert(opener.book(&self.own)?),
        };
        let offer = terms.billed(book, jiff::Zoned::now().date())?;
        let (written, remote, meter) = (place.written.clone(), terms.remote.clone(), Arc::clone(meter));
        let opened = meter.requests();
        self.accounts.push(Account { role, written, remote, meter, opened, offer });
        Ok(())
    }

    /// Takes into account what was before.
    pub fn after(&self, past: Past) {
        let _once_is_enough = self.past.set(past);
    }

    /// The run has ended so, its places having been listed as a whole: where all that was planned is done, it is known what lies
    /// there now.
    pub fn settles(&self, outcome: &Outcome) {
        let is_done = |target: &TargetOutcome| outcome.stopped.is_none() && target.failed == 0 && target.lost.is_none();
        let _once_is_enough = self.settled.set(outcome.targets.iter().map(is_done).collect());
    }

    /// What planning has sent and carrying out will send, for the rows to come.
    pub fn quotes(&self, expense: Expense) {
        *self.quote.lock().unwrap_or_else(PoisonError::into_inner) = Some(expense);
    }

    /// The names of the remotes, each once, and what bills it, where a price is known.
    pub fn remotes(&self) -> impl Iterator<Item = (&str, Option<&Offer>)> {
        let first = move |(at, account): &(usize, &Account)| {
            self.accounts[..*at].iter().all(|earlier| earlier.remote != account.remote)
        };
        let each = self.accounts.iter().enumerate().filter(first);
        each.map(|(_, account)| (account.remote.as_str(), account.offer.as_ref()))
    }

    /// The calls made at each.
    pub fn calls(&self) -> Vec<(&str, Counts)> {
        self.accounts.iter().map(|account| (account.written.as_str(), account.meter.counts())).collect()
    }

    /// What `expense` comes to, and what the plan's changes cost a month.
    pub fn quoted(&self, expense: &Expense) -> Vec<Row> {
        self.accounts.iter().map(|account| self.row(account, Some(expense), false)).collect()
    }

    /// What was sent so far, beside what was quoted, where that is known.
    pub fn compared(&self) -> Vec<Row> {
        let quote = self.quote.lock().unwrap_or_else(PoisonError::into_inner);
        self.accounts.iter().map(|account| self.row(account, quote.as_ref(), true)).collect()
    }

    /// What has been spent so far, in the currency that amounts are compared in; what has no price counts as nothing.
    pub fn metered(&self) -> Decimal {
        self.total(&self.compared(), |price| price.actual)
    }

    /// All quoted rows together.
    pub fn sum(&self, rows: &[Row]) -> Sum {
        Sum {
            currency: self.book.as_ref().map_or_else(|| Book::shipped().fx.base, |book| book.fx.base.clone()),
            once: Some(self.total(rows, |price| price.quoted)),
            per_month: Some(self.total(rows, |price| price.per_month)),
        }
    }

    /// An amount in the currency that amounts are compared in.
    ///
    /// # Errors
    /// For a currency the price book has no rate of.
    pub fn in_base(&self, money: &Money) -> Result<Decimal, Failure> {
        let shipped;
        let book = match &self.book {
            Some(book) => book,
            None => {
                shipped = Book::shipped();
                &shipped
            }
        };
        let known = book.fx.in_base(money.amount, &money.currency);
        known.ok_or_else(|| Failure::usage(format!("the price book has no rate of {}", money.currency)))
    }

    fn total(&self, rows: &[Row], of: impl Fn(&Price) -> Option<Decimal>) -> Decimal {
        let in_base = |price: &Price| self.book.as_ref()?.fx.in_base(of(price)?, &price.currency);
        rows.iter()
            .filter_map(|row| row.money.as_ref())
            .filter_map(in_base)
            .fold(Decimal::ZERO, Decimal::saturating_add)
    }

    fn row(&self, account: &Account, expense: Option<&Expense>, ran: bool) -> Row {
        let quote = expense.map(|expense| account.of(expense));
        let actual = ran.then(|| account.meter.spent());
        let money = account.offer.as_ref().map(|offer| self.price(offer, account, (quote.as_ref(), actual.as_ref())));
        let role = match account.role {
            Role::Source => "source",
            Role::Target(_) => "destination",
            Role::Backup => "backup",
        };
        let kept = quote.as_ref().filter(|_| self.is_settled(account.role)).and_then(left);
        let (place, remote, quoted) =
            (account.written.clone(), account.remote.clone(), quote.map(|outlay| outlay.sent));
        Row { place, role, remote, quoted, actual, money, kept }
    }

    fn is_settled(&self, role: Role) -> bool {
        let targets = self.settled.get();
        match role {
            // A move may have left there what it could not carry.
            Role::Source => targets.is_some_and(|targets| targets.iter().all(|done| *done)),
            Role::Target(at) => targets.is_some_and(|targets| targets.get(at).copied().unwrap_or(false)),
            Role::Backup => false,
        }
    }

    fn price(&self, offer: &Offer, account: &Account, (quote, actual): (Option<&Outlay>, Option<&Spend>)) -> Price {
        let nothing = Usage::default();
        let used = self.past.get().and_then(|past| past.used(&account.remote)).unwrap_or(&nothing);
        let kept = quote.and_then(|outlay| self.kept(account, outlay));
        // What nobody knows of counts as nothing, so that an allowance is rather too small.
        let stock = kept.clone().unwrap_or_default();
        let mut flags: Vec<Flag> = Vec::new();
        let mut once = |spend: &Spend, gone: &Gone| {
            let quote = offer.once(&spend.into(), used, &stock);
            let early = offer.early(gone, &stock, Timestamp::now()).map(|line| line.amount);
            flags.clone_from(&quote.flags);
            let total = quote.total_exact().saturating_add(early.unwrap_or_default());
            (total.normalize(), early.map(|early| early.normalize()))
        };
        let quoted = quote.map(|outlay| once(&outlay.sent, &outlay.change.gone));
        let actual = actual.map(|sent| once(sent, &self.departed(account.role)));
        let own = |flag: &&Flag| matches!(flag, Flag::Overridden { .. } | Flag::OverrideEnded(_));
        Price {
            offer: offer.id.clone(),
            currency: offer.currency.clone(),
            quoted: quoted.map(|(total, _)| total),
            actual: actual.map(|(total, _)| total),
            quoted_early_deletion: quoted.and_then(|(_, early)| early),
            actual_early_deletion: actual.and_then(|(_, early)| early),
            per_month: quote.map(|outlay| offer.month_more(kept.as_ref(), &outlay.change).normalize()),
            kept_bytes: kept.map(|stock| stock.bytes()),
            own: flags.iter().filter(own).map(ToString::to_string).collect(),
            flags: flags.iter().map(ToString::to_string).collect(),
        }
    }

    /// What is kept at the remote before the run.
    fn kept(&self, account: &Account, outlay: &Outlay) -> Option<Stock> {
        let listed = outlay.kept.as_ref();
        match self.past.get() {
            Some(past) => past.kept((&account.remote, &account.written), listed, &outlay.change.gone.stock()),
            None => listed.cloned(),
        }
    }

    fn departed(&self, role: Role) -> Gone {
        match role {
            Role::Source => self.departures.of(0),
            Role::Target(at) => self.departures.of(at + 1),
            Role::Backup => Gone::default(),
        }
    }
}

impl Account {
    /// Its part of what the run costs, with what opened it.
    fn of(&self, expense: &Expense) -> Outlay {
        let opened = Spend { requests: self.opened.clone(), ..Spend::default() };
        let mut outlay = Outlay { sent: opened, ..Outlay::default() };
        match self.role {
            Role::Source => outlay.add(&expense.source),
            Role::Target(at) => outlay.add(&expense.targets[at]),
            Role::Backup => expense.backups.iter().for_each(|backup| outlay.add(backup)),
        }
        outlay
    }
}

/// What is left at a place that was listed when all that was planned is done.
fn left(outlay: &Outlay) -> Option<Kept> {
    let mut left = outlay.kept.as_ref()?.without(&outlay.change.gone.stock());
    left.add_all(&outlay.change.added);
    Some(Kept { objects: left.objects(), bytes: left.bytes() })
}
