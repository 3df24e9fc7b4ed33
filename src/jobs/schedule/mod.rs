//! When a job runs. Pure: who asks says what time it is, and the same question always has the same answer.

mod cron;
mod due;
mod error;
mod rhythm;

#[cfg(test)]
mod tests;

pub use self::{
    due::Due,
    error::ScheduleError,
    rhythm::{Schedule, zone},
};
