//! Where a job has another word than its source: what it keeps, and the trace it leaves at each target.

use std::sync::Arc;

use futures::future::join_all;
use sterna::{
    backends::{Store, Timestamp},
    jobs::{
        Saved,
        retention::{Kept, Saving, survey},
        trace::Trace,
    },
    price::Book,
    sync::{Exempt, Inventory, Job},
};

use crate::{commands::bill::shown, config::Config, exit::Failure, places::Place, ui};

/// Tells `sync` what `job` keeps, target by target; nothing where it keeps all that its source has.
///
/// # Errors
/// What ended a listing.
pub async fn exempt(job: &Saved, sync: &mut Job) -> Result<Vec<Kept>, Failure> {
    let (mut exempt, mut kept) = (Exempt::default(), Vec::new());
    if let Some(retention) = Config::retention(job) {
        let stores: Vec<Arc<dyn Store>> = sync.targets.iter().map(|target| Arc::clone(&target.store)).collect();
        let survey = survey(&sync.source, &stores, &sync.scope, &retention, Timestamp::now()).await?;
        (exempt, kept) = (survey.exempt, survey.targets);
    }
    exempt.leave_alone(&job.trace, sync.targets.len());
    sync.exempt = Arc::new(exempt);
    Ok(kept)
}

/// What goes at a target, and what that saves, for people.
///
/// # Errors
/// Where its `price_offer` is none.
pub fn words(place: &Place, kept: &Kept, book: &Book) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for group in kept.decision.groups.iter().filter(|group| !group.goes.is_empty()) {
        let objects = || group.goes.iter().flat_map(|gone| &gone.objects);
        let bytes = objects().map(|(_, size)| size).sum();
        let (first, last) = (&group.goes[0].revision, &group.goes[group.goes.len() - 1].revision);
        let which = if first == last { first.clone() } else { format!("{first} to {last}") };
        lines.push(format!(
            "retention: {}: {}: {} kept, {} to go ({which}; {}, {})",
            place.written,
            group.name,
            group.kept,
            group.goes.len(),
            ui::count(objects().count() as u64, "object"),
            ui::bytes(bytes),
        ));
    }
    if kept.held > 0 {
        let held = ui::count(kept.held as u64, "object");
        lines.push(format!(
            "retention: {}: {held} stay though the source lacks them: there would be too few",
            place.written
        ));
    }
    if lines.is_empty() {
        return Ok(lines);
    }
    let now = Timestamp::now();
    let today = jiff::Timestamp::from(now).to_zoned(jiff::tz::TimeZone::UTC).date();
    let offer = place.terms.as_ref().map(|terms| terms.billed(book, today)).transpose()?.flatten();
    if let Some(offer) = offer {
        let saving = Saving::of(&kept.decision, &kept.stock, &offer, now);
        let early = match saving.early.is_zero() {
            true => String::new(),
            false => format!("; deleted before its time, {} {} are billed once", shown(saving.early), saving.currency),
        };
        let (place, currency) = (&place.written, &saving.currency);
        lines.push(format!("retention: {place}: saves {} {currency} a month{early}", shown(saving.per_month)));
    }
    Ok(lines)
}

/// Leaves a trace at each of `stores`: in step since `began`. What of the source that is was told by this run, or else by the trace that lies
/// there. A trace that cannot be written is complained about, and no failure of the run.
pub async fn leave_traces(job: &Saved, began: Timestamp, stores: &[Arc<dyn Store>], listing: Option<&Inventory>) {
    let left = join_all(stores.iter().map(|store| leave(job, began, store, listing))).await;
    for error in left.into_iter().filter_map(Result::err) {
        ui::complain(&format!("{}: no trace is left: {error}", job.name));
    }
}

async fn leave(
    job: &Saved,
    began: Timestamp,
    store: &Arc<dyn Store>,
    listing: Option<&Inventory>,
) -> sterna::backends::Result<()> {
    let listing = match listing {
        Some(listing) => Some(listing.clone()),
        None => Trace::read(&**store, &job.trace).await.ok().and_then(|trace| trace.listing),
    };
    Trace::new(&job.name, &job.source, began, listing).write(&**store, &job.trace).await
}
