//! A distribution as a strip of dots on a logarithmic scale: every sample is there to be seen.

use maud::{Markup, html};

use super::percent;
use crate::measure::Latencies;

/// Height of a strip, in pixels.
const HEIGHT: f64 = 34.0;

/// A logarithmic scale over whole powers of ten, or a part of one where that is enough.
pub(in super::super) struct Log {
    low: f64,
    high: f64,
}

impl Log {
    /// A scale that holds all `values`, each above 0.
    pub(in super::super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| {
            (low.min(value.max(0.01)), high.max(value.max(0.01)))
        });
        // Round numbers below and above: 1, 2 or 5 times a power of ten.
        Self { low: round(low.min(high), false), high: round(high * 1.02, true) }
    }

    /// Where a value lies, 0 to 1.
    fn at(&self, value: f64) -> f64 {
        (value.max(self.low) / self.low).ln() / (self.high / self.low).ln().max(f64::MIN_POSITIVE)
    }

    /// A row of round numbers below the strips.
    pub(in super::super) fn ticks(&self, say: fn(f64) -> String) -> Markup {
        // On a telephone a fifth of the width holds one.
        let mut shown: Vec<(f64, f64)> = Vec::new();
        for tick in self.rounds() {
            let share = self.at(tick);
            if shown.last().is_none_or(|(last, _)| share - last >= 0.2) {
                shown.push((share, tick));
            }
        }
        html! {
            svg width="100%" height="18" aria-hidden="true" {
                @for (share, tick) in shown {
                    @let anchor = if share < 0.08 { "start" } else if share > 0.92 { "end" } else { "middle" };
                    text.tick x=(percent(share)) y="14" text-anchor=(anchor) { (say(tick)) }
                }
            }
        }
    }

    fn rounds(&self) -> Vec<f64> {
        let mut ticks = vec![self.low];
        while let Some(last) = ticks.last().copied().filter(|last| last * 1.5 < self.high) {
            ticks.push(round(last * 1.5, true));
        }
        ticks
    }
}

/// The next of 1, 2, 5, 10, 20, … that is not below, or not above, `value`.
fn round(value: f64, up: bool) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let near = |step: &&f64| if up { **step >= value * 0.999_999 } else { **step <= value * 1.000_001 };
    if up { steps.iter().find(near) } else { steps.iter().rev().find(near) }.copied().unwrap_or(power)
}

/// The dots of one place.
pub(in super::super) fn strip(colour: &str, axis: &Log, latencies: &Latencies, label: &str) -> Markup {
    let millis = |micros: u64| micros as f64 / 1000.0;
    let at = |percent: usize| latencies.percentile(percent).map_or(0.0, |micros| axis.at(millis(micros)));
    // Where dots would lie on one another they are spread by a fixed pattern, the same in every report.
    let height = |number: usize| HEIGHT / 2.0 + ((number * 7) % 11) as f64 * 2.2 - 11.0;
    html! {
        svg class=(colour) width="100%" height=(HEIGHT) role="img" aria-label={ (label) ": " (latencies.n()) " samples" } {
            @for tick in axis.rounds() {
                line.grid x1=(percent(axis.at(tick))) x2=(percent(axis.at(tick))) y1="0" y2=(HEIGHT) {}
            }
            line.axis x1="0" x2="100%" y1=(HEIGHT) y2=(HEIGHT) {}
            @for (number, micros) in latencies.micros().iter().enumerate() {
                circle.dot cx=(percent(axis.at(millis(*micros)))) cy=(format!("{:.1}", height(number))) r="3.2" {}
            }
            line.p50 x1=(percent(at(50))) x2=(percent(at(50))) y1="1" y2=(HEIGHT) {}
            line.p95 x1=(percent(at(95))) x2=(percent(at(95))) y1="1" y2=(HEIGHT) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_in_round_numbers() {
        let axis = Log::around([3.0, 180.0].into_iter());
        assert_eq!((axis.low, axis.high), (2.0, 200.0));
        assert_eq!(axis.rounds(), [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        assert!(axis.at(2.0).abs() < 1e-9 && (axis.at(200.0) - 1.0).abs() < 1e-9);
        assert!((axis.at(20.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn one_sample_and_none_have_a_scale() {
        for values in [vec![], vec![1.0], vec![0.0]] {
            let axis = Log::around(values.into_iter());
            assert!(axis.high > axis.low && axis.at(1.0).is_finite());
        }
    }
}
