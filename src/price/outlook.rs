//! [`Outlook`]: what choosing an offer means beyond one month.

use rust_decimal::Decimal;

use super::{Churn, Fx, Offer, Quote, Usage, Workload, workload::KEYS_A_PAGE};

/// Months of a year.
const MONTHS: u32 = 12;

/// What a workload costs at an offer, month by month and at both ends. All money in the offer's currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// A month, once things have settled.
    pub month: Quote,
    /// The first twelve months, from an empty start: what is deleted early or kept old only builds up.
    pub first_year: Decimal,
    /// Moving in: a request for each object, and a listing to verify. Bytes that come in cost nothing.
    pub moving_in: Quote,
    /// Moving out, on top of a month's own traffic: a listing, a read of each object, every byte out.
    pub moving_out: Quote,
}

impl Outlook {
    /// Of `workload` at `offer`.
    #[must_use]
    pub fn of(offer: &Offer, workload: &Workload) -> Self {
        let month = offer.quote(workload);
        let first_year = match workload.churn {
            Churn::RoundRobin => (1..=MONTHS)
                .map(|month| offer.quote(&Workload { month: Some(month), ..workload.clone() }).total_exact())
                .fold(Decimal::ZERO, Decimal::saturating_add),
            Churn::Random => month.total_exact().saturating_mul(MONTHS.into()),
        };
        let (objects, bytes) = (workload.stock.objects(), workload.stock.bytes());
        let pages = objects.div_ceil(KEYS_A_PAGE);
        let usage = |ops: &[(&str, u64)], bytes| Usage {
            ops: ops.iter().map(|(op, count)| ((*op).to_owned(), *count)).collect(),
            egress_bytes: bytes,
            read_bytes: bytes,
        };
        let own = Usage {
            ops: workload.ops.clone(),
            egress_bytes: workload.egress_bytes,
            read_bytes: workload.read_bytes.unwrap_or(workload.egress_bytes),
        };
        let arriving = usage(&[("put_object", objects), ("list_objects", pages)], 0);
        let leaving = usage(&[("get_object", objects), ("list_objects", pages)], bytes);
        Self {
            moving_in: offer.once(&arriving, &Usage::default(), &workload.stock),
            moving_out: offer.once(&leaving, &own, &workload.stock),
            month,
            first_year,
        }
    }
}

/// The cheapest month first, currencies compared by `fx`; what a provider does not sell ([`Quote::is_to_be_had`]) and
/// what no rate compares come last.
#[must_use]
pub fn ranked(mut outlooks: Vec<Outlook>, fx: &Fx) -> Vec<Outlook> {
    outlooks.sort_by_cached_key(|outlook| {
        let total = fx.in_base(outlook.month.total_exact(), &outlook.month.currency);
        (!outlook.month.is_to_be_had(), total.is_none(), total, outlook.month.offer.clone())
    });
    outlooks
}
