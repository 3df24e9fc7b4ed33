//! What is kept: bytes live, kept of old, and deleted before their time; and what they cost.

use rust_decimal::Decimal;

use super::{Bill, ceil_to, plain};
use crate::price::{
    Charge, Churn, Flag, Offer, Period, Residue, Storage, Workload,
    flag::Minimum,
    offer::{EarlyDelete, Plans},
    workload::MONTH_DAYS,
};

/// Average bytes of the month, as they bill.
pub(super) struct Stored {
    /// Live, rounded up object by object.
    pub(super) active: Decimal,
    /// Overwritten or deleted, and still kept.
    pub(super) residue: Decimal,
    /// Gone, and billed until their minimum age: average bytes.
    pub(super) early: Decimal,
    /// Nothing removes what is overwritten.
    pub(super) forever: bool,
    /// Some object bills as more than it is.
    pub(super) padded: bool,
}

impl Stored {
    pub(super) fn of(offer: &Offer, workload: &Workload) -> Self {
        let none = Storage::default();
        let storage = offer.storage.as_ref().unwrap_or(&none);
        let active = workload.stock.padded(storage.min_object_bytes, storage.overhead_bytes);
        let kept = kept(storage, workload);
        let forever = kept == Residue::Forever && !workload.churn_per_day.is_zero();
        let (residue, early) = match workload.month {
            None => (residue_days(kept, workload), early_days(storage, workload, kept)),
            Some(month) => ramp(storage, workload, kept, month),
        };
        Self {
            active,
            residue: active.saturating_mul(residue),
            early: active.saturating_mul(early),
            forever,
            padded: workload.stock.padded(storage.min_object_bytes, 0) > Decimal::from(workload.stock.bytes()),
        }
    }

    /// What is really there, on average.
    pub(super) fn average(&self) -> Decimal {
        self.active.saturating_add(self.residue)
    }
}

fn kept(storage: &Storage, workload: &Workload) -> Residue {
    workload.residue.unwrap_or_else(|| match (storage.default_residue, storage.default_residue_days) {
        (Some(_), _) => Residue::Forever,
        (None, Some(days)) => Residue::Days(*days),
        (None, None) => Residue::Days(Decimal::ZERO),
    })
}

/// `c * R`: residue as a share of what is live. What never goes is taken as it stands at the end of the first month.
fn residue_days(kept: Residue, workload: &Workload) -> Decimal {
    let days = match kept {
        Residue::Days(days) => days,
        Residue::Forever => workload.days.into(),
    };
    workload.churn_per_day.saturating_mul(days)
}

/// `c * max(0, M - L - R)` as a share of what is live, in average unit-months: with `L = 1/c` that is
/// `max(0, c*M - 1 - c*R)`, without a division. Random churn puts `c*M - 1 + (1-c)^M` for `c * max(0, M - L)`.
fn early_days(storage: &Storage, workload: &Workload, kept: Residue) -> Decimal {
    let Residue::Days(kept) = kept else { return Decimal::ZERO };
    if storage.early_delete == Some(EarlyDelete::FlatPerUnit) {
        return Decimal::ZERO;
    }
    let c = workload.churn_per_day;
    let young = c.saturating_mul(storage.min_duration_days.into()) - Decimal::ONE;
    let before = match workload.churn {
        Churn::RoundRobin => young,
        Churn::Random => young + survive(c, storage.min_duration_days),
    };
    (before - c.saturating_mul(kept)).max(Decimal::ZERO)
}

/// `(1-c)^days`: the share of objects that random churn has not met after so many days.
fn survive(c: Decimal, days: u32) -> Decimal {
    let mut factor = (Decimal::ONE - c).max(Decimal::ZERO);
    let mut product = Decimal::ONE;
    let mut left = days;
    while left > 0 {
        if left & 1 == 1 {
            product *= factor;
        }
        factor *= factor;
        left >>= 1;
    }
    product
}

