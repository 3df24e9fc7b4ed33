//! Digests of a file that must be known before its first byte is sent.

use std::{fs::File, io, sync::Arc};

use sterna_backends::{Algorithm, Digests, Error, ErrorKind, Operation, Result, body::each_block};

use crate::index::Hasher;

/// What one pass over a file tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Prehash {
    /// Of the whole.
    pub whole: Digests,
    /// Of each part, in order.
    pub parts: Vec<Digests>,
}

/// Reads `file` once, on a blocking thread, for the digests `whole` of its first `size` bytes and `per_part` of each
/// `part_size` of them.
pub(super) async fn prehash(
    file: Arc<File>,
    size: u64,
    whole: Vec<Algorithm>,
    part_size: u64,
    per_part: Vec<Algorithm>,
) -> Result<Prehash> {
    tokio::task::spawn_blocking(move || pass(&file, size, &whole, part_size, &per_part))
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
