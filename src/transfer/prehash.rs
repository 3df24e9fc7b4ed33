//! Digests of a file that must be known before its first byte is sent.

use std::{fs::File, io, sync::Arc};

use sterna_backends::{
    Algorithm, Digests, Error, ErrorKind, Operation, Result,
    body::{each_block, unread},
};

use crate::index::Hasher;

/// What one pass over a file tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Prehash {
    /// Of the whole.
    pub whole: Digests,
    /// Of each part, in order.
    pub parts: Vec<Digests>,
}

/// Reads `file` once, on blocking threads, for the digests `whole` of its first `size` bytes and `per_part` of each
/// `part_size` of them. Dropped, it stops at the end of a part.
pub(super) async fn prehash(
    file: Arc<File>,
    size: u64,
    whole: Vec<Algorithm>,
    part_size: u64,
    per_part: Vec<Algorithm>,
) -> Result<Prehash> {
    let mut pass = Pass { file, hasher: Hasher::new(&whole), per_part, parts: Vec::new() };
    let mut start = 0;
    while start < size {
        let len = part_size.min(size - start);
        pass = tokio::task::spawn_blocking(move || pass.part(start, len))
            .await
            .map_err(|panic| Error::new(ErrorKind::Other, Operation::Read).because(panic))?
            .map_err(unread)?;
        start += len;
    }
    Ok(Prehash { whole: pass.hasher.finish(), parts: pass.parts })
}

/// A file that has been read so far.
struct Pass {
    file: Arc<File>,
    hasher: Hasher,
    per_part: Vec<Algorithm>,
    parts: Vec<Digests>,
}

impl Pass {
    /// Reads on: `len` bytes from `start`.
    fn part(mut self, start: u64, len: u64) -> io::Result<Self> {
        let mut part = Hasher::new(&self.per_part);
        each_block(&self.file, start, len, |block| {
            self.hasher.update(block);
            part.update(block);
        })?;
        if !self.per_part.is_empty() {
            self.parts.push(part.finish());
        }
        Ok(self)
    }
}
