//! Content checked against the digests it is known by, while it passes.

use crate::{
    digest::{Hasher, low_half},
    entry::{Algorithm, Digest, Digests},
};

/// Computes the digests that are expected, and no others.
pub(super) struct Verifier {
    expected: Digests,
    hasher: Hasher,
}

impl Verifier {
    /// Will check what can be computed from the bytes alone: all but [`Digest::Parts`].
    pub(super) fn new(expected: &Digests) -> Self {
        let computable = |digest: &&Digest| digest.algorithm() != Algorithm::Parts;
        let expected: Digests = expected.iter().filter(computable).copied().collect();
        let algorithms: Vec<Algorithm> = expected.iter().map(Digest::algorithm).collect();
        Self { expected, hasher: Hasher::new(&algorithms) }
    }

    /// Whether there is nothing to check.
    pub(super) fn is_idle(&self) -> bool {
        self.expected.is_empty()
    }

    /// `bytes` come next.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The digests that were checked.
    ///
    /// # Errors
    /// The one that was expected and the one that was found.
    pub(super) fn finish(self) -> Result<Digests, Mismatch> {
        let actual = self.hasher.finish();
        for (expected, found) in
            self.expected.iter().filter_map(|expected| Some((*expected, actual.get(expected.algorithm())?)))
        {
            if found != expected {
                return Err(Mismatch { expected, found });
            }
        }
        Ok(actual)
    }
}

/// The content is not what it is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content should have {expected}, it has {found}")]
pub(super) struct Mismatch {
    expected: Digest,
    found: Digest,
}

/// CRC-32C as it grows.
#[derive(Debug)]
pub(super) struct Crc32c(crc_fast::Digest);

impl Crc32c {
    pub(super) fn new() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn value(&self) -> u32 {
        low_half(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_published_values() {
        let known = [
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
        ];
        let digests: Digests = known.iter().map(|(kind, text)| Digest::from_hex(*kind, text).unwrap()).collect();
        let mut right = Verifier::new(&digests);
        right.update(b"12345");
        right.update(b"6789");
        assert_eq!(right.finish().unwrap(), digests);
        for digest in digests.iter() {
            let mut wrong = Verifier::new(&[*digest].into_iter().collect());
            wrong.update(b"12345678");
            assert!(wrong.finish().is_err(), "{digest}");
        }
    }
}
