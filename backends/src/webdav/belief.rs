//! What is believed of a server that nobody knows by name, and what its uploads show of that: each is looked at anyway.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use http::{HeaderMap, header};

use super::{abilities::Abilities, multistatus::Properties};
use crate::{
    entry::Timestamp,
    registry::Notebook,
    web::headers::{http_date, text},
};

/// Where it is noted what one server does.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    notebook: Arc<dyn Notebook>,
    server: String,
}

impl Notes {
    pub fn new(notebook: Arc<dyn Notebook>, root: &reqwest::Url) -> Self {
        Self { notebook, server: format!("webdav {root}") }
    }

    /// What an earlier run found.
    pub fn read(&self) -> Option<Abilities> {
        Abilities::of_words(&self.notebook.read(&self.server)?)
    }

    pub fn write(&self, abilities: Abilities) {
        self.notebook.note(&self.server, &abilities.words());
    }
}

/// What is believed, until an upload shows otherwise.
#[derive(Debug, Default)]
pub(super) struct Belief {
    /// `None`: it is known, or nobody remembers.
    notes: Option<Notes>,
    /// It was never tried: what the server tells of times says nothing until an upload has shown what it does with them.
    pub is_hope: bool,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// What is noted.
    noted: Option<Abilities>,
    /// What stands so far.
    best: Abilities,
    /// Whether uploads have shown that times are kept, or are not.
    times: Option<bool>,
}

impl Belief {
    /// What an earlier run noted, or what was just tried.
    pub fn noted(notes: Notes, abilities: Abilities) -> Self {
        let state = State { noted: Some(abilities), best: abilities, times: None };
        Self { notes: Some(notes), state: Mutex::new(state), ..Self::default() }
    }

    /// Nothing yet: the first upload shows it.
    pub fn hoped(notes: Notes) -> Self {
        let state = State { best: Abilities::ASSUMED, ..State::default() };
        Self { notes: Some(notes), is_hope: true, state: Mutex::new(state) }
    }

    /// What was stored of an upload that was sent with the time `sent`, and begun not before `begun` by the server's clock. A time
    /// other than that is the server's own; the same is not, where the server's clock had left it behind.
    pub fn saw(&self, sent: Option<Timestamp>, begun: Option<i64>, stored: &Properties) {
        let Some(sent) = sent.map(Timestamp::seconds) else { return };
        let is_kept = stored.modified.map(Timestamp::seconds) == Some(sent);
        if is_kept && begun.is_none_or(|begun| sent + 1 >= begun) {
            return;
        }
        self.change(|state| {
            // One that is not kept says more than many that are.
            let times = is_kept && state.times != Some(false);
            state.times = Some(times);
            state.best.times = times;
            state.best.touch &= times;
            state.best.checksums |= !stored.digests.is_empty();
        });
    }

    /// The server did not let a time be set that it keeps.
    pub fn cannot_touch(&self) {
        self.change(|state| state.best.touch = false);
    }

    /// Whether the times that the server tells are the contents' own, as far as anybody knows.
    pub fn tells_times(&self) -> bool {
        self.state().times.unwrap_or(!self.is_hope)
    }

    /// Whether a copy stays without the time of its source: uploads have shown that times are not kept, or nobody knows yet and
    /// the server did not let one be set.
    pub fn copies_lose_times(&self) -> bool {
        let State { times, best, .. } = self.state();
        times == Some(false) || self.is_hope && !best.touch
    }

    /// Changes what stands, and notes it once it is known whether times are kept.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let Some(notes) = &self.notes else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let known = state.times.is_some() || state.noted.is_some();
        if known && state.noted != Some(state.best) {
            notes.write(state.best);
            state.noted = Some(state.best);
        }
    }

    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the server's clock is ahead of ours, in seconds, at least: its answers name the second that has begun, and have been
/// on their way since.
#[derive(Debug)]
pub(super) struct Clock(AtomicI64);

const UNTOLD: i64 = i64::MIN;

impl Default for Clock {
    fn default() -> Self {
        Self(AtomicI64::new(UNTOLD))
    }
}

impl Clock {
    /// An answer of the server says what time it is there.
    pub fn heard(&self, headers: &HeaderMap) {
        if let Some(date) = text(headers, header::DATE).and_then(http_date) {
            self.0.store(date.seconds() - Timestamp::now().seconds() - 1, Ordering::Relaxed);
        }
    }

    /// The second that it is there, or a later one; `None` where it was not told yet.
    pub fn now(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed))
            .filter(|ahead| *ahead != UNTOLD)
            .map(|ahead| Timestamp::now().seconds() + ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Page(Mutex<Vec<String>>);

    impl Notebook for Page {
        fn read(&self, _: &str) -> Option<String> {
            self.0.lock().unwrap().last().cloned()
        }
        fn note(&self, _: &str, found: &str) {
            self.0.lock().unwrap().push(found.to_owned());
        }
    }

    fn page() -> (Arc<Page>, Notes) {
        let page = Arc::new(Page::default());
        (page.clone(), Notes::new(page, &"http://host/".parse().unwrap()))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn stored(seconds: i64) -> Properties {
        Properties { modified: Some(at(seconds)), ..Properties::default() }
    }

    fn noted(page: &Page) -> Vec<String> {
        page.0.lock().unwrap().clone()
    }

    #[test]
    fn a_time_of_the_server_is_none_of_the_content() {
        let (page, notes) = page();
        let belief = Belief::hoped(notes);
        assert!(!belief.tells_times(), "nobody knows yet");
        // The same second may be the server's own: nothing is learnt.
        belief.saw(Some(at(500)), Some(500), &stored(500));
        belief.saw(Some(at(500)), None, &stored(500));
        belief.saw(None, Some(600), &stored(600));
        assert_eq!((belief.tells_times(), noted(&page)), (false, vec![]));
        assert!(!belief.copies_lose_times());
        belief.saw(Some(at(500)), Some(600), &stored(500));
        assert_eq!((belief.tells_times(), noted(&page)), (true, vec!["times touch".to_owned()]));
        // It was by chance.
        belief.saw(Some(at(500)), Some(600), &stored(600));
        belief.saw(Some(at(500)), Some(600), &stored(500));
        assert_eq!((belief.tells_times(), noted(&page)), (false, vec!["times touch".to_owned(), String::new()]));
    }

    #[test]
    fn what_was_noted_is_noted_anew_where_it_no_longer_holds() {
        let (page, notes) = page();
        let belief = Belief::noted(notes, Abilities { times: true, touch: true, checksums: false });
        belief.saw(Some(at(500)), Some(600), &stored(500));
        assert_eq!((belief.tells_times(), noted(&page)), (true, vec![]));
        belief.cannot_touch();
        assert_eq!(noted(&page), ["times"]);
        belief.saw(Some(at(500)), Some(600), &stored(601));
        assert_eq!((belief.tells_times(), noted(&page)), (false, vec!["times".to_owned(), String::new()]));
    }
}
