//! `compare`: providers side by side.

mod bill;
mod speed;
mod table;

use std::{io::Write, pin::pin, sync::Arc, time::Duration};

use sterna::{
    backends::{Store, Timestamp, conformance},
    event::Observers,
    measure::{RESERVED, Reserve, Sample, Sampler, Stop},
    price::Stock,
    report::{Comparison, Provider, html},
    verify::{self, CheckSettings, Coverage, Seen},
};

use bill::Bill;

use super::{draft::Draft, observer, print, print_json};
use crate::{
    args::{GlobalArgs, VersionArgs, compare::SideBySideArgs},
    exit::{Exit, Failure},
    places::{Opener, Place},
    settings, ui,
};

/// How long what is under way may take to its end once somebody interrupts; what is dropped may appear after the sweep.
const PATIENCE: Duration = Duration::from_secs(3);

/// `sterna compare`.
pub async fn run(global: &GlobalArgs, args: SideBySideArgs) -> Result<Exit, Failure> {
    let page = args.html.as_deref().map(Draft::create).transpose();
    let page = page.map_err(|error| Failure::usage(format!("--html {error}")))?;
    let stop = Stop::default();
    let reserve = if args.writes() { Some(Reserve::take(settings::locks())?) } else { None };
    let (places, bill) = tokio::select! {
        opened = open(global, &args) => opened?,
        () = ui::interrupted() => return Ok(Exit::Interrupted),
    };
    let made = {
        let mut work = pin!(make(global, &args, (&places, &bill), reserve.as_ref(), &stop));
        tokio::select! {
            made = &mut work => made,
            () = ui::interrupted() => {
                ui::complain("interrupted; what was written is removed (again: at once, and it is left for the next run)");
                stop.now();
                tokio::select! {
                    _ = &mut work => {}
                    () = tokio::time::sleep(PATIENCE) => {}
                    () = ui::interrupted() => return Ok(Exit::Interrupted),
                }
                Ok(None)
            }
        }
    };
    let left = tokio::select! {
        left = speed::sweep(&places, reserve) => left,
        () = ui::interrupted() => return Ok(Exit::Interrupted),
    };
    let Some(mut comparison) = made? else { return Ok(Exit::Interrupted) };
    let all_gone = left.iter().all(Option::is_none);
    for (place, left) in comparison.places.iter_mut().zip(left) {
        if let Some(speed) = &mut place.speed {
            speed.left_behind = left;
        }
    }
    if let Some(page) = page {
        page.file()?.write_all(html::page(&comparison).as_bytes())?;
        page.finish()?;
    }
    if global.json {
        print_json(&comparison)?;
    } else {
        print(&table::text(&comparison, ui::width()))?;
    }
    Ok(if all_gone { Exit::Success } else { Exit::Error })
}

async fn open(global: &GlobalArgs, args: &SideBySideArgs) -> Result<(Vec<Place>, Bill), Failure> {
    let opener = Opener::new(global, args.local.clone(), observer(global, None))?;
    let bill = Bill::of(&opener, &args.own, &args.places)?;
    let mut places = Vec::new();
    for written in &args.places {
        places.push(if args.writes() { opener.target(written).await? } else { opener.folder(written).await? });
    }
    Ok((places, bill))
}

/// The comparison; `None` where it was stopped. What is written for it is not yet removed.
async fn make(
    global: &GlobalArgs,
    args: &SideBySideArgs,
    (places, bill): (&[Place], &Bill),
    reserve: Option<&Reserve>,
    stop: &Stop,
) -> Result<Option<Comparison>, Failure> {
    if let Some(reserve) = reserve {
        speed::sweep_dead(global, places, reserve).await?;
    }
    let (content, samples, stock) = content(global, args, places).await?;
    let mut providers: Vec<Provider> = places.iter().map(provider).collect();
    if !args.no_speed {
        let limits = speed::Limits { bytes: args.budget_bytes.0.unwrap_or(u64::MAX), cost: args.max_cost.as_ref() };
        speed::measure(global, (places, &mut providers), &samples, limits, (bill, &stock), reserve, stop).await?;
    }
    for (place, provider) in places.iter().zip(&mut providers) {
        if let Some(reserve) = reserve.filter(|_| args.doctor && !provider.capabilities.read_only && !stop.is_set()) {
            let prefix = format!("{}doctor/", reserve.folder());
            let options = conformance::Options { prefix, ..conformance::Options::default() };
            provider.doctor = Some(conformance::run(Arc::clone(&place.store), options).await);
        }
    }
    Ok((!stop.is_set()).then(|| Comparison {
        made: Timestamp::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        budget: (!args.no_speed).then_some(args.budget_bytes.0).flatten(),
        places: providers,
        content,
        price: bill.prices(stock, args.egress.map(|traffic| traffic.0)),
    }))
}

/// What the places hold, what of it may be read to measure them, and the sizes of all of it.
async fn content(
    global: &GlobalArgs,
    args: &SideBySideArgs,
    places: &[Place],
) -> Result<(Coverage, Vec<Sample>, Stock), Failure> {
    let stores: Vec<Arc<dyn Store>> = places.iter().map(|place| Arc::clone(&place.store)).collect();
    let settings = CheckSettings {
        scope: settings::scope(&args.filter, &VersionArgs::default())?,
        policy: settings::policy(&args.compare),
        download: args.download,
        one_way: false,
        index: settings::index(global)?,
        checkers: global.checkers,
    };
    let observer: Observers = observer(global, None);
    let mut sampler = Sampler::new(places.len());
    let mut stock = Stock::default();
    let look = |seen: &Seen| {
        sampler.take(seen);
        stock.add(seen.size.unwrap_or_default());
    };
    let content = verify::coverage(&stores, &settings, RESERVED, &observer, look).await?;
    Ok((content, sampler.finish(), stock))
}

fn provider(place: &Place) -> Provider {
    Provider {
        name: place.written.clone(),
        capabilities: place.store.capabilities().clone(),
        estimate: None,
        speed: None,
        doctor: None,
    }
}

impl SideBySideArgs {
    /// Whether anything is written to the places.
    fn writes(&self) -> bool {
        self.doctor || !(self.no_speed || self.no_writes)
    }
}
