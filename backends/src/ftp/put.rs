//! Writing: a file as a whole.

use futures::TryStreamExt;

use super::{
    facts::{Found, What},
    place::Place,
    pool::Lease,
    reply::Refused,
};
use crate::{
    body::Body,
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
};

/// What was sent.
struct Sent {
    len: u64,
    digests: Digests,
}

/// See [`Tree::write`](crate::tree::Tree::write).
///
/// # Errors
/// As there.
pub(super) async fn write(place: &Place, path: &str, request: &PutRequest, body: Body) -> Result<(Digests, Found)> {
    let mut lease = place.call(Operation::Put).await?;
    let sent = send(&mut lease, path, &request.digests, body).await?;
    if let Some(time) = request.modified {
        place.touch_with(&mut lease, path, time).await?;
    }
    let gone = || Error::new(ErrorKind::Unavailable, Operation::Put).because("what was sent is not there");
    let stored = place.look_with(&mut lease, path).await?.ok_or_else(gone)?;
    if stored.what != What::File || stored.size != Some(sent.len) {
        let there = stored.size.map_or_else(|| "an unknown number".to_owned(), |size| size.to_string());
        let why = format!("{} bytes were sent and {there} are there", sent.len);
        return Err(Error::new(ErrorKind::Integrity, Operation::Put).because(why));
    }
    Ok((sent.digests, stored))
}

/// `STOR`. Where the body ends in an error, or is not what it was said to be, the connections are given up: the server
/// takes what came for all of it, under a name nobody asks for.
async fn send(lease: &mut Lease, path: &str, claimed: &Digests, body: Body) -> Result<Sent> {
    let mut algorithms: Vec<_> = claimed.iter().map(Digest::algorithm).collect();
    algorithms.push(Algorithm::Sha256);
    let (mut hasher, mut len) = (Hasher::new(&algorithms), 0);
    let mut chunks = body.chunks();
    let mut data = lease.transfer(&format!("STOR {path}"), 0).await?;
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
        len += chunk.len() as u64;
        if let Err(broken) = data.send(&chunk).await {
            drop(data);
            return Err(why_cut(lease, broken).await);
        }
    }
    let digests = hasher.finish();
    held(Operation::Put, claimed, &digests)?;
    if let Err(broken) = data.end().await {
        return Err(why_cut(lease, broken).await);
    }
    lease.finish().await?;
    Ok(Sent { len, digests })
}

/// A server that takes no more closes the connection for data, and says why on the other.
async fn why_cut(lease: &mut Lease, broken: Error) -> Error {
    match lease.finish().await {
        Err(refused) if Refused::of(&refused).is_some() => refused,
        _ => broken,
    }
}
