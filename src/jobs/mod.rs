//! Mirrors that run by themselves: saved syncs, when they are due, what came of them.
//!
//! * [`Saved`] is a job as the configuration has it, checked.
//! * A [`Runner`] carries one out and writes down a [`RunRecord`]; the face has one, which opens stores by the
//!   configuration.
//! * [`schedule`] says when it is due. Pure.
//! * [`retention`] says which revisions a mirror keeps. Pure.
//! * [`JobStatus`] says how a job stands: a fold over its records, pure.
//! * A [`Trace`](trace::Trace) at each target says from outside how fresh it is.
//! * [`notify`] tells people what comes of it.
//! * [`daemon`] runs jobs when they are due, [`page`] shows how they stand and takes orders.

mod advice;
pub mod daemon;
mod month;
pub mod notify;
pub mod page;
pub mod retention;
mod run;
mod saved;
pub mod schedule;
mod status;
pub mod trace;

pub use crate::history::{Cost, Failure, Holdings, InStep, JobRunId, RunRecord, TargetRecord, Trigger, Verdict};
pub use month::Month;
pub use run::Runner;
pub use saved::{Allowance, Filters, Limits, Saved, When, Word, Words};
pub use status::{JobStatus, Known, Standing, State};
