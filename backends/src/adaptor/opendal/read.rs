//! Reading: the object that was looked at, and no other.

use futures::{StreamExt, TryStreamExt, stream};
use opendal::options::ReaderOptions;

use super::{
    calls::within,
    place::{PATIENCE, Place},
};
use crate::{
    body::Body,
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    web::checked::{Check, checked},
};

/// How often an object that is replaced while it is opened is looked at anew.
const LOOKS: usize = 5;

/// Reads a range. The library tells of an object and opens it in two calls, between which it may be replaced: so the second
/// asks for the version that was told, and where there are none, the object is looked at once more when it is open. The
/// whole of it is read to where it ends, so that one that is longer than was told is an error, not a shorter object.
pub(super) async fn read(place: &Place, key: &Key, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    if request.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    let pinned = place.operator.info().capability().read_with_if_version_match;
    let mut entry = place.look(operation, key).await?;
    for _ in 0..LOOKS {
        if request.if_match.is_some() && entry.etag.is_some() && entry.etag != request.if_match {
            return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
        }
        let size = entry.size.unwrap_or_default();
        let asked = request.range.clone().unwrap_or(0..size);
        let end = asked.end.min(size);
        let len = end.saturating_sub(asked.start);
        if len == 0 {
            return Ok(Reader { entry, body: Body::empty() });
        }
        let version = entry.etag.as_ref().filter(|_| pinned).map(ToString::to_string);
        let options = ReaderOptions { if_version_match: version, ..ReaderOptions::default() };
        let reader = within(PATIENCE, operation, place.operator.reader_options(key, options)).await?;
        let range = if end == size { opendal::BytesRange::from(asked.start..) } else { (asked.start..end).into() };
        let mut chunks = within(PATIENCE, operation, reader.into_stream(range)).await?;
        let first = within(PATIENCE, operation, chunks.try_next()).await?;
        if !pinned {
            let now = place.look(operation, key).await?;
            if (now.size, now.stored, &now.etag) != (entry.size, entry.stored, &entry.etag) {
                entry = now;
                continue;
            }
        }
        let rest = stream::try_unfold(chunks, |mut chunks| async move {
            let next = within(PATIENCE, Operation::Read, chunks.try_next()).await?;
            Ok(next.map(|chunk| (chunk.to_bytes(), chunks)))
        });
        let first = stream::iter(first.map(|chunk| Ok(chunk.to_bytes())));
        let check = Check::strongest(&entry.digests).filter(|_| len == size);
        let (name, key) = (place.name.clone(), key.clone());
        let chunks = checked(first.chain(rest), len, check);
        let chunks = chunks.map_err(move |error: Error| error.of(&name).at(&key)).boxed();
        return Ok(Reader { entry, body: Body::stream(Some(len), chunks) });
    }
    Err(Error::new(ErrorKind::Unavailable, operation).because("it is replaced again and again"))
}
