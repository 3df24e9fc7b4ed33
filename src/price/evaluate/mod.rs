//! An offer and a workload give a quote: one function for each kind of line, in the order of a bill.

mod change;
mod flat;
mod requests;
mod stored;
mod traffic;

use jiff::civil::Date;
use rust_decimal::Decimal;

use self::stored::Stored;
use super::{
    Charge, Flag, Line, Offer, Quote, UnitEvidence, Workload, flag::Minimum, offer::AsOf, workload::MONTH_DAYS,
};

impl Offer {
    /// What `workload` costs here, tax excluded. Bytes that come in cost nothing at any offer.
    ///
    /// Figures beyond all reason (an object count near 2^64 with a price to match) saturate instead of failing.
    #[must_use]
    pub fn quote(&self, workload: &Workload) -> Quote {
        let mut bill = Bill::new(self, workload);
        match &self.flat {
            Some(flat) => flat.lines(&mut bill),
            None => bill.metered(),
        }
        bill.finish()
    }
}

/// A quote that is being written.
struct Bill<'a> {
    offer: &'a Offer,
    workload: &'a Workload,
    /// The share of a month that is priced.
    share: Decimal,
    lines: Vec<Line>,
    flags: Vec<Flag>,
}

impl<'a> Bill<'a> {
    fn new(offer: &'a Offer, workload: &'a Workload) -> Self {
        let share = Decimal::from(workload.days) / Decimal::from(MONTH_DAYS);
        Self { offer, workload, share, lines: Vec::new(), flags: Vec::new() }
    }

    fn metered(&mut self) {
        let stored = Stored::of(self.offer, self.workload);
        self.base();
        self.storage(&stored);
        self.requests();
        self.monitoring();
        self.retrieval(&stored);
        self.egress(&stored);
        self.buckets();
        self.min_invoice();
    }

    /// `base = monthly` or `min(hourly * H, cap)`.
    fn base(&mut self) {
        let Some(base) = &self.offer.base else { return };
        let (amount, formula) = if let Some(hourly) = base.hourly {
            let hours = self.hours();
            let sum = hourly.saturating_mul(hours);
            match base.monthly_cap.map(|cap| cap.saturating_mul(self.share)) {
                Some(cap) if sum > cap => {
                    (cap, format!("{} h × {hourly} = {}, capped at {}", plain(hours), plain(sum), plain(cap)))
                }
                _ => (sum, format!("{} h × {hourly}", plain(hours))),
            }
        } else if let Some(monthly) = base.monthly {
            (monthly.saturating_mul(self.share), format!("{monthly} a month{}", self.share_text()))
        } else {
            return;
        };
        self.line(Charge::Base, amount, formula, base.as_of);
    }

    /// `monitoring = objects >= min / per * price`.
    fn monitoring(&mut self) {
        let Some(monitoring) = &self.offer.monitoring else { return };
        let objects = self.workload.stock.objects_from(monitoring.min_object_bytes);
        let amount = Decimal::from(objects).saturating_mul(*monitoring.price) / Decimal::from(monitoring.per);
        let formula = format!("{objects} objects / {} × {}{}", monitoring.per, monitoring.price, self.share_text());
        self.line(Charge::Monitoring, amount.saturating_mul(self.share), formula, monitoring.as_of);
    }

    fn buckets(&mut self) {
        let Some(buckets) = &self.offer.buckets else { return };
        let billed = self.workload.buckets.saturating_sub(buckets.free);
        if billed > 0 {
            let amount = Decimal::from(billed).saturating_mul(*buckets.price_each).saturating_mul(self.share);
            let formula = format!("({} − {} free) × {}", self.workload.buckets, buckets.free, buckets.price_each);
            self.line(Charge::Buckets, amount, formula, buckets.as_of);
        }
    }

    /// `min_invoice = max(0, floor - sum)`.
    fn min_invoice(&mut self) {
        let Some((base, floor)) = self.offer.base.as_ref().and_then(|base| Some((base, base.min_invoice?))) else {
            return;
        };
        let sum = self.lines.iter().map(|line| line.amount).fold(Decimal::ZERO, Decimal::saturating_add);
        if sum < *floor {
            self.flags.push(Flag::MinimumApplied(Minimum::Invoice));
            self.line(Charge::MinInvoice, *floor - sum, format!("{floor} − {}", plain(sum)), base.as_of);
        }
    }

    /// Hours that are priced.
    fn hours(&self) -> Decimal {
        Decimal::from(self.offer.meter.month_hours).saturating_mul(self.share)
    }

    /// The share of a month, where it is not all of it, as the end of a formula.
    fn share_text(&self) -> String {
        if self.workload.days == MONTH_DAYS {
            String::new()
        } else {
            format!(" × {}/{MONTH_DAYS}", self.workload.days)
        }
    }

    /// Adds a line, less the user's own discount.
    fn line(&mut self, charge: Charge, amount: Decimal, mut formula: String, as_of: AsOf) {
        let own = self.offer.overridden.as_ref();
        let mut amount = amount;
        let percent = own.map_or(Decimal::ZERO, |own| own.discount(&charge));
        if !percent.is_zero() {
            let hundred = Decimal::ONE_HUNDRED;
            amount = amount.saturating_mul(hundred - percent) / hundred;
            formula = format!("({formula}) − {percent} %");
        }
        let overridden = own.is_some_and(|own| own.touches(&charge));
        self.lines.push(Line { charge, amount, formula, as_of, overridden });
    }

    fn finish(mut self) -> Quote {
        let uncertain = self.offer.meter.unit_evidence == UnitEvidence::Unknown && self.offer.flat.is_none();
        if uncertain {
            self.flags.push(Flag::UnitAssumed);
        }
        if self.lines.iter().any(|line| line.as_of == AsOf::Undated && !line.amount.is_zero())
            && self.offer.flat.is_none()
        {
            self.flags.push(Flag::Undated);
        }
        if let Some(own) = &self.offer.overridden {
            self.flags.push(own.flag());
        }
        Quote {
            offer: self.offer.id.clone(),
            currency: self.offer.currency.clone(),
            lines: self.lines,
            flags: self.flags,
        }
    }
}

impl Quote {
    /// Adds [`Flag::Old`] where a price that counts here is older than `max_age_days` on `today`.
    pub fn flag_age(&mut self, today: Date, max_age_days: u32) {
        let Some(as_of) = self.oldest() else { return };
        let days = u32::try_from((today - as_of).get_days()).unwrap_or(0);
        if days > max_age_days {
            self.flags.push(Flag::Old { as_of, days });
        }
    }
}

/// `number` to a multiple of `step`, upwards; as it is where there is no step.
fn ceil_to(number: Decimal, step: Option<Decimal>) -> Decimal {
    match step {
        Some(step) if !step.is_zero() => (number / step).ceil().saturating_mul(step),
        _ => number,
    }
}

/// A number for people: at most eight decimals, no zeros at the end.
fn plain(number: Decimal) -> Decimal {
    super::flag::half_up(number, 8).normalize()
}
