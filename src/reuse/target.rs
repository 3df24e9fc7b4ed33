//! One destination that can copy what it has: what lies there already, and what this run sends it.

use std::sync::Arc;

use sterna_backends::{CopySource, Digests, Entry, Error, ErrorKind, Key, Operation, Result, Store};

use super::{
    ledger::{Ledger, Sent},
    order::whole,
    stage::Searched,
};
use crate::{
    event::Deed,
    index::{self, Index, Known, Twins},
    plan::{Action, Origin},
};

/// A destination that can copy what it has.
pub(super) struct Target {
    store: Arc<dyn Store>,
    pub(super) twins: Twins,
    ledger: Ledger,
    /// Largest copy, in bytes.
    largest: u64,
    /// Transfers that became copies, and their bytes.
    pub(super) reused: u64,
    pub(super) reused_bytes: u64,
}

/// An action that may become a copy, and what of.
pub(super) struct Scouted {
    pub(super) action: Action,
    /// Whether something of its size is known to lie there.
    known: bool,
    /// What the same run sends of its size before it.
    sent: Sent,
    candidate: Option<Candidate>,
}

/// Which of the places searched, and the object.
type Candidate = (usize, Entry);

impl Target {
    /// `None` for a store that copies nothing.
    ///
    /// # Errors
    /// Where there is no room for the account of what is written.
    pub(super) fn new(index: &Index, Searched { store, others }: Searched) -> Result<Option<Self>> {
        let Some(largest) = store.capabilities().largest_copy() else { return Ok(None) };
        Ok(Some(Self {
            twins: Twins::of(index, [Arc::clone(&store)].into_iter().chain(others)),
            store,
            ledger: Ledger::new().map_err(broken)?,
            largest,
            reused: 0,
            reused_bytes: 0,
        }))
    }

    /// Whether a copy would do as well.
    pub(super) fn may_copy(&self, action: &Action) -> bool {
        let size = action.bytes();
        action.deed == Deed::Transfer && size > 0 && size <= self.largest
    }

    /// `action`, which may become a copy, and what is there of its size; `known`: whether anything is known to lie there. That
    /// it comes is noted, so this is asked in the order of the plan.
    pub(super) fn meet(&self, source: Known<'_>, action: Action, known: bool) -> Result<Scouted> {
        let sent = match &action.source {
            Some(entry) => self.ledger.meet(entry, !known && is_unread(source, entry)).map_err(broken)?,
            None => Sent::Nothing,
        };
        Ok(Scouted { action, known, sent, candidate: None })
    }

    /// `action` leaves other bytes under its key, and nobody is going to copy them.
    pub(super) fn note(&self, action: &Action) -> Result<()> {
        self.ledger.note(&action.key).map_err(broken)
    }

    /// Learns the content, where something of its size lies there or is written, and looks for it among what lies there.
    pub(super) async fn scout(&self, source: Known<'_>, scouted: &mut Scouted) {
        let Scouted { action, known, sent, candidate } = scouted;
        let Some(entry) = &mut action.source else { return };
        if let Sent::Others(Some(first)) = sent {
            learn(source, first).await;
        }
        if *known || matches!(sent, Sent::Others(_)) {
            learn(source, entry).await;
        }
        if !*known {
            return;
        }
        // What this run has written stands in the account.
        let ours = |found: &Entry| found.key == action.key || self.ledger.wrote(&found.key).unwrap_or(true);
        let suits = |at: usize, found: &Entry| at != 0 || !ours(found);
        *candidate = self.twins.find(entry, suits).await;
        if candidate.is_none() && learn_rest(source, entry).await {
            *candidate = self.twins.find(entry, suits).await;
        }
    }

    /// A copy, if the candidate will still be there when its turn comes, or if the content is on its way already.
    pub(super) fn settle(&mut self, Scouted { mut action, sent, candidate, .. }: Scouted) -> Result<Action> {
        let Some(entry) = action.source.take() else { return Ok(action) };
        let size = entry.size.unwrap_or_default();
        if let Sent::Others(Some(first)) = &sent {
            self.ledger.know(&first.key, &first.digests).map_err(broken)?;
        }
        let twin = match sent {
            Sent::Others(_) => self.ledger.twin(&entry.digests).map_err(broken)?,
            Sent::Nothing => None,
        };
        let mut origin = None;
        if let Some((at, found)) = candidate {
            let inside = (at == 0).then(|| found.key.clone());
            // Another name of a file changes its stamp: what was copied once is copied on from its copy.
            let gone = found.stamp.is_some() && twin.is_some()
                || match &inside {
                    Some(key) => self.ledger.wrote(key).map_err(broken)?,
                    None => false,
                };
            origin = self.origin(at, &found, &entry, inside).filter(|_| !gone);
        }
        if origin.is_none()
            && let Some(twin) = twin
        {
            let at = self.store.copy_source(&twin);
            origin = at.map(|at| Origin {
                at: CopySource { size: Some(size), ..at },
                digests: content(&entry),
                inside: Some(twin),
                seen: None,
            });
        }
        self.ledger.note(&action.key).map_err(broken)?;
        self.ledger.know(&action.key, &entry.digests).map_err(broken)?;
        action.source = Some(entry);
        if origin.is_some() {
            action.deed = Deed::Copy;
            action.origin = origin;
            self.reused += 1;
            self.reused_bytes += size;
        }
        Ok(action)
    }

    /// How the destination's store finds `found`, and only while it is still the same.
    fn origin(&self, at: usize, found: &Entry, entry: &Entry, inside: Option<Key>) -> Option<Origin> {
        let mut source = self.twins.store(at)?.copy_source(&found.key)?;
        let domain = self.store.capabilities().copy.as_ref().map(|copy| copy.domain.as_str());
        source.if_match.clone_from(&found.etag);
        source.version.clone_from(&found.version);
        source.size = found.size;
        let seen = Entry { digests: Digests::new(), metadata: None, ..found.clone() };
        (domain == Some(source.domain.as_str())).then_some(Origin {
            at: source,
            digests: content(entry),
            inside,
            seen: Some(seen),
        })
    }
}

/// What says what the content is, to be written down with the plan.
fn content(entry: &Entry) -> Digests {
    whole(&entry.digests).collect()
}

/// Whether nothing is known of the object's content that reading it would tell without a request.
fn is_unread(source: Known<'_>, entry: &Entry) -> bool {
    whole(&entry.digests).next().is_none() && source.store.capabilities().cheap_read
}

/// Adds the digests of the object's content, where reading it costs no request. What cannot be read stays unknown: the
/// transfer will say why.
pub(super) async fn learn(source: Known<'_>, entry: &mut Entry) {
    if is_unread(source, entry) {
        let _stays_unknown = index::digests(source.store, entry, &index::ALL).await;
    }
}

/// As [`learn`], where only some of the digests are known: what lies there may be known by another. Whether any was added.
async fn learn_rest(source: Known<'_>, entry: &mut Entry) -> bool {
    let known: Digests = content(entry);
    let missing: Vec<_> = index::ALL.into_iter().filter(|kind| known.get(*kind).is_none()).collect();
    if missing.is_empty() || missing.len() == index::ALL.len() || !source.store.capabilities().cheap_read {
        return false;
    }
    index::digests(source.store, entry, &missing).await.is_ok()
}

fn broken(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Full, Operation::List).because(error)
}
