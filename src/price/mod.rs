//! What things cost: a price book and a workload (or the requests of a run) give a quote, exactly.
//!
//! - [`Book`]: every [`Offer`] at every date, from dated files with sources (`tables/`); [`Book::with_own`] lays the
//!   user's own prices over it; [`Book::offer`] and [`Book::select`] give what holds on a day, [`Book::offer_of`] what
//!   bills a configured store.
//! - [`Workload`]: what is kept and what is asked of it in a month; [`read`] takes it from a file.
//! - [`Offer::quote`]: the evaluator. A [`Quote`] has lines ([`Charge`]) and [`Flag`]s; its total is their exact sum.
//! - [`Outlook`]: a month, the first year, moving in, moving out; [`ranked`] puts offers in order.
//! - [`Usage`] and [`Offer::once`]: what a run adds to a month's bill; [`Change`]: to what is kept, which [`Offer::month_more`] and
//!   [`Offer::early`] price.
//! - [`Offer::allowances`]: what of a month is free, and how much of that is used.
//!
//! Pure: no store, no clock, no file. Money is decimal, never a float. The formulas are those of `docs/cost.md`.

mod allowance;
mod book;
mod change;
mod evaluate;
mod figure;
mod flag;
mod flat;
mod offer;
mod once;
mod outlook;
mod quote;
#[cfg(test)]
mod tests;
mod tier;
mod toml_file;
mod workload;

pub use allowance::{Allowance, Allowed};
pub use book::{Book, BookProblem, Fx, Override, STALE_DAYS, SelectError, Source};
pub use change::{Change, Gone};
pub use figure::Figure;
pub use flag::{About, Flag, Minimum, half_up};
pub use flat::{Flat, FlatKind};
pub use offer::Offer;
pub use offer::{
    AsOf, AutoTier, Base, Buckets, Confidence, Day, DefaultResidue, EarlyDelete, Egress, EgressPolicy, Meter,
    Monitoring, Period, PlanSize, Plans, RegionPrice, RequestClass, Retrieval, Storage, Superseded, UnitEvidence,
};
pub use once::Usage;
pub use outlook::{Outlook, ranked};
pub use quote::{Charge, Line, Quote};
pub use rust_decimal::Decimal;
pub use tier::{Tier, TierMode};
pub use workload::{
    Churn, Cut, MONTH_DAYS, Named, Pieces, Residue, RetrievalSpeed, Stock, Workload, WorkloadError, read,
};
