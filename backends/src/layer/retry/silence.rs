//! How long a store has not answered at all.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::error::ErrorKind;

/// A store that was given up is asked once more so often: it may have come back.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

/// The failures since the last answer. Whatever a store says is an answer, a refusal too.
#[derive(Debug)]
pub(super) struct Silence {
    /// After so long a store is given up; zero: never.
    limit: Duration,
    span: Mutex<Option<Span>>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    /// Of the first failure.
    since: Instant,
    /// Of the last.
    last: Instant,
    /// When a store that was given up was last asked.
    asked: Instant,
}

impl Silence {
    pub fn new(limit: Duration) -> Self {
        Self { limit, span: Mutex::new(None) }
    }

    /// How long there was no answer, where the store is given up and nothing is to be asked of it now.
    pub fn is_given_up(&self) -> Option<Duration> {
        let mut span = self.span();
        let known = (*span)?;
        let now = Instant::now();
        if now - known.last > self.limit {
            // Nobody has asked anything since; that is no silence.
            *span = None;
            return None;
        }
        let silent = self.beyond(known, now)?;
        if now - known.asked >= ASKED_AGAIN {
            *span = Some(Span { asked: now, ..known });
            return None;
        }
        Some(silent)
    }

    /// The store has said something.
    pub fn ended(&self) {
        *self.span() = None;
    }

    /// A call has failed so. How long there was no answer, where that is now too long.
    pub fn failed(&self, kind: ErrorKind) -> Option<Duration> {
        let mut span = self.span();
        if !matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout) {
            *span = None;
            return None;
        }
        let now = Instant::now();
        let since = span.map_or(now, |known| known.since);
        let known = Span { since, last: now, asked: now };
        *span = Some(known);
        self.beyond(known, now)
    }

    /// How long there was no answer.
    pub fn lasts(&self) -> Duration {
        self.span().map_or(Duration::ZERO, |span| span.since.elapsed())
    }

    /// How long one may wait for an answer still.
    pub fn left(&self) -> Duration {
        let since = self.span().map(|span| span.since);
        match since {
            Some(since) if !self.limit.is_zero() => self.limit.saturating_sub(since.elapsed()),
            _ => Duration::MAX,
        }
    }

    fn beyond(&self, span: Span, now: Instant) -> Option<Duration> {
        let silent = now - span.since;
        (!self.limit.is_zero() && silent >= self.limit).then_some(silent)
    }

    fn span(&self) -> MutexGuard<'_, Option<Span>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
