//! What a run sends to each of its remotes and what that costs: as it was quoted, and as it was.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer};
use sterna::{
    backends::{
        Requests, Spend,
        layer::{Counts, Meter},
    },
    history::{self, Month},
    plan::Totals,
    price::{Book, Charge, Decimal, Offer, Stock, Usage, Workload, half_up},
    transfer::Expense,
};

use crate::{
    exit::Failure,
    places::{Place, Terms},
    ui,
    values::Money,
};

/// The remotes of a run, each with its meter. Files of this machine cost nothing and are not among them.
#[derive(Default)]
pub struct Bill {
    accounts: Vec<Account>,
    /// What the remotes were sent in this month before, by name: it has used up of allowances what it has.
    used: BTreeMap<String, Usage>,
    book: Option<Book>,
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

/// One remote's part.
#[derive(Debug, Serialize)]
pub struct Row {
    /// As the user wrote it.
    pub place: String,
    /// source, destination or backup.
    pub role: &'static str,
    /// Its name in the configuration.
    pub remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Spend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Spend>,
    /// `None` where the price book has no entry for it.
    pub money: Option<Price>,
}

/// Money of one remote; exact, and so written as text.
#[derive(Debug, Serialize)]
pub struct Price {
    pub offer: String,
    pub currency: String,
    /// Once: requests, retrieval and traffic.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub quoted: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub actual: Option<Decimal>,
    /// A month of keeping what the plan adds.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub per_month: Option<Decimal>,
}

fn as_text<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    amount.map(|amount| amount.to_string()).serialize(serializer)
}

impl Bill {
    /// Counts what is sent to `place`, what opened it included.
    ///
    /// # Errors
    /// Where its `price_offer` is no entry of the price book.
    pub fn add(&mut self, role: Role, place: &Place) -> Result<(), Failure> {
        let (Some(meter), Some(terms)) = (&place.meter, &place.terms) else { return Ok(()) };
        let book = self.book.get_or_insert_with(Book::shipped);
        let offer = offer(book, terms)?;
        let (written, remote, meter) = (place.written.clone(), terms.remote.clone(), Arc::clone(meter));
        let opened = meter.requests();
        self.accounts.push(Account { role, written, remote, meter, opened, offer });
        Ok(())
    }

    /// Takes into account what the remotes were sent before.
    pub fn after(&mut self, months: &[Month]) {
        self.used = months.iter().map(|month| (month.remote.clone(), usage(&month.sent))).collect();
    }

    /// The names of the remotes.
    pub fn remotes(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().map(|account| account.remote.as_str())
    }

    /// The calls made at each.
    pub fn calls(&self) -> Vec<(&str, Counts)> {
        self.accounts.iter().map(|account| (account.written.as_str(), account.meter.counts())).collect()
    }

    /// What planning has sent and carrying out will send, and what the plan's additions cost a month.
    pub fn quoted(&self, expense: &Expense, totals: &[Totals]) -> Vec<Row> {
        let row = |account: &Account| {
            let mut row = self.row(account, Some(expense), None);
            if let (Role::Target(at), Some(price), Some(offer)) = (account.role, &mut row.money, &account.offer) {
                price.per_month = totals.get(at).map(|totals| kept(offer, totals));
            }
            row
        };
        self.accounts.iter().map(row).collect()
    }

    /// What was quoted, where that is known, beside what was sent.
    pub fn compared(&self, expense: Option<&Expense>) -> Vec<Row> {
        self.accounts.iter().map(|account| self.row(account, expense, Some(account.meter.spent()))).collect()
    }

    /// What has been sent so far, in the currency that amounts are compared in; what has no price counts as nothing.
    pub fn metered(&self) -> Decimal {
        self.sum(self.compared(None).iter().filter_map(|row| row.money.as_ref()).map(|price| (price, price.actual)))
    }

