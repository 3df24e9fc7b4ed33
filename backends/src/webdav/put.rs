//! Writing: under a temporary name, looked at, and moved to its own; on servers that do so themselves, at once.

use std::sync::Arc;

use futures::TryStreamExt;
use http::{HeaderMap, StatusCode};

use super::{
    abilities::oc_checksum,
    list::no_longer_nothing,
    multistatus::Properties,
    place::{LONG_WORK, Place, Shared},
    properties::{listed, look, look_at_object, look_if_there},
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
        client::{Answer, Call, refusal},
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
        let (sent, stored) = upload(place, key, key, &request, headers, body).await?;
        return Ok(with_digests(listed(place, key.clone(), stored), &sent.digests));
    }
    let draft = Draft::beside(place, key);
    let settled = async {
        let (sent, stored) = upload(place, key, &draft.path, &request, headers, body).await?;
        let entry = settle(place, Operation::Put, &draft.path, key, &request, stored).await?;
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
) -> Result<(Sent, Properties)> {
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
    let stored = persistently(|| look(place, Operation::Put, target)).await?;
    prove(&sent, &stored)?;
    place.belief.saw(request.modified, begun, &stored);
    Ok((sent, stored))
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

/// Gives a draft its name, over what is there, and tells of the object.
///
/// # Errors
/// `Exists` where a collection, or with `if_absent` anything, has that name.
pub(super) async fn settle(
    place: &Shared,
    operation: Operation,
    draft: &str,
    key: &Key,
    request: &PutRequest,
    stored: Properties,
) -> Result<Entry> {
    let rename = || persistently(|| rename(place, operation, draft, key, request, &stored));
    let look = || persistently(|| look_at_object(place, operation, key));
    if !is_plain(key) {
        // Until what landed under another name is removed, nobody puts there what has that name by right: it would go, too.
        let (_alone, _among_others) = match read_as(key)[..] {
            [] => (None, Some(place.learned.naming.read().await)),
            _ => (Some(place.learned.naming.write().await), None),
        };
        rename().await?;
        return match look().await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(misread(place, operation, key, &stored).await),
            found => Ok(listed(place, key.clone(), found?)),
        };
    }
    let naming = place.learned.naming.read().await;
    rename().await?;
    drop(naming);
    if place.assumes_moves() && !request.if_absent && request.if_match.is_none() {
        return Ok(listed(place, key.clone(), stored));
    }
    let mut seen = None;
    // One looks for all: whoever comes meanwhile waits for what it finds.
    let found_out = place.learned.moves.get_or_try_init(|| async {
        let found = look().await?;
        let kept = (&found.etag, found.modified, found.length) == (&stored.etag, stored.modified, stored.length);
        seen = Some(found);
        Ok::<_, Error>(kept)
    });
    let kept = *found_out.await?;
    match seen {
        Some(found) => Ok(listed(place, key.clone(), found)),
        None if kept => Ok(listed(place, key.clone(), stored)),
        None => Ok(listed(place, key.clone(), look().await?)),
    }
}

/// Whether servers read a `Destination` of that name as it is meant. Some were seen to drop control characters from it, to
/// end it at a `?` or `;`, and to normalise letters; the object then lies under another name, and the answer is a success.
pub(super) fn is_plain(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~+@ ".contains(&byte))
}

/// What a MOVE or COPY to `path` is whose object is not found there. Where it was put under what some servers read instead (see
/// [`read_as`]) it is removed again: the name was free, as nothing is overwritten unasked, and the tag is that of what was moved.
pub(super) async fn misread(place: &Place, operation: Operation, path: &str, moved: &Properties) -> Error {
    for other in read_as(path) {
        if let Ok(Some(found)) = look_if_there(place, operation, &other).await
            && !found.collection
            && found.etag.is_some()
            && (&found.etag, found.length) == (&moved.etag, moved.length)
        {
            let _best_effort = place.send(place.call(operation, "DELETE", &other)).await;
        }
    }
    reads_otherwise(operation)
}

/// The other names that `path` is taken for by a server that decodes an address before it takes it apart, as WsgiDAV 4.3 does:
/// it ends at a `?` or `;`, and Python drops tabs and line breaks.
fn read_as(path: &str) -> Vec<String> {
    let cut = |path: &str| path.split(['?', ';']).next().unwrap_or_default().to_owned();
    let bare = path.replace(['\t', '\n', '\r'], "");
    let mut others = vec![cut(&bare), cut(path), bare];
    others.retain(|other| other != path && !other.is_empty() && !other.ends_with('/'));
    others.dedup();
    others
}

