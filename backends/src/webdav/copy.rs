//! Copies the server makes: under a temporary name, looked at, and moved.

use super::{
    multistatus::Properties,
    place::{Place, Shared, not_found},
    properties::{look, look_at, touch},
    put::{prepare, prove},
    read::still,
    settle::{Looked, is_plain, misread, moved, settle},
};
use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, PutRequest},
    unfinished::Draft,
    web::{
        address::{Address, parent},
        hashing::Sent,
    },
};

/// How another store of the server finds an object of this one.
pub(super) fn source(place: &Place, key: &Key) -> CopySource {
    CopySource {
        domain: place.domain.clone(),
        container: place.address.root().path().to_owned(),
        key: key.clone(),
        version: None,
        if_match: None,
        size: None,
    }
}

/// COPY.
///
/// # Errors
/// As the contract says of `copy`.
pub(super) async fn copy(place: &Shared, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
    if source.domain != place.domain {
        return Err(Error::unsupported(Operation::Copy, "the source lies on another server"));
    }
    let from = Address::new(Address::below(place.address.root(), &source.container, ""))
        .ok_or_else(|| Error::unsupported(Operation::Copy, "the source's address is no text"))?;
    let there = other(place, &from, &source.key).await?;
    still(source.if_match.as_deref(), there.etag.as_deref())?;
    prepare(place, Operation::Copy, key, &request).await?;
    // A name that servers read as it is meant.
    let (folder, name) = key.split_at(parent(key).len());
    let draft = Draft::beside(place, &format!("{folder}{}", if is_plain(name) { name } else { "copy" }));
    let copied = drafted(place, source, &from, &there, &draft.path, key, &request).await;
    draft.done(&copied).await;
    copied
}

async fn drafted(
    place: &Shared,
    source: &CopySource,
    from: &Address,
    there: &Properties,
    draft: &str,
    key: &Key,
    request: &PutRequest,
) -> Result<Entry> {
    let mut call = place.call_to(Operation::Copy, "COPY", "", draft, false);
    call.url = from.of(&source.key);
    moved(Operation::Copy, place.site.send(call, None).await?).await?;
    let mut stored = match look(place, Operation::Copy, draft).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(misread(place, Operation::Copy, draft, there).await);
        }
        found => found?,
    };
    if let Some(time) =
        request.modified.or(there.modified).filter(|_| place.abilities.times && !place.belief.copies_lose_times())
        && stored.modified.is_none_or(|stored| stored.seconds() != time.seconds())
    {
        if !touch(place, Operation::Copy, draft, time).await? && !place.belief.copies_lose_times() {
            return Err(Error::unsupported(Operation::Copy, "the copy does not get the time it should have"));
        }
        stored = look(place, Operation::Copy, draft).await?;
    }
    let len = there.length.or(source.size).or(stored.length).unwrap_or(0);
    prove(&Sent { len, digests: there.digests.clone() }, &stored)?;
    settle(place, Operation::Copy, draft, key, request, Looked { stored, replaces: false }).await
}

/// What is told of an object of another root.
async fn other(place: &Shared, from: &Address, key: &Key) -> Result<Properties> {
    match look_at(place, Operation::Copy, from.of(key)).await? {
        found if found.collection => Err(not_found(Operation::Copy)),
        found => Ok(found),
    }
}
