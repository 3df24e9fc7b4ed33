//! Times of contents (UnixFS 1.5), which nodes keep in several ways or not at all.

use super::{
    place::{Place, VERSION},
    put::send,
    rpc::Refused,
};
use crate::{
    entry::{Digests, Timestamp},
    error::{Operation, Result},
    tree::Tree,
    unfinished::content_name,
};

/// How a time gets to the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// With the bytes, in the name of their part (js-ipfs).
    Sent,
    /// Afterwards, by `files/touch` (Kubo since 0.30).
    Touched,
    /// Not at all.
    Ignored,
}

/// The time the tried file has: no node's clock shows it.
const THEN: Timestamp = Timestamp::from_parts(1_000_000_000, 123_456_789);
const TRIED: &[u8] = b"sterna tries what this node keeps";

/// Tries the node with a file that nobody lists; whether a listing tells times, too.
///
/// # Errors
/// What stopped a call.
pub(super) async fn tried(place: &Place) -> Result<(Times, bool)> {
    let path = format!("/{}", content_name("times"));
    let outcome = attempt(place, &path).await;
    let _hidden = place.remove(Operation::Open, &path).await;
    outcome
}

async fn attempt(place: &Place, path: &str) -> Result<(Times, bool)> {
    let operation = Operation::Open;
    send(place, operation, path, Some(THEN), &Digests::new(), TRIED.into()).await?;
    let mut times = Times::Sent;
    if place.stat(operation, path).await?.modified() != Some(THEN) {
        match touch(place, operation, path, THEN).await {
            Ok(()) => times = Times::Touched,
            Err(error) if Refused::is(&error) || !error.is_retryable() => return Ok((Times::Ignored, false)),
            Err(error) => return Err(error),
        }
        if place.stat(operation, path).await?.modified() != Some(THEN) {
            return Ok((Times::Ignored, false));
        }
    }
    let listed = place.names(operation, path, true).await?;
    Ok((times, listed.first().is_some_and(|found| found.modified() == Some(THEN))))
}

/// Sets the time of what lies at `path`, which changes its CID.
///
/// # Errors
/// As [`Rpc::send`](super::rpc::Rpc::send).
pub(super) async fn touch(place: &Place, operation: Operation, path: &str, time: Timestamp) -> Result<()> {
    let (seconds, nanos) = (time.seconds().to_string(), time.subsec_nanos().to_string());
    let options = [("mtime", seconds.as_str()), ("mtime-nsecs", nanos.as_str()), VERSION[0]];
    place.rpc.tell(operation, "files/touch", &[path], &options).await
}
