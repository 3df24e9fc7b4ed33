//! The digests of a whole file, computed while its parts still arrive: each part is read back from the cache as soon
//! as everything before it is there. Known to this process only; without it the whole is read when it is completed.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{body::each_block, entry::Digests, local::verify::Verifier};

/// The uploads this process has begun, by the token's id.
#[derive(Default)]
pub(in crate::local) struct Proofs(Mutex<HashMap<String, Arc<Proof>>>);

impl Proofs {
    /// From now on what arrives of upload `id` is held against `expected`.
    pub(super) fn expect(&self, id: &str, expected: &Digests) {
        let verifier = Verifier::new(expected);
        if verifier.is_idle() {
            return;
        }
        let proof =
            Proof { expected: expected.clone(), arrived: Mutex::default(), hashed: Mutex::new((0, Some(verifier))) };
        lock(&self.0).insert(id.to_owned(), Arc::new(proof));
    }

    /// The one of upload `id`.
    pub(super) fn of(&self, id: &str) -> Option<Arc<Proof>> {
        lock(&self.0).get(id).cloned()
    }

    /// Forgets upload `id`: what was hashed of it so far, if it was for `expected` and is still right.
    pub(super) fn take(&self, id: &str, expected: &Digests) -> (u64, Verifier) {
        let proof = lock(&self.0).remove(id).filter(|proof| proof.expected == *expected);
        let hashed = proof.and_then(|proof| {
            let mut hashed = lock(&proof.hashed);
            Some((hashed.0, hashed.1.take()?))
        });
        hashed.unwrap_or_else(|| (0, Verifier::new(expected)))
    }
}

/// One upload: which of its parts have arrived, and how far they have been hashed.
pub(super) struct Proof {
    expected: Digests,
    /// Where each part begins, and its bytes.
    arrived: Mutex<BTreeMap<u64, u64>>,
    /// Everything before this offset is in the verifier; `None`: it holds what is no longer in the file.
    hashed: Mutex<(u64, Option<Verifier>)>,
}

impl Proof {
    /// The part at `offset` is being written, maybe once more.
    pub(super) fn begun(&self, offset: u64) {
        if lock(&self.arrived).remove(&offset).is_some() {
            let mut hashed = lock(&self.hashed);
            if offset < hashed.0 {
                hashed.1 = None;
            }
        }
    }

    /// The part at `offset` is whole. Hashes what can be hashed in order, unless another thread is at it.
    pub(super) fn arrived(&self, file: &File, offset: u64, len: u64) {
        lock(&self.arrived).insert(offset, len);
        let Ok(mut hashed) = self.hashed.try_lock() else { return };
        while let Some(len) = self.next(hashed.0) {
            if hash(&mut hashed, file, len).is_err() {
                hashed.1 = None;
            }
            if hashed.1.is_none() {
                return;
            }
        }
    }

    fn next(&self, offset: u64) -> Option<u64> {
        lock(&self.arrived).get(&offset).copied().filter(|len| *len > 0)
    }
}

fn hash(hashed: &mut (u64, Option<Verifier>), file: &File, len: u64) -> io::Result<()> {
    let (offset, Some(verifier)) = hashed else { return Ok(()) };
    each_block(file, *offset, len, |block| verifier.update(block))?;
    *offset += len;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
