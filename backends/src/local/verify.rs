//! Content checked against the digests it is known by, while it passes.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::entry::{Digest, Digests};

/// Computes the digests that are expected, and no others.
pub(super) struct Verifier {
    expected: Vec<(Digest, State)>,
}

enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Crc(crc_fast::Digest),
}

impl Verifier {
    /// Will check what can be computed from the bytes alone: all but [`Digest::Parts`].
    pub(super) fn new(expected: &Digests) -> Self {
        let state = |digest: &Digest| {
            let state = match digest {
                Digest::Md5(_) => State::Md5(Md5::new()),
                Digest::Sha1(_) => State::Sha1(Sha1::new()),
                Digest::Sha256(_) => State::Sha256(Sha256::new()),
                Digest::Crc32c(_) => State::Crc(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi)),
                Digest::Crc64Nvme(_) => State::Crc(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)),
                Digest::Parts { .. } => return None,
            };
            Some((*digest, state))
        };
        Self { expected: expected.iter().filter_map(state).collect() }
    }

    /// Whether there is nothing to check.
    pub(super) fn is_idle(&self) -> bool {
        self.expected.is_empty()
    }

    /// `bytes` come next.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for (_, state) in &mut self.expected {
            match state {
                State::Md5(state) => state.update(bytes),
                State::Sha1(state) => state.update(bytes),
                State::Sha256(state) => state.update(bytes),
                State::Crc(state) => state.update(bytes),
            }
        }
    }

    /// The digests that were checked.
    ///
    /// # Errors
    /// The one that was expected and the one that was found.
    pub(super) fn finish(self) -> Result<Digests, Mismatch> {
        self.expected
            .into_iter()
            .map(|(expected, state)| {
                let found = match state {
                    State::Md5(state) => Digest::Md5(state.finalize().into()),
                    State::Sha1(state) => Digest::Sha1(state.finalize().into()),
                    State::Sha256(state) => Digest::Sha256(state.finalize().into()),
                    State::Crc(state) if matches!(expected, Digest::Crc64Nvme(_)) => {
                        Digest::Crc64Nvme(state.finalize())
                    }
                    State::Crc(state) => Digest::Crc32c(low_half(state.finalize())),
                };
                if found == expected { Ok(found) } else { Err(Mismatch { expected, found }) }
            })
            .collect()
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

/// The CRC-32C of `bytes`.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    low_half(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes))
}

fn low_half(value: u64) -> u32 {
    u32::try_from(value).expect("a CRC-32 has 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Algorithm;

    #[test]
    fn knows_the_published_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
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
