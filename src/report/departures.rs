//! What a run has deleted or overwritten so far, for what that costs.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    event::{Deed, Event, Observer},
    price::Gone,
};

/// A fold over the events of a run: what is kept no more, by place.
#[derive(Debug, Default)]
pub struct Departures(Mutex<BTreeMap<usize, Gone>>);

impl Departures {
    /// What is gone from a place: 0 is the source, from 1 the destinations.
    #[must_use]
    pub fn of(&self, place: usize) -> Gone {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&place).cloned().unwrap_or_default()
    }
}

impl Observer for Departures {
    fn on(&self, event: &Event) {
        if let Event::Finished { place, deed, gone: Some(gone), .. } = event {
            let place = if *deed == Deed::DeleteSource { 0 } else { *place };
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            places.entry(place).or_default().add(gone.size, gone.stored);
        }
    }
}
