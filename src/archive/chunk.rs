//! Cutting contents where the contents say so: what two files have in common is cut the same way in both.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bytes::Bytes;
use fastcdc::v2020::StreamCDC;
use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sterna_backends::{Chunks, Digest, Entry, Error, ErrorKind, Operation, ReadRequest, Result, Store};
use tokio::sync::mpsc;

use super::Content;

/// Objects below this size stay whole: 8 MiB. A piece is an object and a request of its own.
pub(super) const CUT_FROM: u64 = 8 * 1024 * 1024;

/// Bytes of a piece: at least, usually, at most. What is cut otherwise shares nothing with what lies there, so these are part
/// of the form of an archive.
const SIZES: (usize, usize, usize) = (256 * 1024, 1024 * 1024, 4 * 1024 * 1024);

/// Blocks that wait to be cut.
const AHEAD: usize = 4;

/// A file read while its blocks arrive.
struct Blocks {
    receiver: mpsc::Receiver<Result<Bytes>>,
    block: Bytes,
    failed: Option<Error>,
    sha256: Sha256,
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            match self.receiver.blocking_recv() {
                Some(Ok(block)) => self.block = block,
                Some(Err(error)) => {
                    self.failed = Some(error);
                    return Err(io::Error::other("the source failed"));
                }
                None => return Ok(0),
            }
        }
        let taken = self.block.split_to(self.block.len().min(buffer.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        self.sha256.update(&taken);
        Ok(taken.len())
    }
}

/// Reads an object once, adds its SHA-256 to `entry`, and tells its pieces with their sizes.
///
/// # Errors
/// `Changed` where it became another object meanwhile; else as [`Store::read`].
pub(super) async fn cut(store: &Arc<dyn Store>, entry: &mut Entry) -> Result<Vec<(Content, u64)>> {
    let request = ReadRequest { range: None, if_match: entry.etag.clone(), version: entry.version.clone() };
    let chunks = store.read(&entry.key, request).await?.body.chunks();
    let (whole, pieces) = pieces(chunks).await?;
    if store.capabilities().cheap_read {
        let now = store.stat(&entry.key, entry.version.as_ref()).await?;
        if (now.size, now.modified) != (entry.size, entry.modified) || entry.stamp.is_some() && now.stamp != entry.stamp
        {
            return Err(Error::new(ErrorKind::Changed, Operation::Read).of(store.name()).at(&entry.key));
        }
    }
    entry.digests.set(Digest::Sha256(whole.0));
    Ok(pieces)
}

async fn pieces(mut chunks: Chunks) -> Result<(Content, Vec<(Content, u64)>)> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let cutting = tokio::task::spawn_blocking(move || {
        let mut blocks = Blocks { receiver, block: Bytes::new(), failed: None, sha256: Sha256::new() };
        let mut pieces = Vec::new();
        let mut broken = None;
        let (least, usual, most) = SIZES;
        for piece in StreamCDC::new(&mut blocks, least, usual, most) {
            match piece {
                Ok(piece) => pieces.push((Content(Sha256::digest(&piece.data).into()), piece.length as u64)),
                Err(error) => {
                    broken = Some(Error::new(ErrorKind::Other, Operation::Read).because(error.to_string()));
                    break;
                }
            }
        }
        if let Some(error) = broken {
            return Err(blocks.failed.take().unwrap_or(error));
        }
        Ok((Content(blocks.sha256.finalize().into()), pieces))
    });
    loop {
        let block = chunks.try_next().await.transpose();
        let Some(block) = block else { break };
        let last = block.is_err();
        if sender.send(block).await.is_err() || last {
            break;
        }
    }
    drop(sender);
    cutting.await.map_err(|panic| Error::new(ErrorKind::Other, Operation::Read).because(panic))?
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use sterna_backends::Body;

    use super::*;

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.u8(..)).take(length).collect()
    }

    async fn of(bytes: Vec<u8>) -> (Content, Vec<(Content, u64)>) {
        pieces(Body::from(bytes).chunks()).await.unwrap()
    }

    #[tokio::test]
    async fn what_two_files_have_in_common_is_cut_the_same_way() {
        let common = noise(12_000_000, 1);
        let one = of([noise(1_000_000, 2), common.clone()].concat()).await;
        let other = of([noise(1_700_003, 3), common].concat()).await;
        assert_ne!(one.0, other.0);
        let shared: u64 = other.1.iter().filter(|piece| one.1.contains(piece)).map(|piece| piece.1).sum();
        assert!(shared > 7_000_000, "{shared} bytes are shared");
    }

    #[tokio::test]
    async fn the_pieces_are_the_whole_however_it_arrives() {
        let bytes = noise(9_000_001, 4);
        let whole = of(bytes.clone()).await;
        assert_eq!(whole.0, Content(Sha256::digest(&bytes).into()));
        let mut at = 0;
        for (content, size) in &whole.1 {
            let end = at + usize::try_from(*size).unwrap();
            assert_eq!(*content, Content(Sha256::digest(&bytes[at..end]).into()));
            at = end;
        }
        assert_eq!(at, bytes.len());
        let crumbs: Vec<_> = bytes.chunks(77_777).map(|crumb| Ok(Bytes::copy_from_slice(crumb))).collect();
        assert_eq!(pieces(stream::iter(crumbs).boxed()).await.unwrap(), whole);
    }

    #[tokio::test]
    async fn a_source_that_fails_is_no_end() {
        let broken = [Ok(Bytes::from(noise(5_000_000, 5))), Err(Error::new(ErrorKind::Denied, Operation::Read))];
        let error = pieces(stream::iter(broken).boxed()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
}
