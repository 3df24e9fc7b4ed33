//! `/metrics`: how things stand, for Prometheus. The names are documented in `docs/jobs.md`.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::stand::Stand;
use crate::{
    jobs::{Standing, State, daemon::Snapshot},
    price::Decimal,
};

/// The type of what [`text`] gives.
pub(super) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// Everything, in the text format of OpenMetrics.
///
/// # Errors
/// None that a `String` knows.
pub(super) fn text(version: &str, snapshot: &Snapshot, jobs: &[Stand]) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("sterna");
    // A gauge, not an info: readers of the older text format know none.
    register(
        &mut registry,
        ("build_info", "The daemon", None),
        [(vec![("version", version.to_owned())], 1.0)].into_iter(),
    );
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

fn of_jobs(registry: &mut Registry, jobs: &[Stand]) {
    let mut each = |name: &str, help: &str, unit: Option<Unit>, value: &dyn Fn(&Stand) -> Option<f64>| {
        let told = |stand: &Stand| Some((vec![("job", stand.job.name.clone())], value(stand)?));
        register(registry, (name, help, unit), jobs.iter().filter_map(told));
    };
    let seconds = || Some(Unit::Seconds);
    let bytes = || Some(Unit::Bytes);
    each("job_running", "1 while a run is under way", None, &|job| is(job.status.state == State::Running));
    let held = |job: &Stand| is(matches!(job.status.state, State::Paused | State::Disabled));
    each("job_held", "1 while the job is paused or off", None, &held);
    let good = |job: &Stand| is(job.status.ended.as_ref()?.verdict.is_success());
    each("job_last_run_success", "1 where the last run that ended left every target in step", None, &good);
    let began = |job: &Stand| Some(job.status.last.as_ref()?.began.seconds() as f64);
    each("job_last_run_timestamp", "When the last run began", seconds(), &began);
    let took = |job: &Stand| {
        let run = job.status.ended.as_ref()?;
        Some((run.ended?.as_nanos() - run.began.as_nanos()) as f64 / 1e9)
    };
    each("job_last_run_duration", "How long the last run that ended took", seconds(), &took);
    let next = |job: &Stand| Some(job.status.next?.seconds() as f64);
    each("job_next_run_timestamp", "When it is due next", seconds(), &next);
    let planned = |job: &Stand| Some(job.status.progress.as_ref()?.planned_bytes as f64);
    each("job_run_planned", "Bytes the run under way is to carry", bytes(), &planned);
    let passed = |job: &Stand| Some(job.status.progress.as_ref()?.bytes_passed as f64);
    each("job_run_passed", "Bytes it has carried", bytes(), &passed);
    each("job_month_egress", "Bytes its runs read this calendar month (UTC)", bytes(), &|job| {
        Some(job.month.egress as f64)
    });
    let most = |job: &Stand| Some(job.job.budget.as_ref()?.egress? as f64);
    each("job_month_egress_budget", "Bytes they may read", bytes(), &most);
    let money = |job: &Stand, currency: &str, amount: &Decimal| {
        let labels = vec![("job", job.job.name.clone()), ("currency", currency.to_owned())];
        (labels, f64::try_from(*amount).unwrap_or(f64::NAN))
    };
    let cost = jobs.iter().flat_map(|job| job.month.spent.iter().map(move |(currency, sum)| money(job, currency, sum)));
    register(registry, ("job_month_cost", "What its runs cost this calendar month (UTC)", None), cost);
    let budget = jobs.iter().filter_map(|job| {
        let (most, currency) = job.job.budget.as_ref()?.cost.as_ref()?;
        Some(money(job, currency, most))
    });
    register(registry, ("job_month_budget", "What they may cost", None), budget);
}

fn of_targets(registry: &mut Registry, jobs: &[Stand]) {
    let mut each = |name: &str, help: &str, unit: Option<Unit>, value: &dyn Fn(&Stand, &Standing) -> Option<f64>| {
        let told = |job: &Stand, target: &Standing| {
            let labels = vec![("job", job.job.name.clone()), ("target", target.place.clone())];
            Some((labels, value(job, target)?))
        };
        let targets = jobs.iter().flat_map(|job| job.status.targets.iter().map(move |target| (job, target)));
        register(registry, (name, help, unit), targets.filter_map(|(job, target)| told(job, target)));
    };
    let help = "1 where the last run that ended left the target in step";
    each("target_in_step", help, None, &|_, target| is(target.verdict?.is_success()));
    let help = "When the target was last seen in step";
    let last = |_: &Stand, target: &Standing| Some(target.in_step?.seconds() as f64);
    each("target_last_in_step_timestamp", help, Some(Unit::Seconds), &last);
    let help = "1 while that is longer ago than the job's stale_after";
    let stale = |job: &Stand, target: &Standing| job.job.stale_after.and_then(|_| is(target.stale));
    each("target_stale", help, None, &stale);
    each("target_objects", "Objects it held then", None, &|_, target| Some(target.holds?.objects as f64));
    each("target_stored", "Their bytes", Some(Unit::Bytes), &|_, target| Some(target.holds?.bytes as f64));
}

fn is(truth: bool) -> Option<f64> {
    Some(f64::from(u8::from(truth)))
}

fn register(
    registry: &mut Registry,
    (name, help, unit): (&str, &str, Option<Unit>),
    values: impl Iterator<Item = (Labels, f64)>,
) {
    let family = Gauges::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, family),
        None => registry.register(name, help, family),
    }
}
