//! Writing: a file as a whole, many pieces of it under way at once.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;

use super::{
    control::{Handle, Pending},
    facts::Facts,
    place::{Place, create, open_to_write},
    wire::{Request, kind},
};
use crate::{
    body::Body,
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    tree::Tree,
};

/// Bytes of one object that are under way at once: as much as `ssh` takes on its way (its channels have windows of 2 MiB).
const WINDOW: u64 = 2 * 1024 * 1024;

/// See [`Tree::write`](crate::tree::Tree::write).
///
/// # Errors
/// As there.
pub(super) async fn write(place: &Place, path: &str, request: &PutRequest, body: Body) -> Result<(Digests, Facts)> {
    let operation = Operation::Put;
    let lease = place.body(operation).await?;
    let handle = create(&lease.control, operation, path).await?;
    let sent = send(operation, &handle, 0, &request.digests, Algorithm::Sha256, body).await?;
    let stored = finished(place, operation, handle, request.modified, sent.len).await?;
    Ok((sent.digests, stored))
}

/// See [`Tree::write_at`](crate::tree::Tree::write_at).
///
/// # Errors
/// As there.
pub(super) async fn write_at(
    place: &Place,
    operation: Operation,
    path: &str,
    offset: u64,
    digests: &Digests,
    body: Body,
) -> Result<(u64, Digests)> {
    let lease = place.body(operation).await?;
    let handle = open_to_write(&lease.control, operation, path, 0).await?;
    let sent = send(operation, &handle, offset, digests, Algorithm::Crc32c, body).await?;
    if let Some(mut synced) = flush(place, &handle) {
        lease.control.wait(operation, &mut synced).await?.done(operation)?;
    }
    lease.control.wait(operation, &mut handle.start_close()).await?.done(operation)?;
    Ok((sent.len, sent.digests))
}

/// What was sent.
struct Sent {
    len: u64,
    digests: Digests,
}

/// Writes all of `body` from `offset` on, many pieces under way at once, and waits until the server has all. What was claimed
/// of it is computed, and one digest more.
///
/// # Errors
/// By code; what the body reports; `Integrity` where it is not what was said of it.
async fn send(
    operation: Operation,
    handle: &Handle,
    offset: u64,
    claimed: &Digests,
    more: Algorithm,
    body: Body,
) -> Result<Sent> {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.push(more);
    let (mut hasher, mut len) = (Hasher::new(&algorithms), 0);
    let mut under_way = UnderWay { handle, operation, bytes: 0, pieces: VecDeque::new() };
    let most = usize::try_from(handle.control.write_piece).unwrap_or(usize::MAX);
    let mut chunks = body.chunks();
    while let Some(mut chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
        while !chunk.is_empty() {
            let piece = chunk.split_to(most.min(chunk.len()));
            let bytes = piece.len() as u64;
            under_way.write(offset + len, piece).await?;
            len += bytes;
        }
    }
    under_way.settled(0).await?;
    let digests = hasher.finish();
    held(operation, claimed, &digests)?;
    Ok(Sent { len, digests })
}

/// Pieces that the server has not said it has.
struct UnderWay<'a> {
    handle: &'a Handle,
    operation: Operation,
    bytes: u64,
    pieces: VecDeque<(u64, Pending)>,
}

impl UnderWay<'_> {
    async fn write(&mut self, offset: u64, piece: Bytes) -> Result<()> {
        let len = piece.len() as u64;
        self.settled(WINDOW.saturating_sub(len)).await?;
        let request = self.handle.request(kind::WRITE).long(offset).data(piece);
        self.pieces.push_back((len, self.handle.control.start(request)));
        self.bytes += len;
        Ok(())
    }

    /// Waits until at most so many bytes are under way.
    async fn settled(&mut self, most: u64) -> Result<()> {
        while self.bytes > most {
            let Some((len, mut pending)) = self.pieces.pop_front() else { break };
            self.handle.control.wait(self.operation, &mut pending).await?.done(self.operation)?;
            self.bytes -= len;
        }
        Ok(())
    }
}

/// Has the server's disk take what was written, where it can.
fn flush(place: &Place, handle: &Handle) -> Option<Pending> {
    let request = || Request::extended("fsync@openssh.com").bytes(handle.name());
    place.flushes().then(|| handle.control.start(request()))
}

/// Sets the time of a file that is written, has the server's disk take it, looks at it and closes it.
///
/// # Errors
/// By code; `Integrity` where it is not of `len` bytes.
pub(super) async fn finished(
    place: &Place,
    operation: Operation,
    handle: Handle,
    modified: Option<Timestamp>,
    len: u64,
) -> Result<Facts> {
    let control = Arc::clone(&handle.control);
    let start = |request| control.start(request);
    let dated = modified.map(|time| start(handle.request(kind::FSETSTAT).facts(&Facts::of_time(time))));
    let synced = flush(place, &handle);
    let mut looked = start(handle.request(kind::FSTAT));
    let mut closing = handle.start_close();
    for mut step in [dated, synced].into_iter().flatten() {
        control.wait(operation, &mut step).await?.done(operation)?;
    }
    let stored = control.wait(operation, &mut looked).await?.facts(operation)?;
    control.wait(operation, &mut closing).await?.done(operation)?;
    if stored.size != Some(len) {
        let there = stored.size.map_or_else(|| "an unknown number".to_owned(), |size| size.to_string());
        let why = format!("{len} bytes were sent and {there} are there");
        return Err(Error::new(ErrorKind::Integrity, operation).because(why));
    }
    Ok(stored)
}
