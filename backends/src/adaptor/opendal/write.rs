//! Writing: an object appears whole, or not at all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use opendal::{Writer, options::WriteOptions};

use super::{
    calls::within,
    place::{MTIME, PATIENCE, Place, SHA256},
    profile::Writes,
};
use crate::{
    body::{Body, Chunks},
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    unfinished::Draft,
};

/// How long a server may take over what it does with a whole object: closing it, renaming it.
const LONG_WORK: Duration = Duration::from_secs(300);

/// Writes an object as its service is written to.
pub(super) async fn put(place: &Arc<Place>, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    place.accepts(Operation::Put, key)?;
    let body = body.sized(request.size)?;
    match place.writes {
        Writes::Renamed => renamed(place, key, request, body).await,
        Writes::Uploaded(chunk) => uploaded(place, key, request, body, chunk).await,
    }
}

fn hasher(claimed: &Digests) -> Hasher {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.extend([Algorithm::Md5, Algorithm::Sha256]);
    Hasher::new(&algorithms)
}

/// Writes to a temporary name, looks at it, and renames it.
async fn renamed(place: &Arc<Place>, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    let operator = &place.operator;
    agreed(place, key, &request).await?;
    place.sweep().await;
    let draft = Draft::beside(place, key);
    let written = async {
        let mut writer = within(PATIENCE, Operation::Put, operator.writer(&draft.path)).await?;
        let sent = match fill(&mut writer, body, &request.digests).await {
            Ok(sent) => sent,
            Err(error) => {
                let _best_effort = within(PATIENCE, Operation::Put, writer.abort()).await;
                return Err(error);
            }
        };
        within(LONG_WORK, Operation::Put, writer.close()).await?;
        let stored = within(PATIENCE, Operation::Put, operator.stat(&draft.path)).await?;
        if stored.content_length() != sent.len {
            let why = format!("{} bytes were sent and {} are there", sent.len, stored.content_length());
            return Err(Error::new(ErrorKind::Integrity, Operation::Put).because(why));
        }
        within(LONG_WORK, Operation::Put, operator.rename(&draft.path, key)).await?;
        let mut entry = place.described(key.clone(), &stored, false);
        sent.digests.iter().for_each(|digest| entry.digests.set(*digest));
        Ok(entry)
    };
    let written = written.await;
    draft.done(&written).await;
    match written {
        Err(error) => Err(explain(place, key, error).await),
        written => written,
    }
}

/// # Errors
/// `Exists` or `Precondition` where what lies there is not what the request wants.
async fn agreed(place: &Place, key: &Key, request: &PutRequest) -> Result<()> {
    if request.if_absent || request.if_match.is_some() {
        match place.look_at(Operation::Put, key).await? {
            Some(_) if request.if_absent => return Err(Error::new(ErrorKind::Exists, Operation::Put)),
            found
                if request.if_match.is_some()
                    && found.as_ref().and_then(|found| found.etag.clone()) != request.if_match =>
            {
                return Err(Error::new(ErrorKind::Precondition, Operation::Put));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What was sent.
struct Sent {
    len: u64,
    digests: Digests,
}

/// Writes all of `body`. Whoever gets an error gives the writer up: closing it would store what had come.
async fn fill(writer: &mut Writer, body: Body, claimed: &Digests) -> Result<Sent> {
    let (mut hasher, mut len) = (hasher(claimed), 0);
    let mut chunks = body.chunks();
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
        len += chunk.len() as u64;
        within(PATIENCE, Operation::Put, writer.write(chunk)).await?;
    }
    let digests = hasher.finish();
    held(Operation::Put, claimed, &digests)?;
    Ok(Sent { len, digests })
}

/// Why a write failed, where what lies there explains it.
async fn explain(place: &Place, key: &Key, error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Other | ErrorKind::Exists) {
        return error;
    }
    if let Err(exists) = place.below_an_object(Operation::Put, key).await {
        return exists;
    }
    match within(PATIENCE, Operation::Put, place.operator.stat(key)).await {
        Ok(found) if found.is_dir() => {
            Error::new(ErrorKind::Exists, Operation::Put).because("a directory has that name")
        }
        // A directory was removed when it had just been made; the next try makes it again.
        _ if error.kind() == ErrorKind::NotFound => Error::new(ErrorKind::Unavailable, Operation::Put).because(error),
        _ => error,
    }
}

/// One request where the chunk holds all of it.
async fn uploaded(place: &Place, key: &Key, request: PutRequest, body: Body, chunk: usize) -> Result<Entry> {
    let mut chunks = body.chunks();
    let (mut first, mut hasher) = (BytesMut::new(), hasher(&request.digests));
    while first.len() <= chunk {
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
