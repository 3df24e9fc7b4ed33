//! Lines over a common axis.

use maud::{Markup, html};

use super::percent;

/// Height of the chart, in pixels, and what of it lies above the highest value.
const HEIGHT: f64 = 240.0;
const HEAD: f64 = 18.0;

/// One line.
pub(in super::super) struct Line {
    /// The class that gives it its colour.
    pub colour: String,
    /// Written along it, so that it is told from others without its colour.
    pub name: char,
    /// Its points, from the left.
    pub points: Vec<(f64, f64)>,
}

/// The chart: `lines` from 0 to the highest value, with words for a value of either axis.
pub(in super::super) fn lines(
    label: &str,
    lines: &[Line],
    mark: Option<f64>,
    (say_x, say_y): (&dyn Fn(f64) -> String, &dyn Fn(f64) -> String),
) -> Markup {
    let points = || lines.iter().flat_map(|line| &line.points);
    let right = points().map(|(x, _)| *x).fold(f64::MIN_POSITIVE, f64::max);
    let top = points().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| percent(value / right);
    let y = |value: f64| format!("{:.1}", HEAD + (HEIGHT - HEAD) * (1.0 - value / top));
    html! {
        svg width="100%" height=(HEIGHT + 22.0) role="img" aria-label=(label) {
            @for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.grid x1="0" x2="100%" y1=(y(top * part)) y2=(y(top * part)) {}
                text.tick x="0" y=(format!("{:.1}", HEAD + (HEIGHT - HEAD) * (1.0 - part) - 4.0)) { (say_y(top * part)) }
            }
            @if let Some(mark) = mark {
                line.axis x1=(x(mark)) x2=(x(mark)) y1=(HEAD) y2=(HEIGHT) stroke-dasharray="2 4" {}
            }
            @for (number, line) in lines.iter().enumerate() {
                @for pair in line.points.windows(2) {
                    line class={ "cs " (line.colour) } x1=(x(pair[0].0)) y1=(y(pair[0].1)) x2=(x(pair[1].0)) y2=(y(pair[1].1)) stroke-width="2.5" stroke-linecap="round" {}
                }
                @for point in line.points.iter().skip(14 + 3 * number).step_by(20) {
                    text x=(x(point.0)) y=(y(point.1)) dy="-6" text-anchor="middle" font-weight="700" { (line.name) }
                }
            }
            @for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
                text.tick x=(percent(share)) y=(HEIGHT + 18.0) text-anchor=(anchor) { (say_x(right * share)) }
            }
        }
    }
}
