//! `compare`: providers side by side.

mod page;
mod speed;
mod table;

use std::{pin::pin, sync::Arc, time::Duration};

use sterna::{
    backends::{Store, Timestamp, conformance},
    event::Observers,
    measure::{RESERVED, Reserve, Sample, Sampler, Stop},
    report::{Comparison, Provider},
    verify::{self, CheckSettings, Coverage},
};

use super::{observer, print, print_json};
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
    let page = args.html.as_deref().map(page::Page::at).transpose()?;
    let stop = Stop::default();
    let reserve = if args.writes() { Some(Reserve::take(settings::locks())?) } else { None };
    let places = tokio::select! {
        places = open(global, &args) => places?,
        () = ui::interrupted() => return Ok(Exit::Interrupted),
    };
    let made = {
        let mut work = pin!(make(global, &args, &places, reserve.as_ref(), &stop));
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
        page.write(&comparison)?;
    }
    if global.json {
        print_json(&comparison)?;
    } else {
        print(&table::text(&comparison, ui::width()))?;
    }
    Ok(if all_gone { Exit::Success } else { Exit::Error })
}

async fn open(global: &GlobalArgs, args: &SideBySideArgs) -> Result<Vec<Place>, Failure> {
    let opener = Opener::new(global, args.local.clone(), observer(global, None))?;
    let mut places = Vec::new();
    for written in &args.places {
        places.push(if args.writes() { opener.target(written).await? } else { opener.folder(written).await? });
    }
    Ok(places)
}

/// The comparison; `None` where it was stopped. What is written for it is not yet removed.
async fn make(
    global: &GlobalArgs,
    args: &SideBySideArgs,
    places: &[Place],
    reserve: Option<&Reserve>,
    stop: &Stop,
) -> Result<Option<Comparison>, Failure> {
    if let Some(reserve) = reserve {
        speed::sweep_dead(global, places, reserve).await?;
    }
    let (content, samples) = content(global, args, places).await?;
    let mut providers: Vec<Provider> = places.iter().map(provider).collect();
    if !args.no_speed {
        let budget = args.budget_bytes.0.unwrap_or(u64::MAX);
        speed::measure(global, (places, &mut providers), &samples, budget, reserve, stop).await;
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
    }))
}

/// What the places hold, and what of it may be read to measure them.
async fn content(
    global: &GlobalArgs,
    args: &SideBySideArgs,
    places: &[Place],
) -> Result<(Coverage, Vec<Sample>), Failure> {
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
    let content = verify::coverage(&stores, &settings, RESERVED, &observer, |seen| sampler.take(seen)).await?;
    Ok((content, sampler.finish()))
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
