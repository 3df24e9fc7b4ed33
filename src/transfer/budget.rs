//! How much happens at once.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use sterna_backends::{Algorithm, Capabilities, Error, ErrorKind, MultipartAbility, Operation, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Target, fan::Fan};
use crate::{event::Deed, index::ALL, plan::Action, price::Cut};

/// What a transfer may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests in flight; `None`: as many as suit the stores.
    pub transfers: Option<usize>,
    /// Bytes held in memory for parts and small objects between two stores.
    pub memory: u64,
    /// Bytes of a part; `None`: 16 MiB, more for objects that would have too many parts.
    pub part_size: Option<u64>,
    /// Size from which an object goes in parts; `None`: as the destination says.
    pub multipart_threshold: Option<u64>,
    /// Stop taking new objects once so many bytes have been planned for transfer.
    pub max_transfer: Option<u64>,
    /// Carry user metadata, headers and storage class; else the content-type only.
    pub metadata: bool,
    /// Carry tags too; costs a request per object on S3.
    pub tags: bool,
    /// Look at both sides again before each action, for a plan made earlier.
    pub check_drift: bool,
    /// Digests to be known of a file that goes in parts, beside SHA-256 and SHA-1; of smaller ones all are.
    pub digests: Vec<Algorithm>,
    /// Hold what passes to every digest that is known of it, even where the destination records none.
    pub prove: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            transfers: None,
            memory: 64 * MIB,
            part_size: None,
            multipart_threshold: None,
            max_transfer: None,
            metadata: true,
            tags: false,
            check_drift: false,
            digests: ALL.to_vec(),
            prove: false,
        }
    }
}

pub(super) const MIB: u64 = 1024 * 1024;

/// Bytes of a part where nothing asks for more.
const PART: u64 = 16 * MIB;

/// Between two stores that are both dear to read, objects from this size go in parts, so that they need not be held
/// in memory as a whole.
pub(super) const THRESHOLD_BETWEEN_REMOTES: u64 = 16 * MIB;

/// How objects go from one store to another, neither of which is cheap to read, where nobody asks for anything else.
pub const BETWEEN_REMOTES: Cut = Cut { above: THRESHOLD_BETWEEN_REMOTES, part: PART / 2 };

/// Bytes of a part that is copied inside the endpoint: 512 MiB, as few requests as is still parallel.
const COPIED_PART: u64 = 512 * MIB;

/// The size of the parts of an object, the same whenever it is asked, so that a later run finds its parts again.
fn part_size(settings: &Settings, ability: &MultipartAbility, size: u64, in_memory: bool) -> u64 {
    let suits = if in_memory { BETWEEN_REMOTES.part } else { ability.part.unwrap_or(PART) };
    let wanted = settings.part_size.unwrap_or(suits).min(size.div_ceil(u64::from(ability.min_parts.max(1))));
    let fewest = size.div_ceil(u64::from(ability.max_parts)).div_ceil(MIB) * MIB;
    wanted.max(fewest).clamp(ability.min_part, ability.max_part)
}

/// The size from which an object goes in parts; `None`: it never does.
fn threshold(settings: &Settings, source: &Capabilities, target: &Capabilities) -> Option<u64> {
    let ability = target.multipart.as_ref()?;
    let between_remotes = !source.cheap_read && !target.cheap_read;
    let usual = if between_remotes { ability.threshold.min(THRESHOLD_BETWEEN_REMOTES) } else { ability.threshold };
    Some(settings.multipart_threshold.unwrap_or(usual).max(ability.smallest() - 1).min(target.max_put))
}

/// Whether an object of `bytes` goes in parts from the first store to the second.
pub(super) fn is_big(settings: &Settings, can: (&Capabilities, &Capabilities), deed: Deed, bytes: u64) -> bool {
    match deed {
        Deed::Copy => can.1.copy.as_ref().is_some_and(|copy| copy.parts && bytes > copy.max_copy),
        Deed::Transfer => threshold(settings, can.0, can.1).is_some_and(|threshold| bytes > threshold),
        _ => false,
    }
}

/// The size of the parts of an object that goes in parts; `shared`: what it is where several destinations share one reading.
pub(super) fn cut(
    settings: &Settings,
    (source, target): (&Capabilities, &Capabilities),
    deed: Deed,
    bytes: u64,
    shared: Option<u64>,
) -> Option<u64> {
    let ability = target.multipart.as_ref()?;
    let in_memory = !source.cheap_read && !target.cheap_read;
    let part = shared.unwrap_or_else(|| part_size(settings, ability, bytes, in_memory));
    Some(if deed == Deed::Copy { part.max(COPIED_PART.min(ability.max_part)) } else { part })
}

