//! [`Usage`]: what a run asks of a store, and what that adds to the bill of the month.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sterna_backends::Spend;

use super::{Charge, Flag, Line, Offer, Quote, Stock, Workload};

/// Requests and bytes of a run at one store, or of a month so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests by canonical operation (`put_object`, `list_objects`, `b2_get_upload_url`, …).
    pub ops: BTreeMap<String, u64>,
    /// Bytes that leave the provider.
    pub egress_bytes: u64,
    /// Bytes read out of the storage class, by us or by a copy inside the store.
    pub read_bytes: u64,
}

impl From<&Spend> for Usage {
    /// What passed between us and a place, all of it out of the class and out of the provider.
    fn from(spend: &Spend) -> Self {
        Self {
            ops: spend.requests.iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            egress_bytes: spend.bytes_in,
            read_bytes: spend.bytes_in,
        }
    }
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut ops = self.ops.clone();
        for (op, count) in &other.ops {
            let sum = ops.entry(op.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        Self {
            ops,
            egress_bytes: self.egress_bytes.saturating_add(other.egress_bytes),
            read_bytes: self.read_bytes.saturating_add(other.read_bytes),
        }
    }
}

impl Offer {
    /// What `run` adds to the bill of a month in which `used` was asked already and `stock` is kept on average: requests,
    /// retrieval and egress, with the allowances and tiers that `used` left over. What is kept is priced by
    /// [`Offer::quote`].
    ///
    /// The run is made on one day: a daily allowance counts once for it, and `used` is taken to have been made that day,
    /// too. Early deletion is not in it, see [`Offer::early`]. Flags are those of the month with the run.
    #[must_use]
    pub fn once(&self, run: &Usage, used: &Usage, stock: &Stock) -> Quote {
        let month = |usage: &Usage| {
            self.quote(&Workload {
                stock: stock.clone(),
                ops: usage.ops.clone(),
                ops_days: Some(1),
                egress_bytes: usage.egress_bytes,
                read_bytes: Some(usage.read_bytes),
                ..Workload::default()
            })
        };
        let (before, after) = (month(used), month(&used.and(run)));
        let of_a_run = |line: &Line| matches!(line.charge, Charge::Requests(_) | Charge::Retrieval | Charge::Egress);
        let lines = after.lines.into_iter().filter(of_a_run).filter_map(|line| {
            let amount = line.amount - before.amount(&line.charge);
            let formula = match before.amount(&line.charge) {
                earlier if earlier.is_zero() => line.formula,
                earlier => format!("{} − {} before", line.formula, earlier.normalize()),
            };
            let counts = !amount.is_zero() || line.charge == Charge::Egress;
            counts.then_some(Line { amount: amount.max(Decimal::ZERO), formula, ..line })
        });
        let lines = lines.collect();
        let flags =
            after.flags.into_iter().filter(|flag| !matches!(flag, Flag::MinimumApplied(_) | Flag::VersionsKept { .. }));
        Quote { offer: after.offer, currency: after.currency, lines, flags: flags.collect() }
    }
}
