//! Questions about one object, answered by its store.

use std::{
    fs::File,
    io,
    num::NonZero,
    ops::Range,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use futures::TryStreamExt;
use sha2::Digest as _;
use sterna_backends::{
    Algorithm, Body, Chunks, Digest, Digests, Entry, Error, ErrorKind, Operation, ReadRequest, Result, Store,
    body::{each_block, read_exact_at, unread},
    digest::Hasher,
};
use tokio::sync::Semaphore;

use super::{
    Shelf,
    cuts::{Cuts, part_sizes},
};

/// What is computed of every content that passes, for the index: what the stores of this world know contents by.
pub const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5];

/// Adds to `entry` what a stat of it tells and the listing did not: size, time, digests, metadata.
///
/// # Errors
/// `Changed` where the object is no longer the one listed; else as [`Store::stat`].
pub async fn learn(store: &Arc<dyn Store>, entry: &mut Entry) -> Result<()> {
    let learnt = store.stat(&entry.key, entry.version.as_ref()).await?;
    if entry.etag.is_some() && learnt.etag.is_some() && entry.etag != learnt.etag {
        return Err(Error::new(ErrorKind::Changed, Operation::Stat).of(store.name()).at(&entry.key));
    }
    entry.size = learnt.size.or(entry.size);
    entry.modified = learnt.modified.or(entry.modified);
    learnt.digests.into_iter().for_each(|digest| entry.digests.add(digest));
    entry.metadata = Some(learnt.metadata.unwrap_or_default());
    Ok(())
}

/// Reads the object's bytes and adds the digest asked for; with a `shelf` all that it remembers, and has it remember them.
///
/// # Errors
/// As [`Store::read`]; `Changed` where it became another object meanwhile.
pub async fn digest(
    store: &Arc<dyn Store>,
    shelf: Option<&Shelf>,
    entry: &mut Entry,
    algorithm: Algorithm,
) -> Result<()> {
    let all = if shelf.is_some() { &ALL[..] } else { &[] };
    let more = all.iter().filter(|kind| **kind != algorithm && entry.digests.get(**kind).is_none());
    let wanted: Vec<Algorithm> = [algorithm].iter().chain(more).copied().collect();
    digests(store, entry, &wanted).await?;
    if let Some(shelf) = shelf {
        shelf.remember(entry, &entry.digests);
    }
    Ok(())
}

/// Reads the object's bytes and adds these digests.
///
/// # Errors
/// As [`Store::read`]; `Changed` where it became another object meanwhile.
pub async fn digests(store: &Arc<dyn Store>, entry: &mut Entry, wanted: &[Algorithm]) -> Result<()> {
    let body = unchanged(store, entry).await?;
    // Bytes in memory were whole when the store handed them out; what is read only now may have changed meanwhile.
    let in_memory = body.as_bytes().is_some();
    let digests = match (body.as_bytes(), body.as_file()) {
        (Some(bytes), _) => of_bytes(bytes, wanted),
        (_, Some((file, offset, len))) => of_file(file, offset..offset + len, wanted).await?,
        _ => of_chunks(body.chunks(), wanted).await?,
    };
    if !in_memory && store.capabilities().cheap_read {
        same_version(store, entry, &store.stat(&entry.key, entry.version.as_ref()).await?)?;
    }
    digests.into_iter().for_each(|digest| entry.digests.add(digest));
    Ok(())
}

/// Reads the object's bytes and adds the digest of parts that `other` has, if they are cut in one of the ways in which
/// clients cut them; else that of another cut, which proves nothing. From the same reading come the digests of the whole: all
/// that a `shelf` remembers, else SHA-256, so that nothing is read again where the cut was another.
///
/// # Errors
/// As [`digest`].
pub async fn parts(store: &Arc<dyn Store>, shelf: Option<&Shelf>, entry: &mut Entry, other: &Entry) -> Result<()> {
    let body = unchanged(store, entry).await?;
    let (size, count) = match (entry.size, other.digests.get(Algorithm::Parts)) {
        (Some(size), Some(Digest::Parts { parts, .. })) => (size, parts),
        _ => return Ok(()),
    };
    let mut whole = Hasher::new(if shelf.is_some() { &ALL[..] } else { &[Algorithm::Sha256] });
    let (mut chunks, mut cuts) = (body.chunks(), Cuts::new(&part_sizes(size, count)));
    while let Some(chunk) = chunks.try_next().await? {
        (whole, cuts) = blocking(move || {
            whole.update(&chunk);
            cuts.update(&chunk);
            (whole, cuts)
        })
        .await?;
    }
    if store.capabilities().cheap_read {
        same_version(store, entry, &store.stat(&entry.key, entry.version.as_ref()).await?)?;
    }
    whole.finish().into_iter().for_each(|digest| entry.digests.add(digest));
    if let Some(shelf) = shelf {
        shelf.remember(entry, &entry.digests);
    }
    // In which parts somebody else has it is no fact about this object, to be remembered of it.
    let found = cuts.finish();
    let same = found.iter().find(|digest| other.digests.get(Algorithm::Parts).as_ref() == Some(digest));
    if let Some(digest) = same.or(found.first()) {
        entry.digests.add(*digest);
    }
    Ok(())
}

