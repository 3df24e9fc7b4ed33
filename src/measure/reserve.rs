//! The folder a measuring writes to, and what earlier ones left there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sterna_backends::{
    Error, ErrorKind, ListRequest, Operation, Result, Store, StoreExt, Timestamp, layer::Prefix, sweep,
};

use crate::lease::machine::{MachineLock, is_free};

/// Below this prefix of a place, and nowhere else, a measuring writes. Nothing else belongs there.
pub const RESERVED: &str = ".sterna-compare/";

/// After so long a folder was left behind, whoever made it: no measuring takes so long.
const LEFT_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A folder of this run's own, the same at every place.
///
/// While the process lives it holds a lock on a file of the folder's name, so that the next run on this machine knows at
/// once which folders were left behind by one that was killed. Those of other machines it knows by their age.
#[derive(Debug)]
pub struct Reserve {
    id: String,
    locks: Option<PathBuf>,
    /// Held for as long as this value lives.
    _lock: Option<MachineLock>,
}

impl Reserve {
    /// A folder nobody else has; what tells that it is in use lies in `locks`. It waits for the disk, shortly.
    ///
    /// # Errors
    /// Where the lock cannot be made: what is written might be left for a day.
    pub fn take(locks: Option<PathBuf>) -> Result<Self> {
        let id = format!("{:010x}-{:08x}", Timestamp::now().seconds(), fastrand::u32(..));
        let lock = locks.as_deref().map(|locks| lock(locks, &id)).transpose();
        let lock = lock.map_err(|error| Error::io(Operation::Open, error))?;
        Ok(Self { id, locks, _lock: lock })
    }

    /// Where it writes, ending in `/`.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{RESERVED}{}/", self.id)
    }

    /// All was removed: nobody needs to look for it. Without this the next run sweeps, as if this one had been killed.
    pub fn release(self) {
        if let Some(locks) = &self.locks {
            let _one_more_look = fs::remove_file(locks.join(&self.id));
        }
    }

    /// Removes what this run has written to `store`.
    ///
    /// # Errors
    /// What stopped it; something is left behind then.
    pub async fn sweep(&self, store: &Arc<dyn Store>) -> Result<()> {
        remove(store, &self.folder()).await
    }

    /// Removes from `store` what runs left behind that are dead, and says how many they were.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn sweep_dead(&self, store: &Arc<dyn Store>) -> Result<usize> {
        if store.capabilities().read_only {
            return Ok(0);
        }
        let missing = |error: &Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NoSuchContainer);
        let entries = match store.list_to_vec(ListRequest::level(RESERVED)).await {
            Err(error) if missing(&error) => return Ok(0),
            entries => entries?,
        };
        let mut swept = 0;
        for entry in entries {
            let Some(id) = entry.key.strip_prefix(RESERVED).and_then(|rest| rest.split('/').next()) else { continue };
            if id != self.id && self.is_dead(id) {
                remove(store, &format!("{RESERVED}{id}/")).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn is_dead(&self, id: &str) -> bool {
        let begun = id.split('-').next().and_then(|seconds| i64::from_str_radix(seconds, 16).ok());
        let Some(begun) = begun else { return false };
        let age = Timestamp::now().seconds().saturating_sub(begun);
        let old = u64::try_from(age).is_ok_and(|age| age > LEFT_AFTER.as_secs());
        old || self.locks.as_deref().is_some_and(|locks| is_free(&locks.join(id)))
    }
}

async fn remove(store: &Arc<dyn Store>, folder: &str) -> Result<()> {
    sweep(&Prefix::new(Arc::clone(store), folder)).await?;
    if store.capabilities().directories {
        // Another run may be at work in it.
        match Prefix::new(Arc::clone(store), RESERVED).remove_directory("").await {
            Err(error) if error.kind() != ErrorKind::Exists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes and holds the lock of `id`, and removes those that are as old as what they told of.
fn lock(locks: &Path, id: &str) -> std::io::Result<MachineLock> {
    fs::create_dir_all(locks)?;
    for entry in fs::read_dir(locks)?.flatten() {
        let age = entry.metadata().and_then(|facts| facts.modified()).map(|time| time.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > 2 * LEFT_AFTER) && is_free(&entry.path()) {
            let _gone_already = fs::remove_file(entry.path());
        }
    }
    MachineLock::take(&locks.join(id))?.ok_or_else(|| std::io::ErrorKind::ResourceBusy.into())
}