fn reads_otherwise(operation: Operation) -> Error {
    Error::unsupported(operation, "the server reads that name otherwise where something is moved to it")
}

/// MOVE. One whose answer was lost is seen by its result.
async fn rename(
    place: &Shared,
    operation: Operation,
    draft: &str,
    key: &Key,
    request: &PutRequest,
    stored: &Properties,
) -> Result<()> {
    let rename = |overwrite| place.site.send(place.call_to(operation, "MOVE", draft, key, overwrite), None);
    let mut answer = rename(false).await?;
    if may_be_taken(answer.status()) {
        let status = answer.status();
        let refused = refusal(operation, answer).await;
        // To replace is to delete, and of a collection all that is in it (RFC 4918, 9.9.3): so it is looked at first.
        match look_if_there(place, operation, key).await? {
            Some(found) if found.collection => {
                return Err(Error::new(ErrorKind::Exists, operation).because("a collection has that name"));
            }
            // Some servers would delete it for a draft that is no longer there.
            Some(found) if is_same(&found, stored) && look_if_there(place, operation, draft).await?.is_none() => {
                return Ok(());
            }
            Some(_) if request.if_absent => return Err(Error::new(ErrorKind::Exists, operation)),
            // What is in the way may have another name, to which the server shortens this one.
            None if !is_plain(key) => return Err(reads_otherwise(operation)),
            None if !TAKEN.contains(&status) => return Err(refused),
            _ => answer = rename(true).await?,
        }
    }
    if !answer.status().is_client_error() {
        return moved(operation, answer).await;
    }
    let refused = refusal(operation, answer).await;
    // Servers say in several ways that there is nothing to move any more.
    if look_if_there(place, operation, draft).await?.is_some() {
        return Err(refused);
    }
    let there = look_if_there(place, operation, key).await?.unwrap_or_default();
    let is_ours = is_same(&there, stored) && !there.collection;
    if is_ours { Ok(()) } else { Err(Error::new(ErrorKind::Unavailable, operation).because(refused)) }
}

fn is_same(found: &Properties, stored: &Properties) -> bool {
    found.length == stored.length && (found.etag == stored.etag || found.modified == stored.modified)
}

/// How servers say that a name is taken: by 412 (RFC 4918, 9.9.4), or otherwise.
const TAKEN: [StatusCode; 3] = [StatusCode::PRECONDITION_FAILED, StatusCode::MOVED_PERMANENTLY, StatusCode::CONFLICT];

/// Whether that may say that a name is taken: copyparty answers 400.
fn may_be_taken(status: StatusCode) -> bool {
    TAKEN.contains(&status) || matches!(status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED)
}

/// Whether a MOVE, COPY or DELETE did all it was to do: 207 tells what it did not.
///
/// # Errors
/// By status.
pub(super) async fn moved(operation: Operation, answer: Answer) -> Result<()> {
    let answer = succeeded(operation, answer).await?;
    if answer.status() != StatusCode::MULTI_STATUS {
        drop(collect(answer.into_body(), 64 * 1024).await);
        return Ok(());
    }
    let mut told = super::multistatus::of_answer(operation, answer);
    let mut failed = None;
    while let Some(member) = told.next().await? {
        let refused = member.status.filter(|status| !(200..300).contains(status)).or(member.refused);
        failed = failed.or(refused.map(|status| (status, member.href)));
    }
    match failed {
        None => Ok(()),
        Some((status, href)) => {
            Err(Error::new(crate::web::status::kind(status), operation).because(format!("HTTP {status} for '{href}'")))
        }
    }
}

/// The entry with what was computed on the way.
fn with_digests(mut entry: Entry, digests: &Digests) -> Entry {
    digests.iter().for_each(|digest| entry.digests.set(*digest));
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_read_otherwise() {
        assert_eq!(read_as("d/a?b"), ["d/a"]);
        assert_eq!(read_as("d/a\tb"), ["d/ab"]);
        assert_eq!(read_as("a\nb;c"), ["ab", "a\nb", "ab;c"]);
        assert_eq!(read_as("d/?x"), [""; 0]);
        assert_eq!(read_as("d/plain"), [""; 0]);
    }
}
