//! What a change of what is kept costs: from then on each month, and at once for what goes before its time.

use rust_decimal::Decimal;
use sterna_backends::Timestamp;

use super::{Bill, plain};
use crate::price::{
    Change, Charge, Churn, Gone, Line, Offer, Period, Stock, Storage, Workload, offer::EarlyDelete,
    workload::MONTH_DAYS,
};

impl Offer {
    /// What a month of keeping costs more after `change`, where `kept` is there already; below zero where it costs less.
    ///
    /// Allowances and minimums count once for all: what is free for what is kept is not free again for what is added. Where
    /// nothing is kept, or nobody knows of anything, what is added is priced by itself.
    #[must_use]
    pub fn month_more(&self, kept: Option<&Stock>, change: &Change) -> Decimal {
        let gone = change.gone.stock();
        // What goes is there.
        let before = kept.cloned().unwrap_or_else(|| gone.clone());
        let mut after = before.without(&gone);
        after.add_all(&change.added);
        let month = |stock: &Stock| {
            let quote = self.quote(&Workload { stock: stock.clone(), ..Workload::default() });
            let kept = [Charge::Plan, Charge::Storage, Charge::Monitoring];
            kept.iter().map(|charge| quote.amount(charge)).fold(Decimal::ZERO, Decimal::saturating_add)
        };
        if before.objects() == 0 { month(&after) } else { month(&after) - month(&before) }
    }

    /// What `gone` still bills because it goes before the offer's minimum duration, where `kept` is there: storage for the
    /// days that are left, on top of what is kept, or the flat fee the offer asks. None where nothing is due. What has no date
    /// is taken to be old enough.
    #[must_use]
    pub fn early(&self, gone: &Gone, kept: &Stock, now: Timestamp) -> Option<Line> {
        let storage = self.storage.as_ref()?;
        let padded = |stock: &Stock| stock.padded(storage.min_object_bytes, storage.overhead_bytes);
        self.early_of(storage, gone.ages(now).map(|(age, stock)| (age, padded(stock))), kept)
    }

    /// What leaving once things have settled bills for objects that are still younger than the minimum: as [`Offer::early`],
    /// with the ages that the workload's churn makes. None where nothing is ever overwritten: then all are old.
    #[must_use]
    pub fn early_at_the_end(&self, workload: &Workload) -> Option<Line> {
        let storage = self.storage.as_ref()?;
        let c = workload.churn_per_day;
        let live = workload.stock.padded(storage.min_object_bytes, storage.overhead_bytes);
        let mut left = Decimal::ONE;
        let ages = (0..u64::from(storage.min_duration_days)).map(|age| {
            let share = match workload.churn {
                Churn::RoundRobin => c.min(left),
                Churn::Random => c.min(Decimal::ONE).saturating_mul(left),
            };
            left -= share;
            (age, live.saturating_mul(share))
        });
        self.early_of(storage, ages, &workload.stock)
    }

    /// `gone`: ages in days, and bytes as they bill.
    fn early_of(&self, storage: &Storage, gone: impl Iterator<Item = (u64, Decimal)>, kept: &Stock) -> Option<Line> {
        let unit = Decimal::from(self.meter.storage_unit_bytes);
        let (mut young, mut months) = (Decimal::ZERO, Decimal::ZERO);
        for (age, bytes) in gone {
            let left = u64::from(storage.min_duration_days).saturating_sub(age);
            if left > 0 {
                let units = bytes / unit;
                young = young.saturating_add(units);
                months = months.saturating_add(units.saturating_mul(left.into()) / Decimal::from(MONTH_DAYS));
            }
        }
        if young.is_zero() {
            return None;
        }
        let (amount, formula) = match (storage.early_delete, storage.early_delete_price) {
            (Some(EarlyDelete::FlatPerUnit), price) => {
                let free = storage.early_delete_free_units.map_or(Decimal::ZERO, Decimal::from);
                let price = price.map_or(Decimal::ZERO, Decimal::from);
                let billed = (young - free).max(Decimal::ZERO);
                (
                    billed.saturating_mul(price),
                    format!("({} units deleted early − {free} free) × {price}", plain(young)),
                )
            }
            (None, _) => {
                let there = kept.padded(storage.min_object_bytes, storage.overhead_bytes) / unit;
                let hours = if storage.period == Period::Hour { self.meter.month_hours } else { 1 };
                let formula = format!("{} units deleted early, {} unit-months left", plain(young), plain(months));
                (on_top(storage, there, months).saturating_mul(hours.into()), formula)
            }
        };
        if amount.is_zero() {
            return None;
        }
        let workload = Workload::default();
        let mut bill = Bill::new(self, &workload);
        bill.line(Charge::EarlyDelete, amount, formula, storage.as_of);
        bill.lines.pop()
    }
}

/// What `early` unit-months cost on top of `there` units, by the month or the hour as the tiers are.
fn on_top(storage: &Storage, there: Decimal, early: Decimal) -> Decimal {
    let floor = storage.min_units.map_or(Decimal::ZERO, Decimal::from);
    let with = |early: Decimal| {
        if storage.early_delete_counts_toward_minimum {
            there.saturating_add(early).max(floor)
        } else {
            there.max(floor).saturating_add(early)
        }
    };
    let cost = |quantity| storage.tier_mode.cost(&storage.tiers, quantity);
    cost(with(early)) - cost(with(Decimal::ZERO))
}