/// The bytes of `entry`, if it is still what it was.
async fn unchanged(store: &Arc<dyn Store>, entry: &Entry) -> Result<Body> {
    let request = ReadRequest { range: None, if_match: entry.etag.clone(), version: entry.version.clone() };
    let reader = store.read(&entry.key, request).await?;
    same_version(store, entry, &reader.entry)?;
    Ok(reader.body)
}

/// That `now` is still what `entry` was, as far as both tell.
fn same_version(store: &Arc<dyn Store>, entry: &Entry, now: &Entry) -> Result<()> {
    let times = entry.modified.is_none() || now.modified.is_none() || entry.modified == now.modified;
    let stamps = entry.stamp.is_none() || now.stamp.is_none() || entry.stamp == now.stamp;
    if times && stamps {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Changed, Operation::Read).of(store.name()).at(&entry.key))
    }
}

/// Digests of bytes in memory, computed at once; for small contents.
#[must_use]
pub fn of_bytes(bytes: &[u8], algorithms: &[Algorithm]) -> Digests {
    let mut hasher = Hasher::new(algorithms);
    hasher.update(bytes);
    hasher.finish()
}

/// Bytes of a file after which its reading can be stopped.
const STRETCH: u64 = 16 * 1024 * 1024;

/// Bytes of a file that two threads hand to one another, and from how many on there are two: below, waking one costs more.
const STEP: u64 = 2 * 1024 * 1024;

/// Threads that may compute digests of files at once without waiting for one another.
static HANDS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get)));

/// Digests of a range of `file`, read and computed on blocking threads: on two where MD5 is wanted and a processor is free,
/// else on one at a time. Dropped, it stops within 16 MiB.
///
/// # Errors
/// `Changed` where the file has become shorter; what the system says.
pub async fn of_file(file: &Arc<File>, range: Range<u64>, algorithms: &[Algorithm]) -> Result<Digests> {
    // Of files beyond the processors each has one thread.
    let _hand = HANDS.try_acquire();
    let wants = |kind| algorithms.contains(&kind);
    if wants(Algorithm::Md5)
        && wants(Algorithm::Sha256)
        && range.end.saturating_sub(range.start) > STEP
        && let Ok(_other) = HANDS.try_acquire()
    {
        return side_by_side(file, range, algorithms).await;
    }
    let (mut hasher, mut at) = (Hasher::new(algorithms), range.start);
    while at < range.end {
        let (file, len) = (Arc::clone(file), STRETCH.min(range.end - at));
        let read = move || each_block(&file, at, len, |block| hasher.update(block)).map(|()| hasher);
        hasher = blocking(read).await?.map_err(unread)?;
        at += len;
    }
    Ok(hasher.finish())
}

/// MD5, which has no instructions of its own and takes three times as long as the others, on one thread, with SHA-1 in its
/// turns; the rest on another, which reads ahead. Which costs what stands in `docs/benchmarks.md`.
async fn side_by_side(file: &Arc<File>, range: Range<u64>, algorithms: &[Algorithm]) -> Result<Digests> {
    let (slow, rest): (Vec<_>, Vec<_>) =
        algorithms.iter().partition(|kind| matches!(kind, Algorithm::Md5 | Algorithm::Sha1));
    let (mut slow, mut rest) = (Hasher::new(&slow), Hasher::new(&rest));
    let (mut at, mut block) = (range.start, Bytes::new());
    while at < range.end || !block.is_empty() {
        let (file, want) = (Arc::clone(file), STEP.min(range.end - at));
        let ahead = blocking(move || {
            let next = read_exact_at(&file, at, usize::try_from(want).expect("a step is small"))?;
            rest.update(&next);
            io::Result::Ok((rest, next))
        });
        let behind = blocking(move || {
            slow.update(&block);
            slow
        });
        let (read, updated) = futures::try_join!(ahead, behind)?;
        ((rest, block), slow) = (read.map_err(unread)?, updated);
        at += want;
    }
    Ok(slow.finish().iter().chain(rest.finish().iter()).copied().collect())
}

/// Digests of a stream, computed on blocking threads while it is read.
///
/// # Errors
/// What the stream reports.
pub async fn of_chunks(mut chunks: Chunks, algorithms: &[Algorithm]) -> Result<Digests> {
    let mut hasher = Hasher::new(algorithms);
    while let Some(chunk) = chunks.try_next().await? {
        hasher = blocking(move || {
            hasher.update(&chunk);
            hasher
        })
        .await?;
    }
    Ok(hasher.finish())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::new(ErrorKind::Other, Operation::Read).because(panic))
}

/// SHA-256 of a short text, in lower-case hexadecimal; for names of records.
#[must_use]
pub fn name_of(text: &str) -> String {
    Digest::Sha256(sha2::Sha256::digest(text.as_bytes()).into()).hex()
}
