//! `sterna cost history`: a month of each remote, beside what is free and beside its budget.

use serde::Serialize;
use sterna::{
    backends::Timestamp,
    history::{History, HistoryError, Left, Month},
    price::{Book, Decimal, Offer, Usage},
};

use super::today;
use crate::{
    args::{GlobalArgs, HistoryArgs},
    commands::{
        bill::{Past, shown, words},
        history::{self, Used, WARNED, day, month, paid, percent, shares},
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
    /// What runs left there, by the end of the month: the places that were listed.
    kept: Vec<Left>,
    free: Vec<Used>,
    budget: Vec<Spent>,
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
    let left = history.left(during.1)?;
    let past = Past::new(&months, left.clone(), config.budgets());
    let told = months.into_iter().map(|month| tell(&config, &book, month, &days, (&past, &left)));
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

fn tell(
    config: &Config,
    book: &Book,
    month: Month,
    days: &[Vec<Month>],
    (past, left): (&Past, &[Left]),
) -> Result<Told, Failure> {
    let offer = Terms::named(config, &month.remote)?.billed(book, today())?;
    let budget = config.budgets().iter().find(|budget| budget.remote == month.remote);
    let free = offer.as_ref().map_or_else(Vec::new, |offer| free(offer, &month, days, past));
    let spent = |budget: &Budget| shares(budget, &month).into_iter().map(Spent::of).collect();
    let budget = budget.map_or_else(Vec::new, spent);
    let kept = left.iter().filter(|left| left.remote == month.remote).cloned().collect();
    Ok(Told { offer: offer.map(|offer| offer.id), kept, free, budget, month })
}

fn free(offer: &Offer, month: &Month, days: &[Vec<Month>], past: &Past) -> Vec<Used> {
    let ours = |day: &Vec<Month>| day.iter().find(|other| other.remote == month.remote).map(|day| (&day.sent).into());
    let days: Vec<Usage> = days.iter().filter_map(ours).collect();
    history::free(offer, &(&month.sent).into(), &days, past.stored(&month.remote))
}

impl Told {
    fn text(&self) -> String {
        let Self { month, offer, kept, free, budget } = self;
        let mut currencies: Vec<&str> = month.money.iter().map(|(currency, _)| currency.as_str()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let money: Vec<String> =
            currencies.iter().map(|currency| format!("{} {currency}", shown(paid(month, currency)))).collect();
        let money = if money.is_empty() { "no price known".to_owned() } else { money.join(", ") };
        let runs = ui::count(month.runs, "run");
        let mut text = format!("{}: {runs}, {}; {money}\n", month.remote, words(&month.sent));
        for Left { place, at, kept, .. } in kept {
            let (objects, bytes) = (ui::count(kept.objects, "object"), ui::bytes(kept.bytes));
            text += &format!("  kept at {place}: {bytes} in {objects}, seen {}\n", day(*at));
        }
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
        let remote = &self.month.remote;
        let free = self.free.iter().filter(|used| used.is_much()).map(move |used| used.warning(remote));
        let budget = self
            .budget
            .iter()
            .filter(move |spent| spent.share >= WARNED)
            .map(move |spent| format!("the budget of '{remote}' is spent to {} %: {}", spent.percent, spent.what));
        free.chain(budget)
    }
}

impl Spent {
    fn of((share, what): (Decimal, String)) -> Self {
        Self { what, percent: percent(share), share }
    }
}
