//! Where a job has another word than its source: what it keeps, and the trace it leaves at each target.

use std::sync::Arc;

use futures::future::join_all;
use serde::Serialize;
use sterna::{
    backends::{Store, Timestamp},
    jobs::{
        Saved,
        retention::{Gone, GroupDecision, Kept, Saving, survey},
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

/// What retention says of one target, as a dry run shows it.
#[derive(Serialize)]
pub struct Shown {
    place: String,
    groups: Vec<Group>,
    /// Objects that stay though the source lacks them, lest there be too few.
    held: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    saving: Option<Spared>,
}

/// What goes of a group, the oldest first.
#[derive(Serialize)]
struct Group {
    group: String,
    kept: usize,
    goes: Vec<Revision>,
}

#[derive(Serialize)]
struct Revision {
    revision: String,
    objects: Vec<String>,
    bytes: u64,
}

/// Amounts, exact.
#[derive(Serialize)]
struct Spared {
    currency: String,
    per_month: String,
    /// Billed once, since it is deleted before its time.
    early: String,
}

impl Shown {
    /// What goes at `place`, and what that saves.
    ///
    /// # Errors
    /// Where its `price_offer` is none.
    pub fn of(place: &Place, kept: &Kept, book: &Book) -> Result<Self, Failure> {
        let now = Timestamp::now();
        let today = jiff::Timestamp::from(now).to_zoned(jiff::tz::TimeZone::UTC).date();
        let offer = place.terms.as_ref().map(|terms| terms.billed(book, today)).transpose()?.flatten();
        let goes = kept.decision.keys().next().is_some();
        let saving = offer.filter(|_| goes).map(|offer| {
            let saving = Saving::of(&kept.decision, &kept.stock, &offer, now);
            let [per_month, early] = [saving.per_month, saving.early].map(|amount| amount.normalize().to_string());
            Spared { currency: saving.currency, per_month, early }
        });
        let revision = |gone: &Gone| Revision {
            revision: gone.revision.clone(),
            objects: gone.objects.iter().map(|(key, _)| key.to_string()).collect(),
            bytes: gone.objects.iter().map(|(_, size)| size).sum(),
        };
        let group = |group: &GroupDecision| Group {
            group: group.name.clone(),
            kept: group.kept,
            goes: group.goes.iter().map(revision).collect(),
        };
        let groups = kept.decision.groups.iter().map(group).collect();
        Ok(Self { place: place.written.clone(), groups, held: kept.held, saving })
    }

    /// The same for people: nothing of groups that lose nothing.
    pub fn say(&self) {
        let say = |words: String| ui::say(&format!("retention: {}: {words}", self.place));
        for Group { group, kept, goes } in &self.groups {
            let (Some(first), Some(last)) = (goes.first(), goes.last()) else { continue };
            let which = match goes.len() {
                1 => first.revision.clone(),
                _ => format!("{} to {}", first.revision, last.revision),
            };
            let objects = goes.iter().map(|revision| revision.objects.len() as u64).sum();
            let bytes = goes.iter().map(|revision| revision.bytes).sum();
            let (objects, bytes) = (ui::count(objects, "object"), ui::bytes(bytes));
            say(format!("{group}: {kept} kept, {} to go ({which}; {objects}, {bytes})", goes.len()));
        }
        if self.held > 0 {
            let held = ui::count(self.held as u64, "object");
            say(format!("{held} stay though the source lacks them: there would be too few"));
        }
        if let Some(Spared { currency, per_month, early }) = &self.saving {
            let amount = |text: &str| text.parse().map_or_else(|_| text.to_owned(), shown);
            let early = match early.as_str() {
                "0" => String::new(),
                early => format!("; deleted before its time, {} {currency} are billed once", amount(early)),
            };
            say(format!("saves {} {currency} a month{early}", amount(per_month)));
        }
    }
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