    /// The sum of quoted rows, as [`Bill::metered`].
    pub fn sum_quoted(&self, rows: &[Row]) -> Decimal {
        self.sum(rows.iter().filter_map(|row| row.money.as_ref()).map(|price| (price, price.quoted)))
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

    fn sum<'a>(&self, prices: impl Iterator<Item = (&'a Price, Option<Decimal>)>) -> Decimal {
        let in_base =
            |(price, amount): (&Price, Option<Decimal>)| self.book.as_ref()?.fx.in_base(amount?, &price.currency);
        prices.filter_map(in_base).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    fn row(&self, account: &Account, expense: Option<&Expense>, actual: Option<Spend>) -> Row {
        let quoted = expense.map(|expense| account.of(expense));
        let nothing = Usage::default();
        let used = self.used.get(&account.remote).unwrap_or(&nothing);
        let money = account.offer.as_ref().map(|offer| {
            // What is stored is not known here, so allowances that depend on it count as none.
            let once = |spend: &Spend| offer.once(&usage(spend), used, &Stock::default()).total_exact().normalize();
            Price {
                offer: offer.id.clone(),
                currency: offer.currency.clone(),
                quoted: quoted.as_ref().map(once),
                actual: actual.as_ref().map(once),
                per_month: None,
            }
        });
        let role = match account.role {
            Role::Source => "source",
            Role::Target(_) => "destination",
            Role::Backup => "backup",
        };
        Row { place: account.written.clone(), role, remote: account.remote.clone(), quoted, actual, money }
    }
}

fn offer(book: &Book, terms: &Terms) -> Result<Option<Offer>, Failure> {
    let today = jiff::Zoned::now().date();
    match &terms.offer {
        Some(id) => {
            let offer = book.offer(id, today);
            offer.map(Some).map_err(|error| Failure::usage(format!("remote '{}': price_offer: {error}", terms.remote)))
        }
        None => Ok(book.offer_of(&terms.provider, terms.class.as_deref(), today).ok()),
    }
}

fn usage(spend: &Spend) -> Usage {
    Usage {
        ops: spend.requests.iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        egress_bytes: spend.bytes_in,
        read_bytes: spend.bytes_in,
    }
}

/// A month of keeping what a plan adds, by itself.
fn kept(offer: &Offer, totals: &Totals) -> Decimal {
    let (bytes, objects) = (totals.transfer_bytes + totals.copy_bytes, totals.transfers + totals.copies);
    let quote = offer.quote(&Workload { stock: Stock::even(bytes, objects), ..Workload::default() });
    quote.amount(&Charge::Storage).normalize()
}

impl Account {
    /// Its part of what the run sends, with what opened it.
    fn of(&self, expense: &Expense) -> Spend {
        let mut spend = Spend { requests: self.opened.clone(), ..Spend::default() };
        match self.role {
            Role::Source => spend.add(&expense.source),
            Role::Target(at) => spend.add(&expense.targets[at]),
            Role::Backup => expense.backups.iter().for_each(|backup| spend.add(backup)),
        }
        spend
    }
}

impl Row {
    /// A line for people.
    pub fn draw(&self) -> String {
        let (word, spend) = match (&self.actual, &self.quoted) {
            (Some(actual), _) => ("sent", actual),
            (None, Some(quoted)) => ("quote", quoted),
            (None, None) => return String::new(),
        };
        let mut line = format!("{word}: {} ({}): {}; {}", self.place, self.role, words(spend), self.draw_money());
        if let (Some(actual), Some(quoted)) = (&self.actual, &self.quoted)
            && actual != quoted
        {
            line += &format!("; quoted: {}", words(quoted));
        }
        line
    }

    pub fn draw_money(&self) -> String {
        let Some(price) = &self.money else {
            return format!("no price is known: set price_offer for '{}'", self.remote);
        };
        let amount = price.actual.or(price.quoted).unwrap_or_default();
        let once = format!("{} {} once", shown(amount), price.currency);
        match price.per_month {
            Some(month) => format!("{once}, {} {} a month for what is added", shown(month), price.currency),
            None => once,
        }
    }

    /// As it is written down.
    pub fn into_account(self) -> Option<history::Account> {
        let sent = self.actual?;
        let money = self.money.and_then(|price| {
            let quoted = price.quoted.map(|amount| amount.to_string());
            Some(history::Money {
                offer: price.offer,
                currency: price.currency,
                quoted,
                actual: price.actual?.to_string(),
            })
        });
        Some(history::Account { remote: self.remote, place: self.place, quoted: self.quoted, sent, money })
    }
}

/// To the cent, or what is less to the millionth.
pub fn shown(amount: Decimal) -> String {
    let cents = half_up(amount, 2);
    if cents.is_zero() { half_up(amount, 6).normalize().to_string() } else { cents.to_string() }
}

/// `12 requests (10 put_object, 2 list_objects), 5 B in, 7 B out`.
pub fn words(spend: &Spend) -> String {
    let each: Vec<String> = spend.requests.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let each = if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) };
    let total = ui::count(spend.requests.total(), "request");
    format!("{total}{each}, {} in, {} out", ui::bytes(spend.bytes_in), ui::bytes(spend.bytes_out))
}
