//! Writing: a file as a whole, and how it gets its name.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{
    place::Place,
    rpc::{Found, Refused},
    times::Times,
};
use crate::{
    body::Body,
    directories::above,
    entry::{Digests, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    tree::{Tree, is_directory, replace},
    unfinished::{Leftover, content_name, leftover},
    web::{
        body::{Outgoing, collect},
        hashing::{Hashing, Sent},
        patience::persistently,
    },
};

/// How long a node may be at work on a large file without a word.
const LONG_WORK: Duration = Duration::from_secs(30 * 60);

/// A new file, of version 1 with raw leaves.
const OPTIONS: [(&str, &str); 4] =
    [("create", "true"), ("truncate", "true"), ("cid-version", "1"), ("raw-leaves", "true")];

/// One block is named by its own SHA-256, and js-ipfs has nowhere to put a time.
const BARE: (&str, &str) = ("reduce-single-leaf-to-self", "true");

/// See [`Tree::write`].
///
/// # Errors
/// As there.
pub(super) async fn write(place: &Place, path: &str, request: &PutRequest, body: Body) -> Result<(Digests, Found)> {
    let sent_along = request.modified.filter(|_| place.times == Times::Sent);
    let sent = send(place, Operation::Put, path, sent_along, &request.digests, body).await?;
    // Nobody outside can repeat what follows without sending all of it again.
    let stored = persistently(|| stored(place, path, request, &sent)).await?;
    Ok((sent.digests, stored))
}

/// Tells the hour at which the work on a file begins: the times that files have are those of their contents, and say
/// nothing of that.
pub(super) fn working_name(name: &str) -> String {
    format!("{}.{name}", Timestamp::now().seconds() / HOUR)
}

const HOUR: i64 = 60 * 60;

/// When the work on the file on its way of that name began, if it is one.
pub(super) fn worked_on(name: &str) -> Option<Timestamp> {
    let Some(Leftover::Content { target }) = leftover(name) else { return None };
    let hours: i64 = target.split('.').next()?.parse().ok()?;
    Some(Timestamp::from_parts(hours.checked_mul(HOUR)?, 0))
}

/// Sends `body` to `path`, with a time in the form in which js-ipfs takes it.
///
/// # Errors
/// What the body reported; `Integrity` where it is not what is `known`; as the node refuses.
pub(super) async fn send(
    place: &Place,
    operation: Operation,
    path: &str,
    modified: Option<Timestamp>,
    known: &Digests,
    body: Body,
) -> Result<Sent> {
    let boundary = content_name("");
    let time = modified
        .map_or_else(String::new, |time| format!("?mtime={}&mtime-nsecs={}", time.seconds(), time.subsec_nanos()));
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file{time}\"; filename=\"file\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let bare = (place.times == Times::Ignored).then_some(BARE);
    let options: Vec<_> = OPTIONS.into_iter().chain(bare).collect();
    let mut call = place.rpc.call(operation, "files/write", &[path], &options);
    call.header("content-type", &format!("multipart/form-data; boundary={boundary}"));
    call.patience = LONG_WORK;
    let hashing = Hashing::new(known, &[]);
    let len = body.len();
    let around = (head.len() + tail.len()) as u64;
    let piece = |text: String| stream::iter([Ok(Bytes::from(text))]);
    let content = hashing.over(body.chunks(), len, known.clone());
    let chunks = piece(head).chain(content).chain(piece(tail)).boxed();
    let answer = place.rpc.send(call, Some(Outgoing::stream(len.map(|len| len + around), chunks))).await?;
    collect(answer.into_body(), 64 * 1024).await?;
    // Of unknown length the end is known only now; nothing is visible yet.
    hashing.check(known)?;
    Ok(hashing.sent())
}

/// What came of a draft, its time set.
///
/// # Errors
/// `Integrity` where it is not what was sent.
async fn stored(place: &Place, draft: &str, request: &PutRequest, sent: &Sent) -> Result<Found> {
    let operation = Operation::Put;
    if let Some(time) = request.modified.filter(|_| place.times == Times::Touched) {
        place.touch(operation, draft, time).await?;
    }
    let found = place.stat(operation, draft).await?;
    let differs = |what: String| Err(Error::new(ErrorKind::Integrity, operation).because(what));
    if !found.is_file() || found.size != sent.len {
        return differs(format!("{} bytes were sent, and {} are stored", sent.len, found.size));
    }
    match sent.digests.compare(&super::cid::sha256(&found.cid).into_iter().collect()) {
        Some((algorithm, false)) => differs(format!("what was stored has another {algorithm}")),
        _ => Ok(found),
    }
}

/// Gives a draft its name, over what is there. A move whose answer was lost is seen by its result; so is one onto a
/// directory, which nodes take for one into it.
///
/// # Errors
/// `Exists` where a directory has that name; as the node refuses.
pub(super) async fn settle(place: &Place, operation: Operation, draft: &str, path: &str, stored: &Found) -> Result<()> {
    let moved = place.rename(operation, draft, path).await;
    let refused = match moved {
        Ok(()) => None,
        Err(error) if Refused::is(&error) => Some(error),
        Err(error) => return Err(error),
    };
    let there = place.look(operation, path).await?;
    match (there, refused) {
        (Some(found), _) if !found.is_file() => {
            let name = &draft[above(draft).len()..];
            let _hidden = place.remove(operation, &format!("{path}{name}")).await;
            Err(is_directory(operation))
        }
        (Some(found), None) if found.cid == stored.cid => Ok(()),
        // Of the same content nothing need be replaced.
        (Some(found), Some(_)) if found.cid == stored.cid => {
            let _hidden = place.remove(operation, draft).await;
            Ok(())
        }
        (Some(_), Some(refused)) => replace(place, operation, draft, path, refused).await,
        (_, Some(refused)) => Err(refused),
        (_, None) => Err(Error::new(ErrorKind::Unavailable, operation).because("something else lies there now")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_tells_when_it_was_worked_on() {
        let now = Timestamp::from_parts(493_210 * HOUR, 0);
        assert_eq!(worked_on(&content_name("493210.a.b")), Some(now));
        assert_eq!(worked_on(&content_name("493210.")), Some(now));
        for other in
            [content_name("a"), content_name(""), content_name("99999999999999999999.a"), "493210.a".to_owned()]
        {
            assert_eq!(worked_on(&other), None, "{other}");
        }
    }
}
