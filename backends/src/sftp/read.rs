//! The bytes of one object.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{
    control::{Handle, Pending},
    facts::Facts,
    place::{Place, open_to_read},
    pool::Lease,
    wire::{Reply, Request, kind},
};
use crate::{
    body::{Body, Chunks},
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    tree::{Facts as _, Tree},
};

/// Bytes of one object that are asked for at once: as much as `ssh` takes on its way (its channels have windows of 2 MiB).
const WINDOW: u64 = 2 * 1024 * 1024;

/// Facts that are an object's.
///
/// # Errors
/// `NotFound`, of directories and links, too.
fn object(operation: Operation, found: Option<Facts>) -> Result<Facts> {
    match found {
        Some(found) if found.what().may_be_file() => Ok(found),
        _ => Err(Error::new(ErrorKind::NotFound, operation)),
    }
}

/// A file that is open, and what it is: one that is replaced meanwhile stays the one that was opened.
///
/// # Errors
/// `NotFound`, of directories and links, too.
pub(super) async fn opened(lease: &Lease, operation: Operation, path: &str) -> Result<(Handle, Facts)> {
    let control = &lease.control;
    // Both travel at once: whether it is a link, which is not followed, and the file.
    let mut look = control.start(Request::new(kind::LSTAT).bytes(path.as_bytes()));
    let mut opening = control.start(open_to_read(path));
    let looked = control.wait(operation, &mut look).await?.facts_if_there(operation);
    let handle = control.wait(operation, &mut opening).await?.handle(operation);
    let handle = handle.map(|handle| Handle::new(control, handle));
    object(operation, looked?)?;
    let handle = handle?;
    let found = control.call(operation, handle.request(kind::FSTAT)).await?.facts(operation)?;
    Ok((handle, object(operation, Some(found))?))
}

/// A range, in pieces of which many are under way at once. When all has come, the file is looked at once more: one that
/// was written to meanwhile is not what it was.
///
/// # Errors
/// As the contract says of `read`.
pub(super) async fn read(place: &Place, key: &Key, path: &str, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    let lease = place.body(operation).await?;
    let (handle, facts) = opened(&lease, operation, path).await?;
    let entry = place.described(key.clone(), &facts);
    let size = entry.size.ok_or_else(|| Error::unsupported(operation, "the server does not tell sizes"))?;
    let asked = request.range.unwrap_or(0..size);
    let end = asked.end.min(size);
    let len = end.saturating_sub(asked.start);
    if len == 0 {
        return Ok(Reader { entry, body: Body::empty() });
    }
    let mut source =
        Source { handle, _lease: lease, facts, next: asked.start, end, asked: VecDeque::new(), last_look: None };
    source.ask();
    Ok(Reader { entry, body: Body::stream(Some(len), source.chunks()) })
}

/// An object on its way.
struct Source {
    handle: Handle,
    _lease: Lease,
    /// What it was when it was opened.
    facts: Facts,
    /// Where the next piece to ask for begins.
    next: u64,
    end: u64,
    asked: VecDeque<Piece>,
    last_look: Option<Pending>,
}

/// A piece that is under way.
struct Piece {
    start: u64,
    len: u64,
    pending: Pending,
}

impl Source {
    fn chunks(self) -> Chunks {
        stream::try_unfold(self, |mut source| async move { Ok(source.next().await?.map(|chunk| (chunk, source))) })
            .boxed()
    }

    fn piece(&self, start: u64, len: u64) -> Piece {
        let number = u32::try_from(len).expect("a piece is below 4 GiB");
        let pending = self.handle.control.start(self.handle.request(kind::READ).long(start).number(number));
        Piece { start, len, pending }
    }

    /// Asks for as much as may be under way, and behind the last of it for the facts.
    fn ask(&mut self) {
        let begun = self.asked.front().map_or(self.next, |piece| piece.start);
        while self.next < self.end && self.next - begun < WINDOW {
            let len = self.handle.control.read_piece.min(self.end - self.next);
            let piece = self.piece(self.next, len);
            self.asked.push_back(piece);
            self.next += len;
        }
        if self.next == self.end && self.last_look.is_none() {
            self.last_look = Some(self.handle.control.start(self.handle.request(kind::FSTAT)));
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let operation = Operation::Read;
        let Some(mut piece) = self.asked.pop_front() else { return self.is_the_same().await.map(|()| None) };
        let control = Arc::clone(&self.handle.control);
        let Some(reply) = control.wait(operation, &mut piece.pending).await?.until_end(operation)? else {
            return Err(changed("it is shorter now"));
        };
        let Reply::Data(bytes) = reply else { return Err(reply.unexpected(operation)) };
        let len = bytes.len() as u64;
        if len == 0 || len > piece.len {
            let why = format!("{} bytes were asked for and {len} came", piece.len);
            return Err(Error::new(ErrorKind::Integrity, operation).because(why));
        }
        if len < piece.len {
            // A server may give less than was asked for, and wants to be asked again.
            let rest = self.piece(piece.start + len, piece.len - len);
            self.asked.push_front(rest);
        }
        self.ask();
        Ok(Some(bytes))
    }

    async fn is_the_same(&mut self) -> Result<()> {
        let Some(mut last_look) = self.last_look.take() else { return Ok(()) };
        let operation = Operation::Read;
        let now = self.handle.control.wait(operation, &mut last_look).await?.facts(operation)?;
        if (now.size, now.modified) == (self.facts.size, self.facts.modified) {
            Ok(())
        } else {
            Err(changed("it was written to meanwhile"))
        }
    }
}

/// What came is not what was looked at before. A further try reads the object anew.
fn changed(how: &str) -> Error {
    Error::new(ErrorKind::Changed, Operation::Read).retryable(true).because(how.to_owned())
}
