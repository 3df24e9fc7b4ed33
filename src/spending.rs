//! What planning itself sends, told apart from what is sent at the same time to carry out what is planned already.
//!
//! Only planning lists, so what was sent to list is planning's; of its other calls each place counts its own.

use std::sync::Arc;

use sterna_backends::{Called, Operation, Requests, Spend, Store, layer::Meter};

use crate::transfer::Expense;

/// The meters of one planning, the source's place first.
#[derive(Clone, Debug, Default)]
pub struct Spending(Vec<Place>);

#[derive(Clone, Debug)]
struct Place {
    /// `None` for what costs nothing to read: files of this machine.
    meter: Option<Arc<Meter>>,
    /// What was sent to list before.
    before: Requests,
    /// What else of the same place is looked into.
    beside: Vec<Arc<Meter>>,
}

impl Spending {
    /// The next place of the run, its calls counted from now on.
    pub(crate) fn meter(&mut self, store: &Arc<dyn Store>) -> Arc<dyn Store> {
        if store.capabilities().cheap_read {
            self.0.push(Place { meter: None, before: Requests::default(), beside: Vec::new() });
            return Arc::clone(store);
        }
        let meter = Arc::new(Meter::new(Arc::clone(store)));
        let before = meter.listing();
        self.0.push(Place { meter: Some(Arc::clone(&meter)), before, beside: Vec::new() });
        meter
    }

    /// A store that is searched for the last place. What it sends counts as that place's where both count together.
    pub(crate) fn beside(&mut self, store: &Arc<dyn Store>) -> Arc<dyn Store> {
        let Some(place) = self.0.last_mut() else { return Arc::clone(store) };
        let ledger = place.meter.as_ref().and_then(|meter| meter.ledger());
        match (ledger, store.ledger()) {
            (Some(own), Some(its)) if Arc::ptr_eq(&own, &its) => {
                let meter = Arc::new(Meter::new(Arc::clone(store)));
                place.beside.push(Arc::clone(&meter));
                meter
            }
            _ => Arc::clone(store),
        }
    }

    /// What was spent so far, and `ahead`, what is still to come.
    #[must_use]
    pub fn with(&self, mut ahead: Expense) -> Expense {
        let places = std::iter::once(&mut ahead.source).chain(&mut ahead.targets);
        for (spend, place) in places.zip(&self.0) {
            spend.add(&place.spent());
        }
        ahead
    }
}

impl Place {
    fn spent(&self) -> Spend {
        let Some(meter) = &self.meter else { return Spend::default() };
        let mut spend = Spend { requests: meter.listing().beyond(&self.before), ..Spend::default() };
        for meter in self.beside.iter().chain([meter]) {
            let counts = meter.counts();
            for (call, operation) in [(Called::Stat, Operation::Stat), (Called::Read, Operation::Read)] {
                spend.requests.extend(&Store::requests(&**meter, &call), counts.of(operation));
            }
            spend.bytes_in += counts.bytes_in;
        }
        spend
    }
}
