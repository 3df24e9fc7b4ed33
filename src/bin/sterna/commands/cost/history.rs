//! `sterna cost history`: a month of each remote, beside what is free and beside its budget.

use serde::Serialize;
use sterna::{
    backends::Timestamp,
    history::{History, HistoryError, Month},
    price::{Allowance, Book, Decimal, Offer, Period, Usage},
};

use super::today;
use crate::{
    args::{GlobalArgs, HistoryArgs},
    commands::{
        bill::{shown, words},
        history::{WARNED, month, paid, percent, shares},
        print, print_json,
    },
    config::{Budget, Config, Environment},
    exit::{Exit, Failure},
    places::Terms,
    settings, ui,
};

/// One remote's month.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    month: Month,
    /// What bills it; `None` where nothing is known of its price.
    offer: Option<String>,
    free: Vec<Used>,
    budget: Vec<Spent>,
}

/// An allowance, and how much of it is used.
#[derive(Serialize)]
struct Used {
    #[serde(flatten)]
    allowance: Allowance,
    /// In hundredths.
    percent: Option<String>,
}

/// A limit of the user's own, and how much of it is spent.
#[derive(Serialize)]
struct Spent {
    what: String,
    /// In hundredths.
    percent: String,
    #[serde(skip)]
    share: Decimal,
}

pub fn run(global: &GlobalArgs, args: &HistoryArgs) -> Result<Exit, Failure> {
    let history = settings::history(global)?;
    let history = history.ok_or_else(|| Failure::usage("this command is about the history; leave out --no-history"))?;
    let config = Config::load(global.config.as_deref(), Environment::of_process())?;
    let book = settings::book(&args.own, &config)?;
    let during = month(args.month.as_deref())?;
    let months = history.between(during.0, during.1)?;
    let days = days(&history, during)?;
    let told = months.into_iter().map(|month| tell(&config, &book, month, &days));
    let told = told.collect::<Result<Vec<_>, _>>()?;
    if global.json {
        print_json(&told)?;
        return Ok(Exit::Success);
    }
    if told.is_empty() {
        ui::say("no run is written down for that month");
    }
    for told in &told {
        print(&told.text())?;
        told.warnings().for_each(|warning| ui::complain(&warning));
    }
    Ok(Exit::Success)
}

/// The same day by day.
fn days(history: &History, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Vec<Month>>, HistoryError> {
    const DAY: i64 = 86_400;
    let mut days = Vec::new();
    let mut begin = from;
    while begin < to {
        let end = Timestamp::from_parts(begin.seconds() + DAY, 0);
        days.push(history.between(begin, end)?);
        begin = end;
    }
    Ok(days)
}

fn tell(config: &Config, book: &Book, month: Month, days: &[Vec<Month>]) -> Result<Told, Failure> {
    let offer = Terms::named(config, &month.remote)?.billed(book, today())?;
    let budget = config.budgets().iter().find(|budget| budget.remote == month.remote);
    let stored = budget.and_then(|budget| budget.stored);
    let free = offer.as_ref().map_or_else(Vec::new, |offer| free(offer, &month, days, stored));
    let spent = |budget: &Budget| shares(budget, &month).into_iter().map(Spent::of).collect();
    let budget = budget.map_or_else(Vec::new, spent);
    Ok(Told { offer: offer.map(|offer| offer.id), free, budget, month })
}

fn free(offer: &Offer, month: &Month, days: &[Vec<Month>], stored: Option<u64>) -> Vec<Used> {
    let ours = |day: &Vec<Month>| day.iter().find(|other| other.remote == month.remote).map(|day| (&day.sent).into());
    let days: Vec<Usage> = days.iter().filter_map(ours).collect();
    let found = offer.allowances(&(&month.sent).into(), &days, stored);
    found.into_iter().map(|allowance| Used { percent: allowance.share().map(percent), allowance }).collect()
}

impl Told {
    fn text(&self) -> String {
        let Self { month, offer, free, budget } = self;
        let mut currencies: Vec<&str> = month.money.iter().map(|(currency, _)| currency.as_str()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let money: Vec<String> =
            currencies.iter().map(|currency| format!("{} {currency}", shown(paid(month, currency)))).collect();
        let money = if money.is_empty() { "no price known".to_owned() } else { money.join(", ") };
        let runs = ui::count(month.runs, "run");
        let mut text = format!("{}: {runs}, {}; {money}\n", month.remote, words(&month.sent));
        if let (Some(offer), false) = (offer, free.is_empty()) {
            text += &format!("  free at {offer}:\n");
        }
        for used in free {
            text += &format!("    {}\n", used.text());
        }
        for Spent { what, percent, .. } in budget {
            text += &format!("  budget: {what}, {percent} %\n");
        }
        text
    }

    /// What is used up to [`WARNED`] or beyond.
    fn warnings(&self) -> impl Iterator<Item = String> {
        let much = |share: Option<Decimal>| share.is_some_and(|share| share >= WARNED);
        let remote = &self.month.remote;
        let free = self.free.iter().filter(move |used| much(used.allowance.share())).map(move |used| {
            format!(
                "what is free at '{remote}' is used to {} %: {}",
                used.percent.as_deref().unwrap_or("?"),
                used.text()
            )
        });
        let budget = self
            .budget
            .iter()
            .filter(move |spent| spent.share >= WARNED)
            .map(move |spent| format!("the budget of '{remote}' is spent to {} %: {}", spent.percent, spent.what));
        free.chain(budget)
    }
}

impl Used {
    /// `egress 12.0 GiB of 100.0 GiB a month, 12 %`.
    fn text(&self) -> String {
        let Self { allowance, percent } = self;
        let amount = |number| if allowance.of.is_bytes() { ui::bytes(number) } else { ui::grouped(number) };
        let period = match allowance.period {
            Period::Day => "on one day",
            Period::Month | Period::Hour => "a month",
        };
        let used = format!("{} {}", allowance.of, amount(allowance.used));
        match (allowance.free, percent, allowance.of_stored) {
            (Some(free), Some(percent), _) => format!("{used} of {} {period}, {percent} %", amount(free)),
            (_, _, times) => {
                let times = times.unwrap_or_default().normalize();
                format!("{used} of {times} times what is stored (say how much: stored in its [budget])")
            }
        }
    }
}

impl Spent {
    fn of((share, what): (Decimal, String)) -> Self {
        Self { what, percent: percent(share), share }
    }
}
