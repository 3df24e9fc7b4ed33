//! Requests: each operation in its class, what is free taken off.

use rust_decimal::Decimal;

use super::{Bill, ceil_to};
use crate::price::{Charge, Flag, Offer, Period, RequestClass};

impl Offer {
    /// The class that bills the canonical operation `op`: the first that names it, else the first that takes what nobody
    /// names; none where this offer says nothing.
    #[must_use]
    pub fn class_of(&self, op: &str) -> Option<&RequestClass> {
        let names = |class: &&RequestClass| class.ops.iter().any(|name| name == op);
        let takes_any = |class: &&RequestClass| class.ops.iter().any(|name| matches!(name.as_str(), "other" | "*"));
        self.requests.iter().find(names).or_else(|| self.requests.iter().find(takes_any))
    }
}

impl RequestClass {
    /// What `count` requests cost on `days` days that make them evenly: `max(0, ceil_to(k) - free) * price / per`.
    #[must_use]
    pub fn cost(&self, count: u64, days: u32) -> Decimal {
        self.billed(count, days).saturating_mul(*self.price) / Decimal::from(self.per)
    }

    /// Requests that cost nothing on `days` days.
    #[must_use]
    pub fn allowance(&self, days: u32) -> Decimal {
        match self.free_period {
            Period::Day => Decimal::from(self.free).saturating_mul(days.into()),
            Period::Month | Period::Hour => self.free.into(),
        }
    }

    fn billed(&self, count: u64, days: u32) -> Decimal {
        let rounded = ceil_to(count.into(), self.round_up_to.map(Decimal::from));
        (rounded - self.allowance(days)).max(Decimal::ZERO)
    }
}

impl Bill<'_> {
    /// A line for each class that costs something.
    pub(super) fn requests(&mut self) {
        let offer = self.offer;
        let days = self.workload.ops_days.unwrap_or(self.workload.days);
        let mut counts = vec![0_u64; offer.requests.len()];
        for (op, count) in &self.workload.ops {
            match offer
                .class_of(op)
                .and_then(|class| offer.requests.iter().position(|other| std::ptr::eq(other, class)))
            {
                Some(at) => counts[at] = counts[at].saturating_add(*count),
                None => self.flags.push(Flag::Unclassified { op: op.clone() }),
            }
        }
        for (class, count) in offer.requests.iter().zip(counts) {
            let amount = class.cost(count, days);
            if amount.is_zero() {
                continue;
            }
            let rounded = ceil_to(count.into(), class.round_up_to.map(Decimal::from)).normalize();
            let counted =
                if rounded == Decimal::from(count) { count.to_string() } else { format!("{count} → {rounded}") };
            let free = class.allowance(days);
            let billed = if free.is_zero() { counted } else { format!("({counted} − {free} free)") };
            let formula = format!("{billed} / {} × {}", class.per, class.price);
            self.line(Charge::Requests(class.class.clone()), amount, formula, class.as_of);
        }
    }
}
