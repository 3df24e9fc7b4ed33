//! Bytes that are read and bytes that leave.

use rust_decimal::Decimal;

use super::{Bill, Stored, ceil_to, plain};
use crate::price::{Charge, Egress, Flag, Retrieval, RetrievalSpeed, Tier, TierMode, Workload, tier::steps};

impl Retrieval {
    /// Units that a workload reads, as they bill, before what is free.
    fn units(&self, workload: &Workload, unit: Decimal) -> Decimal {
        let read = Decimal::from(workload.read_bytes.unwrap_or(workload.egress_bytes));
        let gets = workload.ops.get("get_object").copied().unwrap_or(0);
        let least = Decimal::from(gets).saturating_mul(self.min_read_bytes.into());
        read.max(least) / unit
    }

    fn price(&self, speed: RetrievalSpeed) -> Decimal {
        match speed {
            RetrievalSpeed::Standard => *self.price,
            RetrievalSpeed::Bulk => *self.bulk.unwrap_or(self.price),
            RetrievalSpeed::Expedited => *self.expedited.unwrap_or(self.price),
        }
    }
}

impl Egress {
    /// Whether bytes through `cdn` (any partner, where none is named) leave for nothing.
    fn is_partner(&self, cdn: Option<&str>) -> bool {
        match cdn {
            None => !self.free_via.is_empty(),
            Some(name) => self.free_via.iter().any(|partner| partner.eq_ignore_ascii_case(name)),
        }
    }

    /// The tiers for readers at `destination`, where it makes a difference.
    fn tiers_to(&self, destination: Option<&str>) -> Vec<Tier> {
        match destination.and_then(|name| self.by_destination.get(name)) {
            Some(price) => vec![Tier { upto: None, price: *price }],
            None => self.tiers.clone(),
        }
    }
}

impl Bill<'_> {
    /// `retrieval = max(0, read/TU - mult*stored/TU) * price`, on top of egress.
    pub(super) fn retrieval(&mut self, stored: &Stored) {
        let Some(retrieval) = &self.offer.retrieval else { return };
        let unit = Decimal::from(self.offer.meter.transfer_unit_bytes);
        let read = retrieval.units(self.workload, unit);
        let free = retrieval
            .free_multiple_of_stored
            .map_or(Decimal::ZERO, |times| times.saturating_mul(stored.average()) / unit);
        let billed = ceil_to((read - free).max(Decimal::ZERO), retrieval.round_up_units.map(Decimal::from));
        let price = retrieval.price(self.workload.retrieval);
        let formula = if free.is_zero() {
            format!("{} units × {price}", plain(billed))
        } else {
            format!("({} units − {} free) × {price}", plain(read), plain(free))
        };
        self.line(Charge::Retrieval, billed.saturating_mul(price), formula, retrieval.as_of);
        if self.offer.async_restore && !read.is_zero() {
            self.flags.push(Flag::RestoreFirst);
        }
    }

    /// `free = units + units_per_hour*H + multiple*stored/TU; cost = T(q) - T(min(q, free))`, what goes through a
    /// partner taken off `q` first.
    pub(super) fn egress(&mut self, stored: &Stored) {
        let offer = self.offer;
        let egress = &offer.egress;
        let workload = self.workload;
        let unit = Decimal::from(offer.meter.transfer_unit_bytes);
        let partner = if egress.is_partner(workload.cdn.as_deref()) { workload.cdn_bytes } else { 0 };
        let leaves = Decimal::from(workload.egress_bytes.saturating_sub(partner));
        let quantity = ceil_to(leaves / unit, egress.round_up_units.map(Decimal::from));
        let figure = |figure: Option<crate::price::Figure>| figure.map_or(Decimal::ZERO, Decimal::from);
        let free = figure(egress.free_units)
            .saturating_add(figure(egress.free_units_per_hour).saturating_mul(self.hours()))
            .saturating_add(figure(egress.free_multiple_of_stored).saturating_mul(stored.average()) / unit);
        let tiers = egress.tiers_to(workload.egress_to.as_deref());
        let amount = TierMode::Marginal.beyond(&tiers, quantity, free);
        let mut formula = format!("{} units", plain(quantity));
        if partner > 0 {
            formula += &format!(
                " ({} through partners left out)",
                plain(Decimal::from(partner.min(workload.egress_bytes)) / unit)
            );
        }
        let used = free.min(quantity);
        if !free.is_zero() {
            formula += &format!(", {} of {} free", plain(used), plain(free));
        }
        formula += &tariff(TierMode::Marginal, &tiers, used, quantity);
        self.line(Charge::Egress, amount, formula, egress.as_of);
        let nearly = |most: Decimal| most * Decimal::new(9, 1);
        if quantity > nearly(free) && quantity <= free {
            self.flags.push(Flag::AtFreeEgressLimit);
        }
        if let Some(policy) = &egress.policy
            && !leaves.is_zero()
        {
            let limit = *policy.max_multiple_of_stored;
            let ratio = (!stored.average().is_zero()).then(|| leaves / stored.average());
            match ratio {
                Some(ratio) if ratio > limit => self.flags.push(Flag::OutsidePolicy { ratio: Some(ratio), limit }),
                Some(ratio) if ratio > nearly(limit) => self.flags.push(Flag::AtPolicyLimit { ratio, limit }),
                Some(_) => {}
                None => self.flags.push(Flag::OutsidePolicy { ratio: None, limit }),
            }
        }
    }
}

/// The end of a formula: ` × price`, or each step with its width.
pub(super) fn tariff(mode: TierMode, tiers: &[Tier], from: Decimal, to: Decimal) -> String {
    let pieces: Vec<_> = match mode {
        TierMode::Marginal => steps(tiers, from, to).collect(),
        TierMode::Volume => {
            let price = tiers.iter().find(|tier| tier.upto.is_none_or(|upto| to <= *upto)).map(|tier| *tier.price);
            price.into_iter().map(|price| (to - from, price)).collect()
        }
    };
    match pieces.as_slice() {
        [] => String::new(),
        [(_, price)] => format!(" × {}", price.normalize()),
        many => {
            let texts: Vec<_> =
                many.iter().map(|(width, price)| format!("{} × {}", plain(*width), price.normalize())).collect();
            format!(": {}", texts.join(" + "))
        }
    }
}
