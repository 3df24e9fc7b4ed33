//! Writing: under a temporary name, looked at, and moved to its own; on servers that do so themselves, at once.

use std::sync::Arc;

use futures::TryStreamExt;
use http::{HeaderMap, StatusCode};

use super::{
    abilities::oc_checksum,
    around::look_around,
    list::no_longer_nothing,
    multistatus::Properties,
    place::{LONG_WORK, Place, Shared},
    properties::{listed, look, look_if_there},
    settle::{Looked, is_plain, settle},
};
use crate::{
    body::Body,
    digest::Hasher,
    directories::ensure,
    entry::{Algorithm, Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    unfinished::Draft,
    web::{
        address::parent,
        body::{Failure, Outgoing, collect},
        client::{Call, refusal},
        hashing::{Hashing, Sent},
        patience::persistently,
        site::succeeded,
        status::Refused,
    },
};

/// PUT.
///
/// # Errors
/// As the contract says of `put`.
pub(super) async fn put(place: &Shared, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    prepare(place, Operation::Put, key, &request).await?;
    place.sweep().await;
    let body = body.sized(request.size)?;
    let headers = headers(place, &request, again(&body)).await?;
    if at_once(place, &request, &body) {
        let (sent, looked) = upload(place, key, key, &request, headers, body).await?;
        return Ok(with_digests(listed(place, key.clone(), looked.stored), &sent.digests));
    }
    let draft = Draft::beside(place, key);
    let settled = async {
        let (sent, looked) = upload(place, key, &draft.path, &request, headers, body).await?;
        let entry = settle(place, Operation::Put, &draft.path, key, &request, looked).await?;
        Ok(with_digests(entry, &sent.digests))
    };
    let settled = settled.await;
    draft.done(&settled).await;
    settled
}

/// Whether a PUT to the name itself will do: nobody sees half of it, it is what it is to be before its last byte goes out, and
/// whether something has the name is not for the server to tell.
fn at_once(place: &Place, request: &PutRequest, body: &Body) -> bool {
    place.vendor.atomic_put && !request.if_absent && (body.len().is_some() || request.digests.is_empty())
}

/// Sends to `target`, and looks at what came of it.
async fn upload(
    place: &Shared,
    key: &Key,
    target: &str,
    request: &PutRequest,
    headers: HeaderMap,
    body: Body,
) -> Result<(Sent, Looked)> {
    let begun = place.learned.clock.now();
    let sent = match send(place, Operation::Put, target, &request.digests, headers, body).await {
        Err(error) if target == &**key && is_collection(place, target, &error).await => {
            return Err(Error::new(ErrorKind::Exists, Operation::Put).because("a collection has that name"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Somebody removed the collection; it is made again when this is tried again.
            place.collections.forget(parent(key));
            return Err(Error::new(ErrorKind::Unavailable, Operation::Put).because(error));
        }
        sent => sent?,
    };
    // Nobody outside can repeat what follows without sending all of it again.
    // A name that servers may read otherwise is never replaced unasked.
    let around = request.replaces && !request.if_absent && target != &**key && is_plain(key);
    let (stored, replaces) = persistently(|| async {
        match around {
            true => look_around(place, target, key).await,
            false => look(place, Operation::Put, target).await.map(|stored| (stored, false)),
        }
    })
    .await?;
    prove(&sent, &stored)?;
    place.belief.saw(request.modified, begun, &stored);
    Ok((sent, Looked { stored, replaces }))
}

/// Whether the server refused an upload because a collection has that name: servers say so in several ways.
async fn is_collection(place: &Place, path: &str, refused: &Error) -> bool {
    let by_status = refused.kind() == ErrorKind::NotFound || Refused::of(refused).is_some();
    by_status
        && look_if_there(place, Operation::Put, path).await.is_ok_and(|found| found.is_some_and(|it| it.collection))
}

/// What has to hold before the first byte is sent.
///
/// # Errors
/// `Unsupported`, `Exists`, `Precondition`.
pub(super) async fn prepare(place: &Place, operation: Operation, key: &Key, request: &PutRequest) -> Result<()> {
    place.accepts(operation, key)?;
    no_longer_nothing(place);
    let is_collection = || Error::new(ErrorKind::Exists, operation).because("a collection has that name");
    if place.collections.knows(key) {
        return Err(is_collection());
    }
    if request.if_absent || request.if_match.is_some() {
        match look_if_there(place, operation, key).await? {
            Some(found) if found.collection => return Err(is_collection()),
            Some(_) if request.if_absent => return Err(Error::new(ErrorKind::Exists, operation)),
            found
                if request.if_match.is_some()
                    && found.as_ref().and_then(|found| found.etag.clone()) != request.if_match =>
            {
                return Err(Error::new(ErrorKind::Precondition, operation));
            }
            _ => {}
        }
    }
    ensure(place, operation, parent(key)).await
}

/// What lies in memory or on disk, once more; its taps are not told.
fn again(body: &Body) -> Option<Body> {
    if let Some(bytes) = body.as_bytes() {
        return Some(bytes.clone().into());
    }
    body.as_file().map(|(file, offset, len)| Body::file(Arc::clone(file), offset, len))
}

/// Time and checksum, in the words of ownCloud. What can be read twice is hashed before it is sent.
async fn headers(place: &Place, request: &PutRequest, again: Option<Body>) -> Result<HeaderMap> {
    let mut call = place.call(Operation::Put, "PUT", "");
    if let Some(time) = request.modified {
        call.header("x-oc-mtime", &time.seconds().to_string());
    }
    let mut sha1 = request.digests.get(Algorithm::Sha1);
    if let (true, None, Some(body)) = (place.takes_checksums(), sha1, again) {
        let mut hasher = Hasher::new(&[Algorithm::Sha1]);
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.try_next().await? {
            hasher.update(&chunk);
        }
        sha1 = hasher.finish().get(Algorithm::Sha1);
    }
    if let Some(sha1) = sha1.filter(|_| place.takes_checksums()) {
        call.header("oc-checksum", &oc_checksum(&sha1));
    }
    Ok(call.headers)
}

/// Sends `body` to `target` and hashes it on the way. A digest that is known is checked: where it differs, the last
/// chunk does not go out.
///
/// # Errors
/// What the body reported; `Integrity`; by status.
pub(super) async fn send(
    place: &Place,
    operation: Operation,
    target: &str,
    known: &Digests,
    headers: HeaderMap,
    body: Body,
) -> Result<Sent> {
    let mut call = place.call(operation, "PUT", target);
    call.headers.extend(headers);
    call.patience = LONG_WORK;
    send_to(place, call, known, body).await
}

/// As [`send`], of a call that is ready.
///
/// # Errors
/// As [`send`].
pub(super) async fn send_to(place: &Place, call: Call, known: &Digests, body: Body) -> Result<Sent> {
    let operation = call.operation;
    let checksum = if place.takes_checksums() { &[Algorithm::Sha1][..] } else { &[] };
    let hashing = Hashing::new(known, checksum);
    let len = body.len();
    let (outgoing, failure): (Outgoing, Failure) = match len {
        Some(0) => {
            hashing.check(known)?;
            (Outgoing::empty(), Failure::default())
        }
        _ => Outgoing::stream(len, hashing.over(body.chunks(), len, known.clone())),
    };
    let answer = place.site.send(call, Some((outgoing, failure))).await?;
    let answer = match answer.status() {
        // The collection above is missing.
        StatusCode::CONFLICT => {
            let _rest = refusal(operation, answer).await;
            return Err(Error::new(ErrorKind::NotFound, operation).because("the collection is missing"));
        }
        _ => succeeded(operation, answer).await?,
    };
    drop(collect(answer.into_body(), 64 * 1024).await);
    // Of unknown length the end is known only now; nothing is visible yet.
    hashing.check(known)?;
    Ok(hashing.sent())
}

/// Compares what lies there with what was sent.
///
/// # Errors
/// `Integrity`.
pub(super) fn prove(sent: &Sent, stored: &Properties) -> Result<()> {
    let differs = |what: String| Err(Error::new(ErrorKind::Integrity, Operation::Put).because(what));
    if let Some(length) = stored.length
        && length != sent.len
    {
        return differs(format!("{} bytes were sent, and {length} are stored", sent.len));
    }
    match sent.digests.compare(&stored.digests) {
        Some((algorithm, false)) => differs(format!("what was stored has another {algorithm}")),
        _ => Ok(()),
    }
}

/// The entry with what was computed on the way.
fn with_digests(mut entry: Entry, digests: &Digests) -> Entry {
    digests.iter().for_each(|digest| entry.digests.set(*digest));
    entry
}
