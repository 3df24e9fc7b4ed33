//! Digests of bytes: several in one pass, or one of what lies in memory.

use crc_fast::{CrcAlgorithm, Digest as Crc};
use sha2::Digest as _;

use crate::{
    entry::{Algorithm, Digest, Digests},
    error::{Error, ErrorKind, Operation, Result},
};

/// Computes the digests it was made for, all over the same bytes.
pub struct Hasher {
    md5: Option<md5::Md5>,
    sha1: Option<sha1::Sha1>,
    sha256: Option<sha2::Sha256>,
    crc32c: Option<Crc>,
    crc64nvme: Option<Crc>,
    /// Whether more than one of the first three is computed.
    in_turns: bool,
    /// Bytes taken of the block that is not full yet.
    begun: usize,
}

/// Bytes of a block of MD5, SHA-1 and SHA-256.
const BLOCK: usize = 64;

impl Hasher {
    /// For `algorithms`; [`Algorithm::Parts`] needs part sizes and is left out.
    #[must_use]
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let wants = |algorithm| algorithms.contains(&algorithm);
        let chained = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256].into_iter().filter(|kind| wants(*kind));
        Self {
            in_turns: chained.count() > 1,
            begun: 0,
            md5: wants(Algorithm::Md5).then(md5::Md5::new),
            sha1: wants(Algorithm::Sha1).then(sha1::Sha1::new),
            sha256: wants(Algorithm::Sha256).then(sha2::Sha256::new),
            crc32c: wants(Algorithm::Crc32c).then(|| Crc::new(CrcAlgorithm::Crc32Iscsi)),
            crc64nvme: wants(Algorithm::Crc64Nvme).then(|| Crc::new(CrcAlgorithm::Crc64Nvme)),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.in_turns {
            let (first, blocks) = bytes.split_at(bytes.len().min((BLOCK - self.begun) % BLOCK));
            self.chain(first);
            blocks.chunks(BLOCK).for_each(|block| self.chain(block));
            self.begun = (self.begun + bytes.len()) % BLOCK;
        } else {
            self.chain(bytes);
        }
        for crc in [&mut self.crc32c, &mut self.crc64nvme].into_iter().flatten() {
            crc.update(bytes);
        }
    }

    /// Each step of these digests waits for the one before it, and a processor fills the wait with another digest's if it
    /// comes soon: taking turns block by block, SHA-1 costs next to nothing beside MD5, and all three a fifth less than one
    /// after the other (measured in `docs/benchmarks.md`). MD5, which waits most, stands between the two that have instructions.
    fn chain(&mut self, bytes: &[u8]) {
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// The digests of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Digests {
        [
            self.md5.map(|md5| Digest::Md5(md5.finalize().into())),
            self.sha1.map(|sha1| Digest::Sha1(sha1.finalize().into())),
            self.sha256.map(|sha256| Digest::Sha256(sha256.finalize().into())),
            self.crc32c.map(|crc| Digest::Crc32c(low_half(crc.finalize()))),
            self.crc64nvme.map(|crc| Digest::Crc64Nvme(crc.finalize())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The digest of `bytes`; `None` for [`Algorithm::Parts`], which takes more than the bytes.
#[must_use]
pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Option<Digest> {
    let mut hasher = Hasher::new(&[algorithm]);
    hasher.update(bytes);
    hasher.finish().get(algorithm)
}

/// The first of `claimed` that `bytes` contradict. A digest of parts is not judged.
#[must_use]
pub fn contradicted(claimed: &Digests, bytes: &[u8]) -> Option<Digest> {
    let kinds: Vec<Algorithm> = claimed.iter().map(Digest::algorithm).collect();
    let mut hasher = Hasher::new(&kinds);
    hasher.update(bytes);
    let found = hasher.finish();
    claimed.iter().copied().find(|claim| found.get(claim.algorithm()).is_some_and(|found| found != *claim))
}

/// Holds what was `found` of bytes to what was `claimed` of them; what only one of both tells is not judged.
///
/// # Errors
/// `Integrity`, naming the algorithm of the first claim that does not hold.
pub fn held(operation: Operation, claimed: &Digests, found: &Digests) -> Result<()> {
    let broken = |claim: &&Digest| found.get(claim.algorithm()).is_some_and(|found| found != **claim);
    claimed.iter().find(broken).map_or(Ok(()), |claim| Err(not_as_claimed(operation, claim.algorithm())))
}

/// The bytes are not what was said of them.
#[must_use]
pub fn not_as_claimed(operation: Operation, algorithm: Algorithm) -> Error {
    Error::new(ErrorKind::Integrity, operation)
        .because(format!("the bytes do not have the {algorithm} they were said to have"))
}

/// The CRC-32C of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    low_half(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes))
}

/// A CRC-32 out of the 64 bits in which every CRC is told.
pub(crate) fn low_half(value: u64) -> u32 {
    u32::try_from(value).expect("a CRC-32 has 32 bits")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::subsequence};

    use super::*;

    const ALL: [Algorithm; 5] =
        [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Crc32c, Algorithm::Crc64Nvme];

    proptest! {
        /// However the bytes come, each digest is the one it is alone, of all of them at once.
        #[test]
        fn digests_taken_in_turns_are_those_of_each_alone(
            chunks in vec(vec(any::<u8>(), 0..200), 0..8),
            kinds in subsequence(ALL.to_vec(), 0..=ALL.len()),
        ) {
            let mut together = Hasher::new(&kinds);
            chunks.iter().for_each(|chunk| together.update(chunk));
            let whole = chunks.concat();
            let alone: Digests = kinds.iter().filter_map(|kind| of(*kind, &whole)).collect();
            prop_assert_eq!(together.finish(), alone);
        }
    }
}
