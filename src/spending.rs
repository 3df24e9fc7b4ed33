//! What planning itself sends, told apart from what is sent at the same time to carry out what is planned already.
//!
//! Only planning lists, so what was sent to list is planning's; of its other calls each place counts its own. What the
//! listings tell of what is kept there is noted beside it: allowances and tiers depend on it.

use std::sync::{Arc, Mutex, PoisonError};

use sterna_backends::{Called, Entry, Operation, Requests, Spend, Store, layer::Meter};

use crate::{price::Stock, transfer::Expense};

/// The meters of one planning, the source's place first.
#[derive(Clone, Debug, Default)]
pub struct Spending(Vec<Place>);

#[derive(Clone, Debug)]
struct Place {
    /// What was listed there.
    kept: Arc<Mutex<Stock>>,
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
            self.push(None, Requests::default());
            return Arc::clone(store);
        }
        let meter = Arc::new(Meter::new(Arc::clone(store)));
        let before = meter.listing();
        self.push(Some(Arc::clone(&meter)), before);
        meter
    }

    fn push(&mut self, meter: Option<Arc<Meter>>, before: Requests) {
        self.0.push(Place { kept: Arc::default(), meter, before, beside: Vec::new() });
    }

    /// The listings have told what each place has under one key.
    pub(crate) fn listed(&self, row: &[Option<Entry>]) {
        for (place, entry) in self.0.iter().zip(row) {
            // Files of this machine cost nothing.
            if let (Some(entry), Some(_)) = (entry, &place.meter) {
                let mut kept = place.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.add_about(entry.size.unwrap_or(0));
            }
        }
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

    /// What was spent so far, and `ahead`, what is still to come, where so much is kept as was listed.
    #[must_use]
    pub fn with(&self, mut ahead: Expense) -> Expense {
        let places = std::iter::once(&mut ahead.source).chain(&mut ahead.targets);
        for (outlay, place) in places.zip(&self.0) {
            outlay.sent.add(&place.spent());
            outlay.kept = Some(place.kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
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
