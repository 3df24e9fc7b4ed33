//! What is to be priced: a place's own objects, a thought, or a file.

use std::sync::Arc;

use jiff::civil::Date;
use sterna::{
    backends::{Entry, Key, Store, Timestamp, VersionScope},
    list::{Listing, Scope, filter::Filter},
    price::{Book, Gone, Offer, Stock, Workload, read},
};

use super::today;

use crate::{
    args::{CostArgs, GlobalArgs},
    commands::observer,
    exit::Failure,
    places::Opener,
    settings, ui,
    values::{Churn, Lifetime, Traffic, bytes_of},
};

/// One workload to price.
pub struct Asked {
    /// What it is called; empty where there is only one.
    pub name: String,
    /// In words.
    pub title: String,
    /// The day its file asks for.
    pub date: Option<Date>,
    pub workload: Workload,
    /// Where it lies now; `None` for what lies nowhere.
    pub lies: Option<Lies>,
}

/// Where real objects lie.
pub struct Lies {
    /// What bills them; `None` where nothing is known of its price.
    pub offer: Option<Offer>,
    /// All of them, by the day on which they came.
    pub objects: Gone,
}

/// The workloads the arguments mean; at least one.
pub async fn asked(global: &GlobalArgs, args: &CostArgs, book: &Book) -> Result<Vec<Asked>, Failure> {
    let mut asked = if let Some(text) = &args.what_if {
        vec![Asked { name: String::new(), title: text.clone(), date: None, workload: what_if(text)?, lies: None }]
    } else if args.workload.is_some() {
        from_file(args)?
    } else {
        vec![from_place(global, args, book).await?]
    };
    for one in &mut asked {
        change(&mut one.workload, args);
        if args.workload.is_none() {
            one.workload = std::mem::take(&mut one.workload).with_implied_requests();
        }
    }
    Ok(asked)
}

/// What flags say, over what is there.
fn change(workload: &mut Workload, args: &CostArgs) {
    if let Some(Traffic(bytes)) = args.egress {
        workload.egress_bytes = bytes;
    }
    if let Some(Traffic(bytes)) = args.reads {
        workload.read_bytes = Some(bytes);
    }
    if let Some(Churn(share)) = args.churn {
        workload.churn_per_day = share;
    }
    if let Some(lifetime) = args.lifetime {
        workload.churn_per_day = lifetime.churn();
    }
    if let Some(kept) = args.kept {
        workload.residue = Some(kept.0);
    }
}

/// `1TB, 10000 objects, 5%/day, 3TB egress`.
fn what_if(text: &str) -> Result<Workload, Failure> {
    let mut workload = Workload::default();
    let (mut bytes, mut objects) = (None, None);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let wrong = || {
            Failure::usage(format!(
                "--what-if: '{part}' is none of '1TB', '10000 objects', '5%/day', '3TB egress', '3TB reads', '20 days lifetime'"
            ))
        };
        let (first, word) = part.split_once(' ').map_or((part, ""), |(first, word)| (first, word.trim()));
        let number = || first.replace('_', "").parse::<u64>().map_err(|_| wrong());
        match word {
            "objects" | "object" | "files" => objects = Some(number()?),
            "egress" | "out" => workload.egress_bytes = first.parse::<Traffic>().map_err(|_| wrong())?.0,
            "reads" | "read" => workload.read_bytes = Some(first.parse::<Traffic>().map_err(|_| wrong())?.0),
            "churn" => workload.churn_per_day = first.parse::<Churn>().map_err(|_| wrong())?.0,
            "day lifetime" | "days lifetime" => {
                workload.churn_per_day = first.parse::<Lifetime>().map_err(|_| wrong())?.churn()
            }
            "" | "stored" if first.contains('%') => {
                workload.churn_per_day = first.parse::<Churn>().map_err(|_| wrong())?.0
            }
            _ if bytes.is_some() => {
                let what = format!("--what-if: '{part}' is a second amount of bytes; '3TB egress' is what leaves");
                return Err(Failure::usage(what));
            }
            "" | "stored" => bytes = Some(bytes_of(first).ok_or_else(wrong)?),
            _ => bytes = Some(bytes_of(part).ok_or_else(wrong)?),
        }
    }
    let Some(bytes) = bytes else {
        return Err(Failure::usage("--what-if: say how much is stored, such as '1TB, 10000 objects'"));
    };
    workload.stock = Stock::even(bytes, objects.unwrap_or(0));
    Ok(workload)
}

