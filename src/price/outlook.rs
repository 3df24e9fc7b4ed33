//! [`Outlook`]: what choosing an offer means beyond one month.

use rust_decimal::Decimal;

use super::{Churn, Cut, Fx, Line, Offer, Pieces, Quote, Stock, Usage, Workload, workload::KEYS_A_PAGE};

/// Months of a year.
const MONTHS: u32 = 12;

/// What a workload costs at an offer, month by month and at both ends. All money in the offer's currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// A month, once things have settled.
    pub month: Quote,
    /// The first twelve months, from an empty start: what is deleted early or kept old only builds up.
    pub first_year: Decimal,
    /// Moving in: a request for each object, or as many as it has parts and two more, and a listing to verify. Bytes that come
    /// in cost nothing.
    pub moving_in: Quote,
    /// Moving out once things have settled; see [`Offer::leaving`].
    pub moving_out: Quote,
}

impl Outlook {
    /// Of `workload` at `offer`; `cut`: how large objects travel.
    #[must_use]
    pub fn of(offer: &Offer, workload: &Workload, cut: &Cut) -> Self {
        let month = offer.quote(workload);
        let first_year = match workload.churn {
            Churn::RoundRobin => (1..=MONTHS)
                .map(|month| offer.quote(&Workload { month: Some(month), ..workload.clone() }).total_exact())
                .fold(Decimal::ZERO, Decimal::saturating_add),
            Churn::Random => month.total_exact().saturating_mul(MONTHS.into()),
        };
        let Pieces { whole, cut: parted, parts } = workload.stock.pieces(cut);
        let arriving = usage(
            &[
                ("put_object", whole),
                ("create_multipart", parted),
                ("upload_part", parts),
                ("complete_multipart", parted),
                ("list_objects", pages(&workload.stock)),
            ],
            0,
        );
        Self {
            moving_in: offer.once(&arriving, &Usage::default(), &workload.stock),
            moving_out: offer.leaving(workload, cut, offer.early_at_the_end(workload)),
            month,
            first_year,
        }
    }
}

impl Offer {
    /// What leaving costs once, on top of a month's own traffic: a listing, a read of each object or of each of its parts, every
    /// byte out, and `early`, what goes before its time.
    #[must_use]
    pub fn leaving(&self, workload: &Workload, cut: &Cut, early: Option<Line>) -> Quote {
        let Pieces { whole, parts, .. } = workload.stock.pieces(cut);
        let reads = whole.saturating_add(parts);
        let run = usage(&[("get_object", reads), ("list_objects", pages(&workload.stock))], workload.stock.bytes());
        let own = Usage {
            ops: workload.ops.clone(),
            egress_bytes: workload.egress_bytes,
            read_bytes: workload.read_bytes.unwrap_or(workload.egress_bytes),
        };
        let mut quote = self.once(&run, &own, &workload.stock);
        quote.lines.extend(early);
        quote
    }
}

fn usage(ops: &[(&str, u64)], bytes: u64) -> Usage {
    let ops = ops.iter().filter(|(_, count)| *count > 0).map(|(op, count)| ((*op).to_owned(), *count));
    Usage { ops: ops.collect(), egress_bytes: bytes, read_bytes: bytes }
}

fn pages(stock: &Stock) -> u64 {
    stock.objects().div_ceil(KEYS_A_PAGE)
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