/// Residue and early deletion of one month after everything was uploaded on day 0, as averages over its days: each day
/// overwrites one batch, the oldest first; a batch of day `j` had lived `min(j, L)` days.
fn ramp(storage: &Storage, workload: &Workload, kept: Residue, month: u32) -> (Decimal, Decimal) {
    let c = workload.churn_per_day;
    if c.is_zero() || workload.days == 0 {
        return (Decimal::ZERO, Decimal::ZERO);
    }
    let lifetime = Decimal::ONE / c;
    let minimum = match storage.early_delete {
        Some(EarlyDelete::FlatPerUnit) => Decimal::ZERO,
        None => Decimal::from(storage.min_duration_days),
    };
    let last = month.max(1).saturating_mul(workload.days);
    let (mut residue, mut early) = (Decimal::ZERO, Decimal::ZERO);
    for day in last - workload.days + 1..=last {
        let passed = Decimal::from(day);
        let stays = match kept {
            Residue::Days(days) => passed.min(days),
            Residue::Forever => passed,
        };
        residue = residue.saturating_add(stays);
        let Residue::Days(kept) = kept else { continue };
        let oldest = day.saturating_sub(storage.min_duration_days) + 1;
        for batch in oldest..=day {
            let gone = passed - Decimal::from(batch);
            let bills_until = minimum - lifetime.min(batch.into());
            if gone >= kept {
                early += (bills_until - gone).clamp(Decimal::ZERO, Decimal::ONE);
            }
        }
    }
    let share = |sum: Decimal| sum.saturating_mul(c) / Decimal::from(workload.days);
    (share(residue), share(early))
}

