//! How fast the places are: what is said before, and what is removed after.

use std::sync::Arc;

use sterna::{
    measure::{self, Estimate, Reserve, Sample, Stop, Subject},
    price::Stock,
    report::Provider,
};

use super::bill::Bill;
use crate::{args::GlobalArgs, commands::bill::shown, exit::Failure, places::Place, ui, values::Money};

/// What measuring may take.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Bytes read and written at one place.
    pub bytes: u64,
    /// Money at all places together.
    pub cost: Option<&'a Money>,
}

/// Removes what killed runs left behind.
pub async fn sweep_dead(global: &GlobalArgs, places: &[Place], reserve: &Reserve) -> Result<(), Failure> {
    for place in places {
        let swept = reserve.sweep_dead(&place.store).await?;
        if swept > 0 && !global.quiet {
            ui::say(&format!("{}: removed what {} left there", place.written, ui::count(swept as u64, "earlier run")));
        }
    }
    Ok(())
}

/// Says what it will take in bytes and money, and measures.
///
/// # Errors
/// Where that is more than `limits` allow; nothing is measured then.
pub async fn measure(
    global: &GlobalArgs,
    (places, providers): (&[Place], &mut [Provider]),
    samples: &[Sample],
    limits: Limits<'_>,
    (bill, stock): (&Bill, &Stock),
    reserve: Option<&Reserve>,
    stop: &Stop,
) -> Result<(), Failure> {
    let folder = reserve.map(Reserve::folder);
    let subject = |(place, sample): (&Place, &Sample)| Subject {
        store: Arc::clone(&place.store),
        meter: place.meter.clone(),
        program: measure::program(sample, place.store.capabilities(), limits.bytes, folder.as_deref()),
    };
    let subjects: Vec<Subject> = places.iter().zip(samples).map(subject).collect();
    let mut quotes = Vec::new();
    for (at, (subject, provider)) in subjects.iter().zip(&mut *providers).enumerate() {
        let estimate = subject.program.estimate();
        let quote = bill.once(at, &estimate, stock);
        if !global.quiet {
            let cost = quote.as_ref().map_or_else(String::new, |quote| {
                format!("; that costs {} {} by {}", shown(quote.total_exact()), quote.currency, quote.offer)
            });
            ui::say(&format!("measuring {} takes at most {}{cost}", provider.name, words(&estimate)));
        }
        quotes.push(quote);
        provider.estimate = Some(estimate);
    }
    if let Some(most) = limits.cost {
        bill.allows(most, &quotes)?;
    }
    let tell = |at: usize, task: measure::Task| {
        if global.verbose > 0 {
            ui::say(&format!("{}: {}", places[at].written, task.name()));
        }
    };
    let speeds = measure::run(&subjects, stop, tell).await;
    for (provider, speed) in providers.iter_mut().zip(speeds) {
        provider.speed = Some(speed);
    }
    Ok(())
}

fn words(estimate: &Estimate) -> String {
    let requests = estimate.requests.values().sum();
    let (sent, read) = (ui::bytes(estimate.bytes_out), ui::bytes(estimate.bytes_in));
    format!("{sent} sent, {read} read, {}", ui::count(requests, "request"))
}

/// Removes what this run has written, at every place; why something is left, where it is.
pub async fn sweep(places: &[Place], reserve: Option<Reserve>) -> Vec<Option<String>> {
    let Some(reserve) = reserve else { return vec![None; places.len()] };
    let mut left = Vec::new();
    for place in places {
        let failed = if place.store.capabilities().read_only { None } else { reserve.sweep(&place.store).await.err() };
        left.push(failed.map(|error| {
            let message = format!("something may be left below {}: {error}", reserve.folder());
            ui::complain(&format!("{}: {message}; the next run removes it", place.written));
            message
        }));
    }
    if left.iter().all(Option::is_none) {
        reserve.release();
    }
    left
}
