//! [`Limit`]: bytes per second, by the time of the week.

mod bucket;
mod layer;
#[cfg(test)]
mod tests;
mod timetable;

pub use bucket::{Bandwidth, Clock};
pub use layer::Limit;
pub use timetable::{InvalidTimetable, Rate, Timetable};