/// The size of the parts in which an object goes to several destinations that share one reading: the same for all. `None`
/// where it goes as a whole, and for what goes to one destination only.
pub(super) fn shared_part(settings: &Settings, targets: &[Target], action: &Action) -> Option<u64> {
    if action.readers <= 1 {
        return None;
    }
    let bytes = action.bytes();
    let can = |target: &'_ Target| target.store.capabilities().multipart;
    let abilities: Vec<MultipartAbility> = targets.iter().map(can).collect::<Option<_>>()?;
    let threshold = settings.multipart_threshold.unwrap_or(THRESHOLD_BETWEEN_REMOTES);
    let part = abilities.iter().map(|ability| part_size(settings, ability, bytes, true)).max()?;
    let fits = |ability: &MultipartAbility| bytes >= ability.smallest() && part <= ability.max_part;
    (bytes > threshold && abilities.iter().all(fits)).then_some(part)
}

/// The shared budget of one run.
pub(super) struct Budget {
    slots: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    memory_limit: u64,
    /// Readings that several destinations share.
    pub(super) fan: Arc<Fan>,
}

impl Budget {
    /// The destination of `action` takes no part in a shared reading of its object, or no longer.
    pub(super) fn leave(&self, action: &Action) {
        if let Some(source) = action.source.as_ref().filter(|_| action.readers > 1) {
            self.fan.leave(&source.key, action.to, action.readers);
        }
    }
}

/// Memory is counted in units of this many bytes.
const MEMORY_UNIT: u64 = 64 * 1024;

impl Budget {
    pub(super) fn new(slots: usize, memory: u64) -> Self {
        let units = usize::try_from(units(memory)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            slots: Arc::new(Semaphore::new(slots)),
            memory: Arc::new(Semaphore::new(units)),
            memory_limit: memory,
            fan: Arc::new(Fan::new(memory, slots)),
        }
    }

    /// A turn for one request, first come, first served.
    pub(super) async fn slot(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.map_err(|_| cancelled())
    }

    /// Room for `bytes` in memory; what is larger than the whole budget takes all of it.
    pub(super) async fn memory(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let units = u32::try_from(units(bytes.min(self.memory_limit))).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).acquire_many_owned(units).await.map_err(|_| cancelled())
    }
}

/// At least one, so that a budget that is smaller than a unit is one.
fn units(bytes: u64) -> u64 {
    bytes.div_ceil(MEMORY_UNIT).max(1)
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, Operation::Put)
}

/// Why a run ended before its plan did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Somebody asked for it.
    Asked,
    /// [`Settings::max_transfer`] is reached.
    MaxTransfer,
    /// The time allowed is over.
    MaxDuration,
    /// An error after which nothing can succeed: no room, no rights, no bucket.
    Fatal,
    /// A cap of the account is reached: nothing succeeds until its owner raises it.
    Capped,
    /// It has cost what it may.
    OverBudget,
    /// A store has answered nothing for so long that it was given up.
    Unreachable,
    /// The lease of a destination may be somebody else's.
    Fenced,
}

/// A switch that ends a run cleanly: what was begun is finished, nothing new is taken up.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    reason: OnceLock<StopReason>,
    /// Bytes taken up.
    taken: AtomicU64,
}

impl Stop {
    /// Ends the run; the first reason counts.
    pub fn stop(&self, reason: StopReason) {
        let _first_wins = self.0.reason.set(reason);
    }

    /// Why the run is to end, if it is.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.0.reason.get().copied()
    }

    /// Adds to the bytes taken up and returns their sum.
    pub(super) fn take(&self, bytes: u64) -> u64 {
        self.0.taken.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn what_is_larger_than_the_whole_budget_has_all_of_it() {
        for limit in [0, 1, MEMORY_UNIT - 1, MEMORY_UNIT, MEMORY_UNIT + 1, 100_000, 20_000_000] {
            let budget = Budget::new(1, limit);
            for bytes in [0, 1, limit, limit + 1, u64::MAX] {
                let room = budget.memory(bytes).now_or_never();
                assert!(room.is_some_and(|room| room.is_ok()), "{bytes} of {limit} never have room");
            }
        }
    }
}
