//! Plan -> Outcome: the only room that changes a store.
//!
//! * [`run`] takes a stream of actions and keeps one budget of requests and memory over all of them.
//! * Small objects go in one call each (`whole`); big ones in parts (`parts`), which take their turns at the same
//!   budget, so that small ones never wait behind them.
//! * Deletes start only when everything before them has succeeded.

mod act;
mod adopt;
mod again;
mod budget;
mod carry;
mod claims;
mod deletes;
mod departing;
mod fan;
mod forecast;
mod gate;
mod outcome;
mod parts;
mod passing;
mod precondition;
mod prehash;
mod resume;
mod room;
mod run;
#[cfg(test)]
mod tests;
mod whole;

pub use budget::{BETWEEN_REMOTES, Settings, Stop, StopReason};
pub use forecast::{Expense, Forecast, Outlay};
pub use outcome::{Failure, Outcome, TargetOutcome};
pub use resume::Records;
pub use run::{Target, Work, run};
