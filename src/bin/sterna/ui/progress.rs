//! Progress: bars on a terminal, lines elsewhere. One task redraws from a summary, ten times a second.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sterna::{
    backends::Key,
    report::{Summary, Tally, Under, words as human},
};
use tokio::task::JoinHandle;

/// Single objects shown at once: the largest ones.
const SHOWN: usize = 5;

/// The bars on the terminal, which there is one of.
static SHOWING: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes to the terminal, above the bars where there are any: what is written into them is lost at the next drawing.
pub fn above_bars<T>(write: impl FnOnce() -> T) -> T {
    match &*SHOWING.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Progress under way; ends when it is dropped or finished.
pub struct Progress {
    task: JoinHandle<()>,
    bars: Option<Bars>,
}

impl Progress {
    /// Bars on a terminal if `wanted`; lines every `stats` if that is not zero.
    pub fn start(summary: Arc<Summary>, wanted: bool, stats: Duration) -> Self {
        let bars = (wanted && std::io::stderr().is_terminal()).then(Bars::new);
        *SHOWING.lock().unwrap_or_else(PoisonError::into_inner) = bars.as_ref().map(|bars| bars.0.clone());
        let started = Instant::now();
        let task = match (&bars, stats) {
            (Some(bars), _) => tokio::spawn(redraw(bars.clone(), summary, started)),
            (None, Duration::ZERO) if !wanted => tokio::spawn(async {}),
            (None, stats) => {
                let every = if stats.is_zero() { Duration::from_secs(10) } else { stats };
                tokio::spawn(lines(summary, started, every))
            }
        };
        Self { task, bars }
    }

    /// Takes the bars away.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        *SHOWING.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(bars) = &self.bars {
            bars.0.finish_and_clear();
        }
    }
}

/// One bar of the whole, and a line for each object shown. They are one bar to the terminal, of as many lines at all times:
/// where the number changes, stray lines stay behind.
#[derive(Clone)]
struct Bars(ProgressBar);

impl Bars {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{prefix}\n{wide_bar:.cyan/dim} {percent:>3}%{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
        Self(bar.with_style(style.progress_chars("━╸─")).with_message("\n".repeat(SHOWN)))
    }

    fn draw(&self, tally: &Tally, elapsed: Duration) {
        self.0.set_length(tally.planned_bytes.max(1));
        self.0.set_prefix(sentence(tally, elapsed));
        let mut largest: Vec<(&(usize, Key), &Under)> =
            tally.under.iter().filter(|(_, under)| under.size > 0).collect();
        largest.sort_by_key(|(_, under)| std::cmp::Reverse(under.size));
        let lines = largest.iter().map(|((_, key), under)| line(key, under));
        let blank = std::iter::repeat_with(|| "\n".to_owned());
        self.0.set_message(lines.chain(blank).take(SHOWN).collect::<String>());
        self.0.set_position(tally.bytes_done.max(tally.bytes_passed).min(tally.planned_bytes));
    }
}

/// An object under way: a bar of twenty marks, its share, its size, its key.
fn line(key: &Key, under: &Under) -> String {
    const MARKS: u64 = 20;
    let passed = under.passed.min(under.size);
    let full = usize::try_from(u128::from(passed) * u128::from(MARKS) / u128::from(under.size)).unwrap_or(0);
    let percent = u128::from(passed) * 100 / u128::from(under.size);
    let rest = "─".repeat(MARKS as usize - full);
    let key = super::legible(key.as_str(), &std::io::stderr());
    // A line feed would take the place of another object's line.
    let key = key.replace('\n', "\\n");
    format!("\n  {}{rest} {percent:>3}% {} {key}", "━".repeat(full), human::bytes(under.size))
}

fn sentence(tally: &Tally, elapsed: Duration) -> String {
    let done = tally.transferred + tally.copied + tally.touched + tally.deleted + tally.read;
    let planned = if tally.plan_ended { tally.planned.to_string() } else { format!("{}+", tally.planned) };
    let mut text = format!(
        "{} listed, {done}/{planned} done, {} of {}, {}, {}",
        tally.listed,
        human::bytes(tally.bytes_done.max(tally.bytes_passed.min(tally.planned_bytes))),
        human::bytes(tally.planned_bytes),
        human::rate(tally.bytes_passed, elapsed),
        human::span(elapsed),
    );
    if tally.failed > 0 {
        text.push_str(&format!(", {} failed", tally.failed));
    }
    text
}

async fn redraw(bars: Bars, summary: Arc<Summary>, started: Instant) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        bars.draw(&summary.tally(), started.elapsed());
    }
}

async fn lines(summary: Arc<Summary>, started: Instant, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.tick().await;
    loop {
        tick.tick().await;
        super::say(&sentence(&summary.tally(), started.elapsed()));
    }
}
