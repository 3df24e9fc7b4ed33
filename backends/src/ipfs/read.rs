//! Facts and bytes of one object.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::place::{Place, Shared};
use crate::{
    body::Body,
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    web::{
        body::coalesced,
        checked::{Check, checked},
    },
};

/// # Errors
/// As the contract says of `stat`.
pub(super) async fn stat(place: &Place, key: &Key) -> Result<Entry> {
    Ok(place.described(key.clone(), &place.look_at_object(Operation::Stat, key).await?))
}

/// The content of the CID that was looked at, whatever takes its path meanwhile. The answer does not tell its length, so that
/// is held to the size that was told.
///
/// # Errors
/// As the contract says of `read`.
pub(super) async fn read(place: &Shared, key: &Key, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    if request.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    let found = place.look_at_object(operation, key).await?;
    let entry = place.described(key.clone(), &found);
    if request.if_match.is_some() && entry.etag != request.if_match {
        return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
    }
    let asked = request.range.clone().unwrap_or(0..found.size);
    let len = asked.end.min(found.size).saturating_sub(asked.start);
    if len == 0 {
        return Ok(Reader { entry, body: Body::empty() });
    }
    let (offset, length) = (asked.start.to_string(), len.to_string());
    let mut options = Vec::new();
    if len < found.size {
        options.extend([("offset", offset.as_str()), ("length", length.as_str())]);
    }
    let content = format!("/ipfs/{}", found.cid);
    let answer = place.rpc.send(place.rpc.call(operation, "cat", &[&content], &options), None).await?;
    let check = Check::strongest(&entry.digests).filter(|_| len == found.size);
    let (place, key) = (Arc::clone(place), key.clone());
    let chunks = checked(coalesced(answer.into_body()), len, check);
    let chunks = chunks.map_err(move |error| place.name_error(error, Some(&key))).boxed();
    Ok(Reader { entry, body: Body::stream(Some(len), chunks) })
}
