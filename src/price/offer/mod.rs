//! [`Offer`]: what one provider asks for one class of storage in one region, with where each figure comes from.
//!
//! `record` is the row itself; what it says of keeping bytes stands in `storage`, of asking for them in `traffic`; `dates` are
//! the days on which it holds and was read.

mod dates;
mod record;
mod storage;
mod traffic;

pub use dates::{AsOf, Day};
pub use record::{Base, Buckets, Confidence, Meter, Monitoring, Offer, Period, UnitEvidence};
pub use storage::{AutoTier, DefaultResidue, EarlyDelete, PlanSize, Plans, Storage};
pub use traffic::{Egress, EgressPolicy, RegionPrice, RequestClass, Retrieval, Superseded};