fn from_file(args: &CostArgs) -> Result<Vec<Asked>, Failure> {
    let Some(path) = &args.workload else { return Ok(Vec::new()) };
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let (found, warnings) = read(&file, &text).map_err(|problem| Failure::usage(problem.to_string()))?;
    for warning in warnings {
        ui::complain(&warning.to_string());
    }
    let only = found.len() == 1;
    let names = found.iter().map(|named| named.name.clone()).collect::<Vec<_>>().join(", ");
    let wanted = found.into_iter().filter(|named| args.name.as_ref().is_none_or(|name| *name == named.name));
    let asked: Vec<_> = wanted
        .map(|named| Asked {
            name: if only || args.name.is_some() { String::new() } else { named.name },
            title: named.title,
            date: named.date,
            workload: named.workload,
            lies: None,
        })
        .collect();
    match &args.name {
        Some(name) if asked.is_empty() => {
            Err(Failure::usage(format!("{file}: no workload is called '{name}'; there are {names}")))
        }
        _ => Ok(asked),
    }
}

/// The sizes and ages of a place's objects.
async fn from_place(global: &GlobalArgs, args: &CostArgs, book: &Book) -> Result<Asked, Failure> {
    let written = args.place.clone().unwrap_or_default();
    let observer = observer(global, None);
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&observer))?;
    let offer = opener.offer(book, &written, args.prices.date.unwrap_or_else(today))?;
    let place = opener.either(&written).await?;
    let filter = place.narrows(Arc::new(settings::filter(&args.filter)?));
    let store = place.store;
    let (mut stock, mut objects) = (Stock::default(), Gone::default());
    let mut add = |size: u64, stored: Option<Timestamp>| {
        stock.add(size);
        objects.add(size, stored);
    };
    if args.from_index {
        from_index(global, &*store, &filter, &mut add)
            .map_err(|why| Failure { message: format!("{written}: {}", why.message), ..why })?;
    } else {
        let mut listing = Listing::open(&store, &Scope { filter, versions: VersionScope::Latest }, 0, observer);
        while let Some(entry) = listing.next().await? {
            add(entry.size.unwrap_or(0), entry.stored.or(entry.modified));
        }
    }
    let by = if args.from_index { ", as the index remembers them" } else { "" };
    let title = format!("{written}: {}, {}{by}", ui::count(stock.objects(), "object"), ui::bytes(stock.bytes()));
    let workload = Workload { stock, ..Workload::default() };
    Ok(Asked { name: String::new(), title, date: None, workload, lies: Some(Lies { offer, objects }) })
}

/// What the index remembers of a place: of each object the size and the content's own time.
fn from_index(
    global: &GlobalArgs,
    store: &dyn Store,
    filter: &Filter,
    add: &mut impl FnMut(u64, Option<Timestamp>),
) -> Result<(), Failure> {
    let index = settings::needed_index(global)?;
    let place =
        store.whereabouts().ok_or_else(|| Failure::usage("no index can remember it; leave out --from-index"))?;
    let mut known = false;
    index
        .export(Some(&place), |row| {
            let Some(key) = row.key.strip_prefix(&place.base).and_then(|key| Key::new(key).ok()) else { return Ok(()) };
            let entry = Entry { modified: row.modified, ..Entry::object(key, row.size) };
            known = true;
            if filter.admits(&entry) {
                add(row.size, row.modified);
            }
            Ok(())
        })
        .map_err(Failure::other)?;
    if known {
        Ok(())
    } else {
        Err(Failure::usage("the index knows nothing of it; leave out --from-index, or build it: sterna index build"))
    }
}
