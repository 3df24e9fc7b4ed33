//! What is known of contents, and how more is learnt: digests and facts of one object, when somebody asks.

use std::sync::Arc;

use futures::TryStreamExt;
use sha2::Digest as _;
use sterna_backends::{
    Algorithm, Body, Chunks, Digest, Digests, Entry, Error, ErrorKind, Operation, ReadRequest, Result, Store,
};

mod cuts;
mod settle;

use cuts::{Cuts, part_sizes};
pub use settle::settle;
pub use sterna_backends::digest::Hasher;

/// Adds to `entry` what a stat of it tells. What the listing told and the stat does not is kept.
///
/// # Errors
/// `Changed` where the object is no longer the one listed; else as [`Store::stat`].
pub async fn learn(store: &Arc<dyn Store>, entry: &mut Entry) -> Result<()> {
    let mut learnt = store.stat(&entry.key, entry.version.as_ref()).await?;
    if entry.etag.is_some() && learnt.etag.is_some() && entry.etag != learnt.etag {
        return Err(Error::new(ErrorKind::Changed, Operation::Stat).of(store.name()).at(&entry.key));
    }
    for digest in entry.digests.iter() {
        if learnt.digests.get(digest.algorithm()).is_none() {
            learnt.digests.set(*digest);
        }
    }
    learnt.metadata.get_or_insert_default();
    *entry = learnt;
    Ok(())
}

/// Reads the object's bytes and adds the digest asked for.
///
/// # Errors
/// As [`Store::read`].
pub async fn digest(store: &Arc<dyn Store>, entry: &mut Entry, algorithm: Algorithm) -> Result<()> {
    let body = unchanged(store, entry).await?;
    let digests = match body.as_bytes() {
        Some(bytes) => of_bytes(bytes, &[algorithm]),
        None => of_chunks(body.chunks(), &[algorithm]).await?,
    };
    digests.iter().for_each(|digest| entry.digests.set(*digest));
    Ok(())
}

/// Reads the object's bytes and adds the digest of parts that `other` has, if they are cut in one of the ways in which
/// clients cut them; else that of another cut, which proves nothing.
///
/// # Errors
/// As [`Store::read`].
pub async fn parts(store: &Arc<dyn Store>, entry: &mut Entry, other: &Entry) -> Result<()> {
    let body = unchanged(store, entry).await?;
    let (size, count) = match (entry.size, other.digests.get(Algorithm::Parts)) {
        (Some(size), Some(Digest::Parts { parts, .. })) => (size, parts),
        _ => return Ok(()),
    };
    let cuts = Cuts::new(&part_sizes(size, count));
    let found = fold(body.chunks(), cuts, Cuts::update).await?.finish();
    let same = found.iter().find(|digest| other.digests.get(Algorithm::Parts).as_ref() == Some(digest));
    if let Some(digest) = same.or(found.first()) {
        entry.digests.set(*digest);
    }
    Ok(())
}

/// The bytes of `entry`, if it is still what it was.
async fn unchanged(store: &Arc<dyn Store>, entry: &Entry) -> Result<Body> {
    let request = ReadRequest { range: None, if_match: entry.etag.clone(), version: entry.version.clone() };
    let reader = store.read(&entry.key, request).await?;
    if reader.entry.modified.is_some() && entry.modified.is_some() && reader.entry.modified != entry.modified {
        return Err(Error::new(ErrorKind::Changed, Operation::Read).of(store.name()).at(&entry.key));
    }
    Ok(reader.body)
}

/// Digests of bytes in memory, computed at once; for small contents.
#[must_use]
pub fn of_bytes(bytes: &[u8], algorithms: &[Algorithm]) -> Digests {
    let mut hasher = Hasher::new(algorithms);
    hasher.update(bytes);
    hasher.finish()
}

/// Digests of a stream, computed on a blocking thread while it is read.
///
/// # Errors
/// What the stream reports.
pub async fn of_chunks(chunks: Chunks, algorithms: &[Algorithm]) -> Result<Digests> {
    Ok(fold(chunks, Hasher::new(algorithms), Hasher::update).await?.finish())
}

/// Hands each chunk to `hasher`, on a blocking thread.
async fn fold<H: Send + 'static>(mut chunks: Chunks, mut hasher: H, update: fn(&mut H, &[u8])) -> Result<H> {
    while let Some(chunk) = chunks.try_next().await? {
        hasher = tokio::task::spawn_blocking(move || {
            update(&mut hasher, &chunk);
            hasher
        })
        .await
        .map_err(|panic| Error::new(ErrorKind::Other, Operation::Read).because(panic))?;
    }
    Ok(hasher)
}

/// SHA-256 of a short text, in lower-case hexadecimal; for names of records.
#[must_use]
pub fn name_of(text: &str) -> String {
    Digest::Sha256(sha2::Sha256::digest(text.as_bytes()).into()).hex()
}
