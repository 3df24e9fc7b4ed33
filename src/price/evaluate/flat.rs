//! A machine of one's own: `rent + hardware / lifetime + power + max(0, out - included) * overage`.

use rust_decimal::Decimal;

use super::{Bill, plain};
use crate::price::{Charge, Flag, Flat, offer::AsOf};

/// Hours of a month of a machine that is never off.
const HOURS: u32 = 730;
/// A TB of traffic.
const TB: u64 = 1_000_000_000_000;

impl Flat {
    pub(super) fn lines(&self, bill: &mut Bill<'_>) {
        let share = bill.share;
        let over = bill.share_text();
        bill.line(
            Charge::Base,
            self.monthly.saturating_mul(share),
            format!("{} a month{over}", self.monthly),
            AsOf::Undated,
        );
        if let Some(months) = self.lifetime_months.filter(|months| *months > 0) {
            let amount = self.hardware_price.saturating_mul(share) / Decimal::from(months);
            let formula = format!("{} / {months} months{over}", self.hardware_price);
            bill.line(Charge::Hardware, amount, formula, AsOf::Undated);
        }
        if !self.watts.is_zero() {
            let hours = Decimal::from(HOURS).saturating_mul(share);
            let amount = self.watts.saturating_mul(hours).saturating_mul(*self.kwh_price) / Decimal::ONE_THOUSAND;
            let formula = format!("{} W / 1000 × {} h × {}", self.watts, plain(hours), self.kwh_price);
            bill.line(Charge::Power, amount, formula, AsOf::Undated);
        }
        let out = Decimal::from(bill.workload.egress_bytes) / Decimal::from(TB);
        let amount = (out - *self.included_tb).max(Decimal::ZERO).saturating_mul(*self.overage_per_tb);
        let formula = format!("{} TB, {} included, × {}", plain(out), self.included_tb, self.overage_per_tb);
        bill.line(Charge::Egress, amount, formula, AsOf::Undated);
        let bytes = bill.workload.stock.bytes();
        if let Some(usable) = self.usable_bytes.filter(|usable| bytes > *usable) {
            bill.flags.push(Flag::DoesNotFit { bytes, usable });
        }
    }
}
