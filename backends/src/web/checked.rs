//! Content checked against its length and digest while it passes.

use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::{
    digest::not_as_claimed,
    entry::{Algorithm, Digest, Digests},
    error::{Error, ErrorKind, Operation, Result},
};

/// An answer that ended early, or ran on.
pub(crate) fn cut_off(announced: u64, came: u64) -> Error {
    Error::new(ErrorKind::Unavailable, Operation::Read)
        .because(format!("{came} bytes came of the {announced} announced"))
}

/// A digest computed as bytes pass, and what it is to be.
pub(crate) enum Check {
    Sha256(Box<Sha256>, [u8; 32]),
    Sha1(Box<Sha1>, [u8; 20]),
    Md5(Box<Md5>, [u8; 16]),
}

impl Check {
    /// By SHA-256 where it is known, else by SHA-1, else by MD5.
    pub fn strongest(digests: &Digests) -> Option<Self> {
        [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5].into_iter().find_map(|kind| match digests.get(kind)? {
            Digest::Sha256(expected) => Some(Self::Sha256(Box::default(), expected)),
            Digest::Sha1(expected) => Some(Self::Sha1(Box::default(), expected)),
            Digest::Md5(expected) => Some(Self::Md5(Box::default(), expected)),
            _ => None,
        })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state, _) => state.update(bytes),
            Self::Sha1(state, _) => state.update(bytes),
            Self::Md5(state, _) => state.update(bytes),
        }
    }

    pub fn finish(self) -> Result<()> {
        let (kind, equal) = match self {
            Self::Sha256(state, expected) => (Algorithm::Sha256, <[u8; 32]>::from(state.finalize()) == expected),
            Self::Sha1(state, expected) => (Algorithm::Sha1, <[u8; 20]>::from(state.finalize()) == expected),
            Self::Md5(state, expected) => (Algorithm::Md5, <[u8; 16]>::from(state.finalize()) == expected),
        };
        if equal { Ok(()) } else { Err(not_as_claimed(Operation::Read, kind)) }
    }
}

/// Passes `chunks` on and ends in an error where they are not `len` bytes or not what `check` expects. The last
/// chunk is held back until its digest is proven, so that nobody takes a wrong whole for a right one.
pub(crate) fn checked(
    chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    len: u64,
    check: Option<Check>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    struct State<S> {
        chunks: S,
        left: u64,
        check: Option<Check>,
    }
    let state = State { chunks: Box::pin(chunks), left: len, check };
    stream::try_unfold(state, move |mut state| async move {
        let Some(chunk) = state.chunks.try_next().await? else {
            return if state.left == 0 { Ok(None) } else { Err(cut_off(len, len - state.left)) };
        };
        state.left = state.left.checked_sub(chunk.len() as u64).ok_or_else(|| cut_off(len, u64::MAX))?;
        if let Some(check) = &mut state.check {
            check.update(&chunk);
        }
        if state.left == 0
            && let Some(check) = state.check.take()
        {
            check.finish()?;
        }
        Ok(Some((chunk, state)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn drain(content: &'static [&'static [u8]], len: u64, digests: Digests) -> Result<usize> {
        let chunks = stream::iter(content.iter().map(|chunk| Ok(Bytes::from_static(chunk))));
        checked(chunks, len, Check::strongest(&digests))
            .try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) })
            .await
    }

    #[tokio::test]
    async fn bodies_are_checked_to_their_end() {
        let sha256 = |bytes: &[u8]| [Digest::Sha256(Sha256::digest(bytes).into())].into_iter().collect::<Digests>();
        let md5 = |bytes: &[u8]| [Digest::Md5(Md5::digest(bytes).into())].into_iter().collect::<Digests>();
        assert_eq!(drain(&[b"ab", b"c"], 3, sha256(b"abc")).await.unwrap(), 3);
        assert_eq!(drain(&[b"ab", b"c"], 3, md5(b"abc")).await.unwrap(), 3);
        assert_eq!(drain(&[b"ab", b"d"], 3, sha256(b"abc")).await.unwrap_err().kind(), ErrorKind::Integrity);
        assert_eq!(drain(&[b"ab", b"d"], 3, md5(b"abc")).await.unwrap_err().kind(), ErrorKind::Integrity);
        assert_eq!(drain(&[b"ab"], 3, Digests::new()).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(drain(&[b"abcd"], 3, Digests::new()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