impl Bill<'_> {
    pub(super) fn storage(&mut self, stored: &Stored) {
        let offer = self.offer;
        if let Some(plans) = &offer.plans {
            self.plan(plans, stored);
        } else if let Some(storage) = &offer.storage {
            self.early_deletion(storage, stored);
            self.kept(storage, stored);
        }
        if stored.padded {
            self.flags.push(Flag::MinimumApplied(Minimum::Object));
        }
        if stored.forever {
            let month = stored.active.saturating_mul(self.workload.churn_per_day).saturating_mul(MONTH_DAYS.into());
            self.flags.push(Flag::VersionsKept { grows_by: u64::try_from(month).unwrap_or(u64::MAX) });
        }
    }

    /// A flat fee for each unit that goes before its time.
    fn early_deletion(&mut self, storage: &Storage, stored: &Stored) {
        let (Some(EarlyDelete::FlatPerUnit), Some(price)) = (storage.early_delete, storage.early_delete_price) else {
            return;
        };
        let c = self.workload.churn_per_day;
        let Residue::Days(kept) = kept(storage, self.workload) else { return };
        let minimum = Decimal::from(storage.min_duration_days) - kept;
        let share = match self.workload.churn {
            // All die at the same age, 1/c: before their time, or not.
            Churn::RoundRobin if c.saturating_mul(minimum) > Decimal::ONE => Decimal::ONE,
            Churn::RoundRobin => Decimal::ZERO,
            Churn::Random => Decimal::ONE - survive(c, u32::try_from(minimum.max(Decimal::ZERO)).unwrap_or(0)),
        };
        let unit = Decimal::from(self.offer.meter.storage_unit_bytes);
        let deleted =
            stored.active.saturating_mul(c).saturating_mul(self.workload.days.into()).saturating_mul(share) / unit;
        let free = storage.early_delete_free_units.map_or(Decimal::ZERO, Decimal::from);
        let billed = (deleted - free).max(Decimal::ZERO);
        if !billed.is_zero() {
            let formula = format!("({} units deleted early − {free} free) × {price}", plain(deleted));
            self.line(Charge::EarlyDelete, billed.saturating_mul(*price), formula, storage.as_of);
        }
    }

    /// `storage = [T(q) - T(min(q, free))] * hours`, where `q = max((active+residue)/SU, min_units) + early/SU`, rounded up.
    fn kept(&mut self, storage: &Storage, stored: &Stored) {
        let unit = Decimal::from(self.offer.meter.storage_unit_bytes);
        let floor = storage.min_units.map_or(Decimal::ZERO, Decimal::from);
        let (there, early) = (stored.average() / unit, stored.early / unit);
        let (least, rest) =
            if storage.early_delete_counts_toward_minimum { (there + early, Decimal::ZERO) } else { (there, early) };
        if least < floor {
            self.flags.push(Flag::MinimumApplied(Minimum::Storage));
        }
        let quantity = ceil_to(least.max(floor).saturating_add(rest), storage.round_up_units.map(Decimal::from));
        let free = storage.free_units.map_or(Decimal::ZERO, Decimal::from);
        let mut price = storage.tier_mode.beyond(&storage.tiers, quantity, free);
        if let Some(replica) = storage.per_replica_region {
            let copies = replica.saturating_mul(self.workload.replica_regions.into());
            price = price.saturating_add(quantity.saturating_mul(copies));
        }
        let hours =
            if storage.period == Period::Hour { Decimal::from(self.offer.meter.month_hours) } else { Decimal::ONE };
        let mut amount = price.saturating_mul(hours).saturating_mul(self.share);
        let mut formula = self.storage_formula(storage, stored, quantity, free, hours);
        if storage.overhead_standard_bytes > 0 {
            let (extra, words) = self.at_standard(storage, stored);
            amount = amount.saturating_add(extra);
            formula += &words;
        }
        self.line(Charge::Storage, amount, formula, storage.as_of);
    }

    /// Bytes on top of each object that the provider keeps at its STANDARD class.
    fn at_standard(&self, storage: &Storage, stored: &Stored) -> (Decimal, String) {
        let unit = Decimal::from(self.offer.meter.storage_unit_bytes);
        let objects = Decimal::from(self.workload.stock.objects());
        // Old versions carry as much as the live ones.
        let versions = if stored.active.is_zero() { Decimal::ONE } else { stored.average() / stored.active };
        let quantity = objects.saturating_mul(storage.overhead_standard_bytes.into()).saturating_mul(versions) / unit;
        let price = storage.tier_mode.cost(&storage.standard_tiers, quantity).saturating_mul(self.share);
        (price, format!(" + {} units of metadata at STANDARD = {}", plain(quantity), plain(price)))
    }

    fn storage_formula(
        &self,
        storage: &Storage,
        stored: &Stored,
        quantity: Decimal,
        free: Decimal,
        hours: Decimal,
    ) -> String {
        let unit = Decimal::from(self.offer.meter.storage_unit_bytes);
        let mut parts = vec![format!("{} live", plain(stored.active / unit))];
        for (bytes, name) in [(stored.residue, "kept old"), (stored.early, "deleted early")] {
            if !bytes.is_zero() {
                parts.push(format!("{} {name}", plain(bytes / unit)));
            }
        }
        let mut text = parts.join(" + ");
        let billed = plain(quantity);
        if billed != plain(stored.average() / unit + stored.early / unit) {
            text += &format!(" → {billed}");
        }
        text += " units";
        let free = free.min(quantity);
        if !free.is_zero() {
            text += &format!(", {} free", plain(free));
        }
        text += &tariff(storage, quantity, free);
        if hours != Decimal::ONE {
            text += &format!(" × {} h", plain(hours));
        }
        text + &self.share_text()
    }

    /// The cheapest single plan that fits; else as many of the largest as fill up, and one for the remainder.
    fn plan(&mut self, plans: &Plans, stored: &Stored) {
        let unit = Decimal::from(self.offer.meter.storage_unit_bytes);
        let needed = stored.average() / unit;
        let fits =
            |units: Decimal| plans.sizes.iter().filter(move |plan| *plan.units >= units).min_by_key(|plan| plan.price);
        let Some(largest) = plans.sizes.iter().max_by_key(|plan| plan.units) else { return };
        let mut bought = Vec::new();
        let mut amount = Decimal::ZERO;
        let mut left = needed;
        if fits(left).is_none() && !largest.units.is_zero() {
            let whole = (left / *largest.units).floor();
            amount = largest.price.saturating_mul(whole);
            left -= largest.units.saturating_mul(whole);
            bought.push(format!("{} × {} ({})", plain(whole), largest.name, largest.price));
        }
        if let Some(plan) = fits(left).filter(|_| bought.is_empty() || !left.is_zero()) {
            amount = amount.saturating_add(*plan.price);
            bought.push(format!("{} ({})", plan.name, plan.price));
        }
        let formula = format!("{} units: {}{}", plain(needed), bought.join(" + "), self.share_text());
        self.line(Charge::Plan, amount.saturating_mul(self.share), formula, plans.as_of);
    }
}

/// ` × price`, or each step of the tiers beyond what is free.
fn tariff(storage: &Storage, quantity: Decimal, free: Decimal) -> String {
    super::traffic::tariff(storage.tier_mode, &storage.tiers, free, quantity)
}
