//! [`Workload`]: what is kept, how it changes, and what is asked of it in a month.

mod read;
mod stock;

use std::collections::BTreeMap;

use rust_decimal::Decimal;

pub use read::{Named, WorkloadError, read};
pub use stock::{Cut, Pieces, Stock};

/// Days of the month that prices are compared by.
pub const MONTH_DAYS: u32 = 30;

/// Keys of a page of a listing.
pub(super) const KEYS_A_PAGE: u64 = 1000;

/// What a store holds and what is done to it in [`Workload::days`] days.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What is live.
    pub stock: Stock,
    /// The share of the bytes that is overwritten each day; 0.05 is five in a hundred.
    pub churn_per_day: Decimal,
    /// Which of them.
    pub churn: Churn,
    /// How long overwritten bytes are kept; what the offer does by default where absent.
    pub residue: Option<Residue>,
    /// The month since everything was uploaded at once, from 1; the steady state where absent.
    pub month: Option<u32>,
    /// How many days are priced; storage and whatever else accrues bills their share of [`MONTH_DAYS`].
    pub days: u32,
    /// Bytes that leave, those to partners included.
    pub egress_bytes: u64,
    /// Bytes of them that leave through a CDN.
    pub cdn_bytes: u64,
    /// Which CDN; any partner where absent.
    pub cdn: Option<String>,
    /// Where the readers are, in the words of the offer's `by_destination`.
    pub egress_to: Option<String>,
    /// Bytes read out of the storage class; [`Workload::egress_bytes`] where absent.
    pub read_bytes: Option<u64>,
    /// How fast they must come.
    pub retrieval: RetrievalSpeed,
    /// Requests by canonical operation.
    pub ops: BTreeMap<String, u64>,
    /// Days on which the requests are made, evenly; all where absent. Daily allowances count on these alone.
    pub ops_days: Option<u32>,
    /// Buckets.
    pub buckets: u64,
    /// Further regions the offer itself keeps a copy in.
    pub replica_regions: u32,
}

/// Which objects are overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Churn {
    /// The oldest: every object lives equally long.
    #[default]
    RoundRobin,
    /// Any, whatever its age.
    Random,
}

/// How long overwritten and deleted bytes are kept by versions or soft delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residue {
    /// So many days.
    Days(Decimal),
    /// Until somebody deletes them.
    Forever,
}

/// How fast bytes of an archive class must come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetrievalSpeed {
    /// The offer's usual way.
    #[default]
    Standard,
    /// As cheap as there is.
    Bulk,
    /// As fast as there is.
    Expedited,
}

impl Default for Workload {
    /// An empty store of which nothing is asked for a month.
    fn default() -> Self {
        Self {
            stock: Stock::default(),
            churn_per_day: Decimal::ZERO,
            churn: Churn::default(),
            residue: None,
            month: None,
            days: MONTH_DAYS,
            egress_bytes: 0,
            cdn_bytes: 0,
            cdn: None,
            egress_to: None,
            read_bytes: None,
            retrieval: RetrievalSpeed::default(),
            ops: BTreeMap::new(),
            ops_days: None,
            buckets: 0,
            replica_regions: 0,
        }
    }
}

impl Workload {
    /// This workload with the requests that its figures imply where it names none: a write for each object that is
    /// overwritten, a read of a whole object of mean size for what leaves, a listing a day of a thousand keys a page.
    #[must_use]
    pub fn with_implied_requests(mut self) -> Self {
        let objects = self.stock.objects();
        if !self.ops.is_empty() || objects == 0 {
            return self;
        }
        let written = Decimal::from(objects).saturating_mul(self.churn_per_day).saturating_mul(self.days.into());
        let mean = Decimal::from(self.stock.bytes()) / Decimal::from(objects);
        let leaves = Decimal::from(self.read_bytes.unwrap_or(self.egress_bytes));
        let read = if mean.is_zero() { Decimal::ZERO } else { leaves / mean };
        let pages = objects.div_ceil(KEYS_A_PAGE).saturating_mul(self.days.into());
        for (op, count) in [("put_object", written), ("get_object", read), ("list_objects", pages.into())] {
            let count = u64::try_from(count.ceil()).unwrap_or(u64::MAX);
            if count > 0 {
                self.ops.insert(op.to_owned(), count);
            }
        }
        self
    }
}
