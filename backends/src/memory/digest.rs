//! Digests of bytes that lie in memory.

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::entry::{Algorithm, Digest, Digests};

/// The digest of `bytes`; `None` for [`Algorithm::Parts`], which takes more than the bytes.
pub(crate) fn of(algorithm: Algorithm, bytes: &[u8]) -> Option<Digest> {
    use crc_fast::{CrcAlgorithm, checksum};
    Some(match algorithm {
        Algorithm::Md5 => Digest::Md5(Md5::digest(bytes).into()),
        Algorithm::Sha1 => Digest::Sha1(Sha1::digest(bytes).into()),
        Algorithm::Sha256 => Digest::Sha256(Sha256::digest(bytes).into()),
        Algorithm::Crc32c => {
            let crc = checksum(CrcAlgorithm::Crc32Iscsi, bytes);
            Digest::Crc32c(u32::try_from(crc).expect("a CRC-32 has 32 bits"))
        }
        Algorithm::Crc64Nvme => Digest::Crc64Nvme(checksum(CrcAlgorithm::Crc64Nvme, bytes)),
        Algorithm::Parts => return None,
    })
}

/// The MD5 of `bytes`.
pub(super) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// The first of `claimed` that `bytes` contradict. A digest of parts is not judged.
pub(super) fn contradicted(claimed: &Digests, bytes: &[u8]) -> Option<Digest> {
    claimed.iter().copied().find(|claim| of(claim.algorithm(), bytes).is_some_and(|actual| actual != *claim))
}
