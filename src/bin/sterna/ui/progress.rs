//! Progress: bars on a terminal, lines elsewhere. One task redraws from a summary, ten times a second.

use std::{
    io::IsTerminal,
    sync::Arc,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sterna::{
    backends::Key,
    report::{Summary, Tally, Under},
};
use tokio::task::JoinHandle;

use super::human;

/// Bars of single objects shown at once: the largest ones.
const SHOWN: usize = 5;

/// Progress under way; ends when it is dropped or finished.
pub struct Progress {
    task: JoinHandle<()>,
    bars: Option<Bars>,
}

#[derive(Clone)]
struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    objects: Vec<ProgressBar>,
}

impl Progress {
    /// Bars on a terminal if `wanted`; lines every `stats` if that is not zero.
    pub fn start(summary: Arc<Summary>, wanted: bool, stats: Duration) -> Self {
        let bars = (wanted && std::io::stderr().is_terminal()).then(Bars::new);
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
        if let Some(bars) = &self.bars {
            let _gone = bars.all.clear();
        }
    }
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let style = |template: &str| {
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─")
        };
        let total = all.add(ProgressBar::new(0).with_style(style("{msg}\n{wide_bar:.cyan/dim} {percent:>3}%")));
        let objects =
            (0..SHOWN).map(|_| ProgressBar::new(0).with_style(style("  {bar:20.dim} {percent:>3}% {msg}"))).collect();
        Self { all, total, objects }
    }

    fn draw(&self, tally: &Tally, elapsed: Duration) {
        self.total.set_length(tally.planned_bytes.max(1));
        self.total.set_position(tally.bytes_done.max(tally.bytes_passed).min(tally.planned_bytes));
        self.total.set_message(sentence(tally, elapsed));
        let mut largest: Vec<(&(usize, Key), &Under)> =
            tally.under.iter().filter(|(_, under)| under.size > 0).collect();
        largest.sort_by_key(|(_, under)| std::cmp::Reverse(under.size));
        for (at, bar) in self.objects.iter().enumerate() {
            match largest.get(at) {
                Some(((_, key), under)) => {
                    bar.set_length(under.size);
                    bar.set_position(under.passed.min(under.size));
                    bar.set_message(format!("{} {key}", human::bytes(under.size)));
                    if bar.is_hidden() {
                        self.all.add(bar.clone());
                    }
                }
                None => {
                    self.all.remove(bar);
                    bar.set_draw_target(ProgressDrawTarget::hidden());
                }
            }
        }
    }
}

fn sentence(tally: &Tally, elapsed: Duration) -> String {
    let done = tally.transferred + tally.copied + tally.touched + tally.deleted;
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
