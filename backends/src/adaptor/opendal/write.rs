//! Writing: an object appears whole, or not at all.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use opendal::options::WriteOptions;

use super::{
    calls::within,
    place::{MTIME, PATIENCE, Place, SHA256},
};
use crate::{
    body::{Body, Chunks},
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
};

fn hasher(claimed: &Digests) -> Hasher {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.extend([Algorithm::Md5, Algorithm::Sha256]);
    Hasher::new(&algorithms)
}

/// Writes in one request where the chunk holds all of it.
pub(super) async fn put(place: &Place, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    place.accepts(Operation::Put, key)?;
    let mut chunks = body.sized(request.size)?.chunks();
    let (mut first, mut hasher) = (BytesMut::new(), hasher(&request.digests));
    while first.len() <= place.chunk {
        let Some(bytes) = chunks.try_next().await? else {
            let digests = hasher.finish();
            held(Operation::Put, &request.digests, &digests)?;
            return whole(place, key, &request, &digests, first.freeze()).await;
        };
        hasher.update(&bytes);
        first.extend_from_slice(&bytes);
    }
    streamed(place, key, &request, hasher, first.freeze(), chunks).await
}

/// What travels beside the bytes.
fn beside(request: &PutRequest, digests: &Digests) -> WriteOptions {
    let mut user: HashMap<String, String> = request.metadata.user.clone().into_iter().collect();
    if let Some(time) = request.modified {
        user.insert(MTIME.to_owned(), time.to_string());
    }
    if let Some(sha256) = digests.get(Algorithm::Sha256) {
        user.insert(SHA256.to_owned(), sha256.hex());
    }
    WriteOptions {
        content_type: request.metadata.content_type.clone(),
        user_metadata: (!user.is_empty()).then_some(user),
        ..WriteOptions::default()
    }
}

/// What has to lie there for the write to go ahead, in the words of the library.
async fn condition(place: &Place, key: &Key, request: &PutRequest, options: &mut WriteOptions) -> Result<()> {
    let operation = Operation::Put;
    if request.if_absent {
        options.if_not_exists = true;
        return Ok(());
    }
    options.if_version_match = match &request.if_match {
        Some(etag) => Some(etag.to_string()),
        None => match place.look(operation, key).await {
            Ok(found) => found.etag.map(|etag| etag.to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        },
    };
    options.if_not_exists = options.if_version_match.is_none();
    Ok(())
}

/// One request.
async fn whole(place: &Place, key: &Key, request: &PutRequest, digests: &Digests, bytes: Bytes) -> Result<Entry> {
    let operation = Operation::Put;
    let mut options = beside(request, digests);
    if request.if_absent || request.if_match.is_some() {
        condition(place, key, request, &mut options).await?;
    }
    let stored = within(PATIENCE, operation, place.operator.write_options(key, bytes, options)).await?;
    proven(place, key, &stored, request, digests)
}

/// A resumable upload. Given up by whoever gets an error: only its last request makes an object of it.
async fn streamed(
    place: &Place,
    key: &Key,
    request: &PutRequest,
    mut hasher: Hasher,
    first: Bytes,
    mut rest: Chunks,
) -> Result<Entry> {
    let operation = Operation::Put;
    let asked = request.if_absent || request.if_match.is_some();
    // Written before the bytes are: only what was known beforehand.
    let mut options = beside(request, &request.digests);
    condition(place, key, request, &mut options).await?;
    let mut writer = within(PATIENCE, operation, place.operator.writer_options(key, options)).await?;
    let sent = async {
        within(PATIENCE, operation, writer.write(first)).await?;
        while let Some(chunk) = rest.try_next().await? {
            hasher.update(&chunk);
            within(PATIENCE, operation, writer.write(chunk)).await?;
        }
        let digests = hasher.finish();
        held(operation, &request.digests, &digests)?;
        let stored = within(PATIENCE, operation, writer.close()).await?;
        Ok::<_, Error>((stored, digests))
    };
    match sent.await {
        Ok((stored, digests)) => proven(place, key, &stored, request, &digests),
        Err(error) => {
            let _best_effort = within(PATIENCE, operation, writer.abort()).await;
            // Somebody else wrote meanwhile, and nobody asked for him not to: the next try writes over what he wrote.
            let raced = !asked && error.kind() == ErrorKind::Precondition;
            Err(if raced { Error::new(ErrorKind::Unavailable, operation).because(error) } else { error })
        }
    }
}

/// Compares what was stored with what was sent.
fn proven(
    place: &Place,
    key: &Key,
    stored: &opendal::Metadata,
    request: &PutRequest,
    digests: &Digests,
) -> Result<Entry> {
    let mut entry = place.described(key.clone(), stored, true);
    if let Some((algorithm, false)) = digests.compare(&entry.digests) {
        let why = format!("what was stored has another {algorithm}");
        return Err(Error::new(ErrorKind::Integrity, Operation::Put).because(why));
    }
    digests.iter().for_each(|digest| entry.digests.set(*digest));
    entry.modified = request.modified.or(entry.stored);
    Ok(entry)
}
