//! The scheduler: whose time has come, and who is at work.
//!
//! The agenda decides, and is pure; [`run`] waits, starts runs and ends them; the [`Board`] is what both the scheduler
//! and the [page](super::page) know.

mod agenda;
mod board;
mod clock;
mod run;

pub use board::{Board, Refusal, Snapshot, Under};
pub use clock::Clock;
pub use run::{News, Order, Setup, Terms, run};
