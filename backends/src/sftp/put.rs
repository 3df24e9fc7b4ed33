//! Writing: under a temporary name, looked at, and renamed.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;

use super::{
    control::{Handle, Pending},
    facts::{Facts, What},
    place::{Place, Shared, create, look, remove, rename},
    pool::Lease,
    reply::Refused,
    wire::{Fields, Reply, Request, kind},
};
use crate::{
    body::Body,
    digest::{Hasher, held},
    directories::{above, ensure},
    entry::{Algorithm, Digest, Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    unfinished::{Draft, Removes, content_name},
    web::patience::persistently,
};

/// Bytes of one object that are under way at once: as much as `ssh` takes on its way (its channels have windows of 2 MiB).
const WINDOW: u64 = 2 * 1024 * 1024;

/// # Errors
/// As the contract says of `put`.
pub(super) async fn put(place: &Shared, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    let operation = Operation::Put;
    let body = body.sized(request.size)?;
    let path = prepared(place, operation, key, &request).await?;
    let draft = Draft::beside(place, &path);
    let written = async {
        let lease = place.body(operation).await?;
        let handle = create(&lease.control, operation, &draft.path).await?;
        let sent = send(operation, &handle, 0, &request.digests, body).await?;
        let stored = finished(place, operation, handle, request.modified, sent.len).await?;
        // Nobody outside can repeat what follows without sending all of it again.
        persistently(|| settle(place, operation, &draft.path, &path, &stored)).await?;
        let mut entry = place.described(key.clone(), &stored);
        sent.digests.iter().for_each(|digest| entry.digests.set(*digest));
        Ok(entry)
    };
    let written = written.await;
    draft.done(&written).await;
    match written {
        Err(error) if Refused::of(&error).is_some() => Err(explained(place, &path, error).await),
        written => written,
    }
}

/// Where an object is to lie, its directory made.
///
/// # Errors
/// `Exists` and `Precondition` where a condition does not hold; `Exists` where a directory has that name, or an object or
/// a link that of one above; `Unsupported` for a key that no path is.
pub(super) async fn prepared(place: &Shared, operation: Operation, key: &Key, request: &PutRequest) -> Result<String> {
    place.accepts(operation, key)?;
    let path = place.path(key);
    if place.directories.knows(&path) {
        return Err(Error::new(ErrorKind::Exists, operation).because("a directory has that name"));
    }
    if request.if_match.is_some() {
        return Err(Error::new(ErrorKind::Precondition, operation).because("objects have no tags here"));
    }
    if request.if_absent {
        let lease = place.call(operation).await?;
        if look(&lease.control, operation, &path).await?.is_some() {
            return Err(Error::new(ErrorKind::Exists, operation));
        }
    }
    place.sweep().await;
    ensure(&**place, operation, above(&path)).await?;
    Ok(path)
}

/// What was sent.
pub(super) struct Sent {
    pub len: u64,
    pub digests: Digests,
}

/// Writes all of `body` from `offset` on, many pieces under way at once, and waits until the server has all.
///
/// # Errors
/// By code; what the body reports; `Integrity` where it is not what was said of it.
pub(super) async fn send(
    operation: Operation,
    handle: &Handle,
    offset: u64,
    claimed: &Digests,
    body: Body,
) -> Result<Sent> {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.push(Algorithm::Sha256);
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
    let synced = (place.fsync && control.abilities.fsync)
        .then(|| start(Request::extended("fsync@openssh.com").bytes(handle.name())));
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

/// Gives a draft its name, over what is there. A rename whose answer was lost is seen by its result.
///
/// # Errors
/// By code.
pub(super) async fn settle(place: &Place, operation: Operation, draft: &str, path: &str, stored: &Facts) -> Result<()> {
    let lease = place.call(operation).await?;
    let control = &lease.control;
    let refused = match rename(control, operation, draft, path).await {
        Ok(()) => return Ok(()),
        Err(error) if Refused::of(&error).is_none() => return Err(error),
        Err(error) => error,
    };
    let there = look(control, operation, path).await?;
    if look(control, operation, draft).await?.is_none() {
        return if there.as_ref() == Some(stored) { Ok(()) } else { Err(refused) };
    }
    match there {
        Some(found) if found.what() == What::File && !control.abilities.posix_rename => {
            replace(&lease, operation, draft, path).await
        }
        _ => Err(refused),
    }
}

/// Of servers that rename over nothing: what is there steps aside, and back if that was not the reason. For a moment
/// nothing lies there; never half of something.
async fn replace(lease: &Lease, operation: Operation, draft: &str, path: &str) -> Result<()> {
    let control = &lease.control;
    let name = &path[path.rfind('/').map_or(0, |at| at + 1)..];
    let aside = format!("{}/{}", above(path), content_name(name));
    rename(control, operation, path, &aside).await?;
    if let Err(error) = rename(control, operation, draft, path).await {
        rename(control, operation, &aside, path).await?;
        return Err(error);
    }
    let _hidden_and_swept = remove(control, operation, &aside).await;
    Ok(())
}

/// Why a write was refused, where what lies there explains it: a status hardly says.
pub(super) async fn explained(place: &Place, path: &str, error: Error) -> Error {
    let operation = error.operation();
    let looked = async {
        let lease = place.call(operation).await?;
        let control = &lease.control;
        if look(control, operation, path).await?.is_some_and(|found| found.what() == What::Directory) {
            return Ok(Some(Error::new(ErrorKind::Exists, operation).because("a directory has that name")));
        }
        let mut directory = above(path);
        let mut missing = false;
        while directory.len() > place.root.len() {
            match look(control, operation, directory).await? {
                Some(found) if found.what() == What::Directory => break,
                Some(_) => {
                    let why = format!("'{directory}' is no directory");
                    return Ok(Some(Error::new(ErrorKind::Exists, operation).because(why)));
                }
                None => missing = true,
            }
            directory = above(directory);
        }
        if missing {
            // Somebody removed it; it is made again when this is tried again.
            place.directories.forget(above(path));
            return Ok(Some(Error::new(ErrorKind::Unavailable, operation).because("its directory is gone")));
        }
        if lease.control.abilities.statvfs && is_full(&lease, operation, directory).await? {
            return Ok(Some(Error::new(ErrorKind::Full, operation).because("the server's disk is full")));
        }
        Ok::<_, Error>(None)
    };
    looked.await.ok().flatten().unwrap_or(error)
}

/// Whether the disk under `path` has no block left for us (`statvfs@openssh.com`: of eleven numbers the fifth).
async fn is_full(lease: &Lease, operation: Operation, path: &str) -> Result<bool> {
    let request = Request::extended("statvfs@openssh.com").bytes(path.as_bytes());
    let Reply::Extended(mut fields) = lease.control.call(operation, request).await? else { return Ok(false) };
    let free = |fields: &mut Fields| {
        for _size_and_totals in 0..4 {
            fields.long()?;
        }
        fields.long()
    };
    Ok(free(&mut fields) == Some(0))
}

impl Removes for Place {
    async fn discard(&self, path: &str) {
        let removed = || async {
            let lease = self.call(Operation::Put).await?;
            match remove(&lease.control, Operation::Put, path).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed,
            }
        };
        let _best_effort = persistently(removed).await;
    }
}
