//! [`Allowance`]: what an offer gives for nothing, and how much of it is used.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::{Figure, Offer, Period, Usage};

/// What an offer gives for nothing, or tolerates, in a month or on a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Allowance {
    /// Of what.
    pub of: Allowed,
    /// Requests or bytes that are used; where it is for a day, on the day on which most are.
    pub used: u64,
    /// Requests or bytes there are; `None` where that is a multiple of what is stored, which nobody has told.
    pub free: Option<u64>,
    /// As many times what is stored is part of it.
    #[serde(serialize_with = "as_text")]
    pub of_stored: Option<Decimal>,
    /// What it is for.
    pub period: Period,
}

/// What an [`Allowance`] is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Requests of the class of that name.
    Requests(String),
    /// Bytes that are read out of the storage class.
    Retrieval,
    /// Bytes that leave.
    Egress,
    /// Bytes that leave before the provider thinks it unfair; it does not bill what is beyond.
    Policy,
}

impl Allowed {
    /// Whether it is counted in bytes.
    #[must_use]
    pub const fn is_bytes(&self) -> bool {
        !matches!(self, Self::Requests(_))
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(class) => write!(f, "requests-{class}"),
            Self::Retrieval => f.write_str("retrieval"),
            Self::Egress => f.write_str("egress"),
            Self::Policy => f.write_str("egress policy"),
        }
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_text<S: Serializer>(times: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    times.map(|times| times.normalize().to_string()).serialize(serializer)
}

impl Allowance {
    /// The share of it that is used, 1 being all; `None` where nobody knows how much there is. Of nothing everything is too much.
    #[must_use]
    pub fn share(&self) -> Option<Decimal> {
        if self.used == 0 {
            return self.free.map(|_| Decimal::ZERO);
        }
        self.free.map(|free| Decimal::from(self.used).checked_div(free.into()).unwrap_or(Decimal::ONE))
    }
}

impl Offer {
    /// What it gives for nothing in a month, in the order of a bill, and what `month` uses of it; `days` are the days of that
    /// month, for what is given by the day. `stored` are the bytes that are kept on average.
    ///
    /// Partners to whom bytes leave outside the allowance are not known here: all that leaves counts.
    #[must_use]
    pub fn allowances(&self, month: &Usage, days: &[Usage], stored: Option<u64>) -> Vec<Allowance> {
        let mut found: Vec<Allowance> = self.free_requests(month, days).collect();
        let unit = Decimal::from(self.meter.transfer_unit_bytes);
        let figure = |figure: Option<Figure>| figure.map_or(Decimal::ZERO, Decimal::from);
        let mut give = |of, used: u64, units: Decimal, of_stored: Option<Figure>| {
            let of_stored = of_stored.map(Figure::get).filter(|times| !times.is_zero());
            if units.is_zero() && of_stored.is_none() {
                return;
            }
            let multiple = match of_stored {
                None => Some(Decimal::ZERO),
                Some(times) => stored.map(|stored| times.saturating_mul(stored.into())),
            };
            let whole = |bytes: Decimal| u64::try_from(bytes.trunc()).unwrap_or(u64::MAX);
            let free = multiple.map(|multiple| whole(units.saturating_mul(unit).saturating_add(multiple)));
            found.push(Allowance { of, used, free, of_stored, period: Period::Month });
        };
        if let Some(retrieval) = &self.retrieval {
            give(Allowed::Retrieval, month.read_bytes, Decimal::ZERO, retrieval.free_multiple_of_stored);
        }
        let egress = &self.egress;
        let hours = Decimal::from(self.meter.month_hours);
        let units = figure(egress.free_units).saturating_add(figure(egress.free_units_per_hour).saturating_mul(hours));
        give(Allowed::Egress, month.egress_bytes, units, egress.free_multiple_of_stored);
        if let Some(policy) = &egress.policy {
            give(Allowed::Policy, month.egress_bytes, Decimal::ZERO, Some(policy.max_multiple_of_stored));
        }
        found
    }

    fn free_requests(&self, month: &Usage, days: &[Usage]) -> impl Iterator<Item = Allowance> {
        let of_class = |usage: &Usage, class: &str| {
            let ours = |op: &String| self.class_of(op).is_some_and(|found| found.class == class);
            usage.ops.iter().filter(|(op, _)| ours(op)).map(|(_, count)| *count).fold(0, u64::saturating_add)
        };
        self.requests.iter().filter(|class| class.free > 0).map(move |class| {
            let used = match class.free_period {
                Period::Day => days.iter().map(|day| of_class(day, &class.class)).max().unwrap_or(0),
                Period::Month | Period::Hour => of_class(month, &class.class),
            };
            Allowance {
                of: Allowed::Requests(class.class.clone()),
                used,
                free: Some(class.free),
                of_stored: None,
                period: class.free_period,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::price::Book;

    fn usage(ops: &[(&str, u64)], egress: u64) -> Usage {
        let ops = ops.iter().map(|(op, count)| ((*op).to_owned(), *count)).collect();
        Usage { ops, egress_bytes: egress, read_bytes: egress }
    }

    fn of(id: &str, month: &Usage, days: &[Usage], stored: Option<u64>) -> Vec<Allowance> {
        let day = if days.is_empty() { date(2026, 11, 22) } else { date(2026, 3, 1) };
        Book::shipped().offer(id, day).unwrap().allowances(month, days, stored)
    }

    fn told(found: &[Allowance]) -> Vec<(String, u64, Option<u64>)> {
        found.iter().map(|one| (one.of.to_string(), one.used, one.free)).collect()
    }

    #[test]
    fn by_the_month_by_the_day_and_by_what_is_stored() {
        let r2 = of("r2/standard", &usage(&[("put_object", 5), ("list_objects", 4), ("get_object", 7)], 9), &[], None);
        let free = |class: &str, used, free| (format!("requests-{class}"), used, Some(free));
        assert_eq!(told(&r2), [free("A", 9, 1_000_000), free("B", 7, 10_000_000)]);
        let days = [usage(&[("get_object", 2000)], 0), usage(&[("get_object", 2400)], 0)];
        let b2 = of("b2/standard", &usage(&[("get_object", 4400)], 50), &days, Some(1000));
        assert_eq!(b2[0].share(), Some(Decimal::new(96, 2)), "the day on which most are");
        assert_eq!(told(&b2[b2.len() - 1..]), [("egress".to_owned(), 50, Some(3000))]);
        let aws = of("aws-s3/standard/us-east-1", &usage(&[], 50), &[], None);
        assert_eq!(told(&aws), [("egress".to_owned(), 50, Some(100 << 30))]);
    }

    #[test]
    fn of_nothing_known_nothing_is_claimed() {
        let wasabi = of("wasabi/paygo", &usage(&[], 50), &[], None);
        assert_eq!(told(&wasabi), [("egress policy".to_owned(), 50, None)]);
        assert_eq!((wasabi[0].share(), wasabi[0].of_stored), (None, Some(Decimal::ONE)));
        let empty = of("wasabi/paygo", &usage(&[], 50), &[], Some(0));
        assert_eq!(empty[0].share(), Some(Decimal::ONE), "of nothing everything is too much");
        let unused = of("wasabi/paygo", &usage(&[], 0), &[], Some(0));
        assert_eq!(unused[0].share(), Some(Decimal::ZERO), "and nothing is not");
    }
}
