//! Digests of a file that must be known before its first byte is sent.

use std::{fs::File, io, sync::Arc};

use futures::future::try_join_all;
use sterna_backends::{Algorithm, Digests, Error, ErrorKind, Operation, Result, body::each_block};

use crate::index::Hasher;

/// From this size several digests of a file are computed side by side.
const SIDE_BY_SIDE: u64 = 1024 * 1024;

/// What one pass over a file tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Prehash {
    /// Of the whole.
    pub whole: Digests,
    /// Of each part, in order.
    pub parts: Vec<Digests>,
}

/// Reads `file`, on blocking threads, for the digests `whole` of its first `size` bytes and `per_part` of each
/// `part_size` of them. A large file is read once for each digest of the whole, side by side: that takes as long as the
/// slowest of them.
pub(super) async fn prehash(
    file: Arc<File>,
    size: u64,
    whole: Vec<Algorithm>,
    part_size: u64,
    per_part: Vec<Algorithm>,
) -> Result<Prehash> {
    if size < SIDE_BY_SIDE || whole.len() < 2 {
        return passed(file, size, whole, (part_size, per_part)).await;
    }
    let passes = whole.into_iter().enumerate().map(|(at, kind)| {
        let parts = if at == 0 { per_part.clone() } else { Vec::new() };
        passed(Arc::clone(&file), size, vec![kind], (part_size, parts))
    });
    let mut known = Prehash::default();
    for pass in try_join_all(passes).await? {
        known.whole.extend(pass.whole);
        known.parts.extend(pass.parts);
    }
    Ok(known)
}

async fn passed(file: Arc<File>, size: u64, whole: Vec<Algorithm>, parts: (u64, Vec<Algorithm>)) -> Result<Prehash> {
    tokio::task::spawn_blocking(move || pass(&file, size, &whole, parts.0, &parts.1))
        .await
        .map_err(|panic| Error::new(ErrorKind::Other, Operation::Read).because(panic))?
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::new(ErrorKind::Changed, Operation::Read).because("the file has become shorter")
            }
            _ => Error::io(Operation::Read, error),
        })
}

fn pass(file: &File, size: u64, whole: &[Algorithm], part_size: u64, per_part: &[Algorithm]) -> io::Result<Prehash> {
    let mut hasher = Hasher::new(whole);
    let mut parts = Vec::new();
    let mut start = 0;
    while start < size {
        let len = part_size.min(size - start);
        let mut part = Hasher::new(per_part);
        each_block(file, start, len, |block| {
            hasher.update(block);
            part.update(block);
        })?;
        if !per_part.is_empty() {
            parts.push(part.finish());
        }
        start += len;
    }
    Ok(Prehash { whole: hasher.finish(), parts })
}
