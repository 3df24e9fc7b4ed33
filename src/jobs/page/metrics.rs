//! `/metrics`: how things stand, for Prometheus. The names are documented in `docs/jobs.md`.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

use super::month::Month;
use crate::jobs::{JobStatus, Saved, State, daemon::Snapshot};

/// The type of what [`text`] gives.
pub(super) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// One job, with what it came to this month.
pub(super) struct Told<'a> {
    pub job: &'a Saved,
    pub status: &'a JobStatus,
    pub month: Month,
}

/// Everything, in the text format of OpenMetrics.
///
/// # Errors
/// None that a `String` knows.
pub(super) fn text(version: &str, snapshot: &Snapshot, jobs: &[Told<'_>]) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("sterna");
    registry.register("build", "The daemon", Info::new([("version", version.to_owned())]));
    of_daemon(&mut registry, snapshot);
    of_jobs(&mut registry, jobs);
    of_targets(&mut registry, jobs);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn of_daemon(registry: &mut Registry, snapshot: &Snapshot) {
    let refused: Gauge = Gauge::default();
    refused.set(i64::from(snapshot.refused.is_some()));
    registry.register("configuration_refused", "1 while a newer configuration was not taken", refused);
    let loaded: Gauge = Gauge::default();
    loaded.set(snapshot.loaded.map_or(0, |time| time.seconds()));
    let help = "When the configuration was read that holds";
    registry.register_with_unit("configuration_loaded_timestamp", help, Unit::Seconds, loaded);
    let runs = Family::<Labels, Counter>::default();
    for ((job, verdict), count) in &snapshot.ended {
        runs.get_or_create(&vec![("job", job.clone()), ("verdict", (*verdict).to_owned())]).inc_by(*count);
    }
    registry.register("job_runs", "Runs that ended since the daemon was started, by how they did", runs);
}

fn of_jobs(registry: &mut Registry, jobs: &[Told<'_>]) {
    let gauges = |value: &dyn Fn(&Told<'_>) -> Option<f64>| {
        let family = Gauges::default();
        for told in jobs {
            if let Some(value) = value(told) {
                family.get_or_create(&vec![("job", told.job.name.clone())]).set(value);
            }
        }
        family
    };
    let is = |truth: bool| Some(f64::from(u8::from(truth)));
    let ended = |told: &Told<'_>| told.status.last.as_ref().filter(|last| last.ended.is_some()).cloned();
    registry.register(
        "job_running",
        "1 while a run is under way",
        gauges(&|told| is(told.status.state == State::Running)),
    );
    let held = gauges(&|told| is(matches!(told.status.state, State::Paused | State::Disabled)));
    registry.register("job_held", "1 while the job is paused or off", held);
    let good = gauges(&|told| is(ended(told)?.verdict.is_success()));
    registry.register("job_last_run_success", "1 where the last run that ended left every target in step", good);
    let began = gauges(&|told| Some(told.status.last.as_ref()?.began.seconds() as f64));
    registry.register_with_unit("job_last_run_timestamp", "When the last run began", Unit::Seconds, began);
    let took = gauges(&|told| {
        let run = ended(told)?;
        Some((run.ended?.as_nanos() - run.began.as_nanos()) as f64 / 1e9)
    });
    registry.register_with_unit("job_last_run_duration", "How long the last run took", Unit::Seconds, took);
    let next = gauges(&|told| Some(told.status.next?.seconds() as f64));
    registry.register_with_unit("job_next_run_timestamp", "When it is due next", Unit::Seconds, next);
    let planned = gauges(&|told| Some(told.status.progress.as_ref()?.planned_bytes as f64));
    registry.register_with_unit("job_run_planned", "Bytes the run under way is to carry", Unit::Bytes, planned);
    let passed = gauges(&|told| Some(told.status.progress.as_ref()?.bytes_passed as f64));
    registry.register_with_unit("job_run_passed", "Bytes it has carried", Unit::Bytes, passed);
    let (cost, budget) = (Gauges::default(), Gauges::default());
    for told in jobs {
        let labels = |currency: &str| vec![("job", told.job.name.clone()), ("currency", currency.to_owned())];
        for (currency, amount) in &told.month.spent {
            cost.get_or_create(&labels(currency)).set(f64::try_from(*amount).unwrap_or(f64::NAN));
        }
        if let Some((most, currency)) = told.job.budget.as_ref().and_then(|budget| budget.cost.as_ref()) {
            budget.get_or_create(&labels(currency)).set(f64::try_from(*most).unwrap_or(f64::NAN));
        }
    }
    registry.register("job_month_cost", "What its runs cost this calendar month (UTC)", cost);
    registry.register("job_month_budget", "What they may cost", budget);
}

fn of_targets(registry: &mut Registry, jobs: &[Told<'_>]) {
    let (good, last) = (Gauges::default(), Gauges::default());
    for told in jobs {
        for target in &told.status.targets {
            let labels = vec![("job", told.job.name.clone()), ("target", target.place.clone())];
            if let Some(verdict) = target.verdict {
                good.get_or_create(&labels).set(f64::from(u8::from(verdict.is_success())));
            }
            if let Some(time) = target.in_step {
                last.get_or_create(&labels).set(time.seconds() as f64);
            }
        }
    }
    registry.register("target_in_step", "1 where the last run that ended left the target in step", good);
    let help = "When the target was last seen in step";
    registry.register_with_unit("target_last_in_step_timestamp", help, Unit::Seconds, last);
}
