//! Putting: bytes in memory in one go, everything else chunk by chunk while the next chunks arrive.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::task::JoinHandle;

use super::{
    draft::{Draft, Finish, dress},
    names::is_gone,
    read::absent,
    system::{FileKind, is_link_in_way},
    thread::{blocking, briefly},
    tree::{Place, Tree},
    verify::Verifier,
};
use crate::{
    body::{Body, Chunks},
    entry::{Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
};

/// Chunks are gathered to so many bytes before a thread is asked to write them.
const BATCH: usize = 512 * 1024;

/// Up to so many bytes a write or a copy is short work.
pub(super) const SHORT: u64 = 1 << 20;

/// What a kept link may say, in bytes: `PATH_MAX` of Linux.
const LONGEST_LINK: usize = 4096;

/// Writes one object.
pub(super) async fn put(tree: &Arc<Tree>, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    let operation = Operation::Put;
    refuse_etag(tree, operation, key, &request)?;
    let place = tree.place(key, operation)?;
    let (tree, key) = (Arc::clone(tree), key.clone());
    if place.link {
        let text = body.collect().await?;
        return blocking(operation, move || put_link(&tree, &key, &place, &request, &text)).await;
    }
    if let Some(bytes) = body.as_bytes() {
        let bytes = bytes.clone();
        body.taps().iter().for_each(|tap| tap.pass(bytes.len() as u64));
        let short = bytes.len() as u64 <= SHORT && !tree.durable.always();
        let work = move || put_bytes(&tree, &key, &place, &request, &bytes);
        return if short { briefly(operation, work).await } else { blocking(operation, work).await };
    }
    // Boxed, or every small file would carry the room of a large one.
    Box::pin(put_stream(tree, key, place, request, body)).await
}

/// There are no `ETag`s here to hold a condition against.
pub(super) fn refuse_etag(tree: &Tree, operation: Operation, key: &Key, request: &PutRequest) -> Result<()> {
    match request.if_match {
        Some(_) => Err(Error::unsupported(operation, "files have no ETag").of(&tree.name).at(key)),
        None => Ok(()),
    }
}

/// What a request wants of the file beside its bytes.
pub(super) fn finish_of(tree: &Tree, request: &PutRequest) -> Finish {
    Finish { modified: request.modified, mode: tree.mode_of(&request.metadata), if_absent: request.if_absent }
}

/// An error where the size is not the one announced.
pub(super) fn check_size(tree: &Tree, key: &Key, request: &PutRequest, size: u64) -> Result<()> {
    match request.size {
        Some(announced) if announced != size => Err(Error::new(ErrorKind::Integrity, Operation::Put)
            .because(format!("{size} bytes came instead of {announced}"))
            .of(&tree.name)
            .at(key)),
        _ => Ok(()),
    }
}

fn put_bytes(tree: &Arc<Tree>, key: &Key, place: &Place, request: &PutRequest, bytes: &Bytes) -> Result<Entry> {
    check_size(tree, key, request, bytes.len() as u64)?;
    let mut verifier = Verifier::new(&request.digests);
    verifier.update(bytes);
    let digests = verified(tree, Operation::Put, key, verifier)?;
    let facts = (|| {
        let mut draft = Draft::new(tree, &place.path, Some(bytes.len() as u64))?;
        draft.write(bytes)?;
        draft.finish(&place.path, finish_of(tree, request))
    })();
    let facts = facts.map_err(|error| tree.not_written(Operation::Put, key, error))?;
    Ok(Entry { digests, ..tree.entry(key.clone(), &facts) })
}

/// The digests that were checked, or `Integrity`.
pub(super) fn verified(tree: &Tree, operation: Operation, key: &Key, verifier: Verifier) -> Result<Digests> {
    verifier
        .finish()
        .map_err(|mismatch| Error::new(ErrorKind::Integrity, operation).because(mismatch).of(&tree.name).at(key))
}

/// A draft and what is checked while it grows.
struct Stream {
    draft: Draft,
    verifier: Verifier,
    size: u64,
}

impl Stream {
    fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.verifier.update(chunk);
            self.draft.write(chunk)?;
            self.size += chunk.len() as u64;
        }
        Ok(())
    }
}

async fn put_stream(tree: Arc<Tree>, key: Key, place: Place, request: PutRequest, body: Body) -> Result<Entry> {
    let operation = Operation::Put;
    let size = body.len().or(request.size);
    let place = Arc::new(place);
    let stream = {
        let (tree, key, place, verifier) =
            (Arc::clone(&tree), key.clone(), Arc::clone(&place), Verifier::new(&request.digests));
        blocking(operation, move || {
            let draft = Draft::new(&tree, &place.path, size);
            let draft = draft.map_err(|error| tree.not_written(operation, &key, error))?;
            Ok(Stream { draft, verifier, size: 0 })
        })
        .await?
    };
    let stream = fill(&tree, &key, stream, body.chunks()).await?;
    blocking(operation, move || {
        check_size(&tree, &key, &request, stream.size)?;
        let digests = verified(&tree, operation, &key, stream.verifier)?;
        let facts = stream.draft.finish(&place.path, finish_of(&tree, &request));
        let facts = facts.map_err(|error| tree.not_written(operation, &key, error))?;
        Ok(Entry { digests, ..tree.entry(key, &facts) })
    })
    .await
}

