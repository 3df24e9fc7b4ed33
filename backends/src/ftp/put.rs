//! Writing: under a temporary name, looked at, and renamed.

use futures::TryStreamExt;

use super::{
    directories::in_the_way,
    facts::{Found, What},
    place::{Place, Shared},
    pool::Lease,
    reply::Refused,
};
use crate::{
    body::Body,
    digest::{Hasher, held},
    directories::{above, ensure},
    entry::{Algorithm, Digest, Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    unfinished::{Draft, Removes, content_name},
    web::patience::persistently,
};

/// # Errors
/// As the contract says of `put`.
pub(super) async fn put(place: &Shared, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    place.accepts(Operation::Put, key)?;
    let body = body.sized(request.size)?;
    let path = place.path(key);
    if place.directories.knows(&path) {
        return Err(Error::new(ErrorKind::Exists, Operation::Put).because("a directory has that name"));
    }
    conditions(place, key, &request).await?;
    place.sweep().await;
    ensure(&**place, Operation::Put, above(&path)).await?;
    let draft = Draft::beside(place, &path);
    let written = async {
        let (sent, stored) = upload(place, &draft.path, &request, body).await?;
        // Nobody outside can repeat what follows without sending all of it again.
        persistently(|| settle(place, &draft.path, &path, &stored)).await?;
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

async fn conditions(place: &Place, key: &Key, request: &PutRequest) -> Result<()> {
    if !request.if_absent && request.if_match.is_none() {
        return Ok(());
    }
    let mut lease = place.call(Operation::Put).await?;
    let there = place.look(&mut lease, &place.path(key)).await?;
    if request.if_absent && there.is_some() {
        return Err(Error::new(ErrorKind::Exists, Operation::Put));
    }
    let etag = there.and_then(|found| place.described(key.clone(), &found).etag);
    if request.if_match.is_some() && etag != request.if_match {
        return Err(Error::new(ErrorKind::Precondition, Operation::Put));
    }
    Ok(())
}

/// What was sent.
struct Sent {
    len: u64,
    digests: Digests,
}

/// Sends all of `body`, sets its time, and looks at what came of it.
async fn upload(place: &Place, path: &str, request: &PutRequest, body: Body) -> Result<(Sent, Found)> {
    let mut lease = place.call(Operation::Put).await?;
    let sent = send(&mut lease, path, &request.digests, body).await?;
    if let Some(time) = request.modified {
        place.touch(&mut lease, path, time).await?;
    }
    let gone = || Error::new(ErrorKind::Unavailable, Operation::Put).because("what was sent is not there");
    let stored = place.look(&mut lease, path).await?.ok_or_else(gone)?;
    if stored.what != What::File || stored.size != Some(sent.len) {
        let there = stored.size.map_or_else(|| "an unknown number".to_owned(), |size| size.to_string());
        let why = format!("{} bytes were sent and {there} are there", sent.len);
        return Err(Error::new(ErrorKind::Integrity, Operation::Put).because(why));
    }
    Ok((sent, stored))
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

/// Gives a draft its name, over what is there. A rename whose answer was lost is seen by its result.
async fn settle(place: &Place, draft: &str, path: &str, stored: &Found) -> Result<()> {
    let mut lease = place.call(Operation::Put).await?;
    let refused = match place.rename(&mut lease, draft, path).await {
        Ok(()) => return Ok(()),
        Err(error) if Refused::of(&error).is_none() => return Err(error),
        Err(error) => error,
    };
    let there = place.look(&mut lease, path).await?;
    if place.look(&mut lease, draft).await?.is_none() {
        return if there.as_ref() == Some(stored) { Ok(()) } else { Err(refused) };
    }
    match there {
        Some(found) if found.what == What::File => replace(place, &mut lease, draft, path, refused).await,
        _ => Err(refused),
    }
}

/// Of servers that rename over nothing: what is there steps aside, and back if that was not the reason. For a moment
/// nothing lies there; never half of something.
async fn replace(place: &Place, lease: &mut Lease, draft: &str, path: &str, refused: Error) -> Result<()> {
    let name = &path[path.rfind('/').map_or(0, |at| at + 1)..];
    let aside = format!("{}/{}", above(path), content_name(name));
    if place.rename(lease, path, &aside).await.is_err() {
        return Err(refused);
    }
    if let Err(error) = place.rename(lease, draft, path).await {
        place.rename(lease, &aside, path).await?;
        return Err(error);
    }
    let _hidden_and_swept = lease.tell(&format!("DELE {aside}")).await;
    Ok(())
}

/// Why a write was refused, where what lies there explains it.
async fn explained(place: &Place, path: &str, error: Error) -> Error {
    let looked = async {
        let mut lease = place.call(Operation::Put).await?;
        if let Some(found) = place.look(&mut lease, path).await?
            && found.what != What::File
        {
            let why = Error::new(ErrorKind::Exists, Operation::Put).because("a directory has that name");
            return Ok(Some(why));
        }
        let mut directory = above(path);
        let mut missing = false;
        while directory.len() > place.root.len() {
            match place.look(&mut lease, directory).await? {
                Some(found) if found.what == What::File => return Ok(Some(in_the_way(&lease, directory))),
                Some(_) => break,
                None => missing = true,
            }
            directory = above(directory);
        }
        Ok::<_, Error>(missing.then(|| {
            // Somebody removed it; it is made again when this is tried again.
            place.directories.forget(above(path));
            Error::new(ErrorKind::Unavailable, Operation::Put).because("its directory is gone")
        }))
    };
    looked.await.ok().flatten().unwrap_or(error)
}

impl Removes for Place {
    async fn discard(&self, path: &str) {
        let _best_effort = remove(self, path).await;
    }
}

/// Servers may still be at work on it, and name it or take it for busy.
async fn remove(place: &Place, path: &str) -> Result<()> {
    let attempt = || async {
        let mut lease = place.call(Operation::Put).await?;
        match lease.tell(&format!("DELE {path}")).await {
            Err(error) if Refused::of(&error).is_some() && place.look(&mut lease, path).await?.is_none() => Ok(()),
            removed => removed.map(drop),
        }
    };
    persistently(attempt).await
}
