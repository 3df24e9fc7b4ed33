//! What a run sends to each of its remotes: as it was quoted, and as it was.

use std::sync::Arc;

use serde::Serialize;
use sterna::{
    backends::{
        Requests, Spend,
        layer::{Counts, Meter},
    },
    transfer::Expense,
};

use crate::{places::Place, ui};

/// The remotes of a run, each with its meter. Files of this machine cost nothing and are not among them.
#[derive(Default)]
pub struct Bill(Vec<Account>);

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
    meter: Arc<Meter>,
    /// What was sent to open it.
    opened: Requests,
}

/// One remote's part.
#[derive(Debug, Serialize)]
pub struct Row {
    /// As the user wrote it.
    pub place: String,
    /// source, destination or backup.
    pub role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Spend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Spend>,
}

impl Bill {
    /// Counts what is sent to `place`, what opened it included.
    pub fn add(&mut self, role: Role, place: &Place) {
        if let Some(meter) = &place.meter {
            let (written, meter) = (place.written.clone(), Arc::clone(meter));
            let opened = meter.requests();
            self.0.push(Account { role, written, meter, opened });
        }
    }

    /// The calls made at each.
    pub fn calls(&self) -> Vec<(&str, Counts)> {
        self.0.iter().map(|account| (account.written.as_str(), account.meter.counts())).collect()
    }

    /// What planning has sent and carrying out will send.
    pub fn quoted(&self, expense: &Expense) -> Vec<Row> {
        self.0.iter().map(|account| Row { quoted: Some(account.of(expense)), ..account.row() }).collect()
    }

    /// What was quoted, where that is known, beside what was sent.
    pub fn compared(&self, expense: Option<&Expense>) -> Vec<Row> {
        let row = |account: &Account| Row {
            quoted: expense.map(|expense| account.of(expense)),
            actual: Some(account.meter.spent()),
            ..account.row()
        };
        self.0.iter().map(row).collect()
    }
}

impl Account {
    fn row(&self) -> Row {
        let role = match self.role {
            Role::Source => "source",
            Role::Target(_) => "destination",
            Role::Backup => "backup",
        };
        Row { place: self.written.clone(), role, quoted: None, actual: None }
    }

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
        let mut line = format!("{word}: {} ({}): {}", self.place, self.role, words(spend));
        if let (Some(actual), Some(quoted)) = (&self.actual, &self.quoted)
            && actual != quoted
        {
            line += &format!("; quoted: {}", words(quoted));
        }
        line
    }
}

/// `12 requests (10 put_object, 2 list_objects), 5 B in, 7 B out`.
fn words(spend: &Spend) -> String {
    let each: Vec<String> = spend.requests.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let each = if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) };
    let total = ui::count(spend.requests.total(), "request");
    format!("{total}{each}, {} in, {} out", ui::bytes(spend.bytes_in), ui::bytes(spend.bytes_out))
}