/// Writes while the next chunks arrive. Whatever fails, the draft is gone when this returns.
async fn fill(tree: &Arc<Tree>, key: &Key, stream: Stream, mut chunks: Chunks) -> Result<Stream> {
    let mut idle = Some(stream);
    let mut busy: Option<JoinHandle<Result<Stream>>> = None;
    loop {
        let batch = gather(&mut chunks).await;
        let stream = match (busy.take(), idle.take()) {
            (Some(writing), _) => writing
                .await
                .map_err(|panic| Error::new(ErrorKind::Other, Operation::Put).because(panic))
                .and_then(std::convert::identity),
            (None, Some(stream)) => Ok(stream),
            (None, None) => unreachable!("the stream is either being written or waits"),
        };
        let (batch, mut stream) = match (batch, stream) {
            (Ok(batch), Ok(stream)) => (batch, stream),
            // What stopped the source says more than what it did to the draft; its file goes on a thread that
            // may wait for the disk.
            (Err(error), stream) => {
                blocking(Operation::Put, move || {
                    drop(stream);
                    Ok(())
                })
                .await?;
                return Err(error);
            }
            (Ok(_), Err(error)) => return Err(error),
        };
        if batch.is_empty() {
            return Ok(stream);
        }
        let (tree, key) = (Arc::clone(tree), key.clone());
        busy = Some(tokio::task::spawn_blocking(move || {
            stream.write(&batch).map_err(|error| tree.not_written(Operation::Put, &key, error))?;
            Ok(stream)
        }));
    }
}

/// The next chunks, at least [`BATCH`] bytes of them; none at the end.
pub(super) async fn gather(chunks: &mut Chunks) -> Result<Vec<Bytes>> {
    let (mut batch, mut size) = (Vec::new(), 0);
    while size < BATCH {
        let Some(chunk) = chunks.try_next().await? else { break };
        if !chunk.is_empty() {
            size += chunk.len();
            batch.push(chunk);
        }
    }
    Ok(batch)
}

/// Makes the link that `text` says, in place of what has its name.
fn put_link(tree: &Arc<Tree>, key: &Key, place: &Place, request: &PutRequest, text: &[u8]) -> Result<Entry> {
    let operation = Operation::Put;
    if text.is_empty() || text.len() > LONGEST_LINK || text.contains(&0) {
        return Err(Error::unsupported(operation, "no symbolic link can say that").of(&tree.name).at(key));
    }
    let name = crate::unfinished::content_name(place.path.name());
    let made = tree.in_directory_of(&place.path, |directory| {
        directory.make_link(&name, text)?;
        let named = directory.rename(&name, place.path.name(), !request.if_absent);
        if named.is_err() {
            let _ = directory.remove_file(&name);
        }
        named?;
        tree.durable.after_name(directory, 0)?;
        directory.facts(place.path.name(), false)
    });
    let facts = made.map_err(|error| tree.not_written(operation, key, error))?;
    Ok(tree.entry(key.clone(), &facts))
}

/// Sets time and bits of a file that is there.
pub(super) fn set_metadata(tree: &Arc<Tree>, key: &Key, request: &PutRequest) -> Result<()> {
    let operation = Operation::SetMetadata;
    refuse_etag(tree, operation, key, request)?;
    let place = tree.place(key, operation).map_err(|_| absent(tree, operation, key))?;
    if place.link {
        return Err(Error::unsupported(operation, "a symbolic link keeps its time").of(&tree.name).at(key));
    }
    let set = (|| {
        let root = tree.open()?;
        let file = root.open_file(place.path.as_str(), false)?;
        let facts = super::system::facts_of(&file)?;
        if facts.kind != FileKind::File {
            return Err(io::ErrorKind::NotFound.into());
        }
        // The time of one name would be that of all.
        let alone = facts.links < 2;
        if alone {
            dress(&file, finish_of(tree, request))?;
        }
        Ok(alone)
    })();
    let alone = set.map_err(|error| {
        if is_gone(&error) || is_link_in_way(&error) {
            return absent(tree, operation, key);
        }
        Error::io(operation, error).of(&tree.name).at(key)
    })?;
    if alone { Ok(()) } else { super::copy::part_from_other_names(tree, key, &place, request) }
}
