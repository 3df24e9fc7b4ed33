//! Charts as inline SVG. Lengths are shares of the width; letters keep their size.

mod bars;
mod lines;
mod strip;

pub(super) use bars::{Part, bar, labelled, share, stack};
pub(super) use lines::{Line, lines};
pub(super) use strip::{Log, strip};

/// A share as SVG has it.
fn percent(share: f64) -> String {
    format!("{:.2}%", share.clamp(0.0, 1.0) * 100.0)
}
