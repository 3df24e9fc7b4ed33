//! The bytes of one object.

use futures::StreamExt;

use super::{place::Place, rpc::Found};
use crate::{
    body::Body,
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    tree::Tree,
    web::{
        body::coalesced,
        checked::{Check, checked},
    },
};

/// The content of the CID that was looked at, whatever takes its path meanwhile. The answer does not tell its length, so that
/// is held to the size that was told.
///
/// # Errors
/// As the contract says of `read`.
pub(super) async fn read(place: &Place, key: &Key, path: &str, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    let missing = || Error::new(ErrorKind::NotFound, operation);
    let found = place.look(operation, path).await?.filter(Found::is_file).ok_or_else(missing)?;
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
    let chunks = checked(coalesced(answer.into_body()), len, check);
    Ok(Reader { entry, body: Body::stream(Some(len), chunks.boxed()) })
}
