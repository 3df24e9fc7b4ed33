//! Facts and bytes of one object.

use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::place::{Place, Shared};
use crate::{
    body::Body,
    entry::{Entry, Key, Metadata},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    web::{
        body::{coalesced, collect},
        checked::{Check, checked},
        client::{Answer, Call},
        headers::{etag, http_date, text},
        range::{Extent, content_range, extent},
        site::{get, succeeded},
    },
};

fn not_found(operation: Operation) -> Error {
    Error::new(ErrorKind::NotFound, operation)
}

/// Sends a call and takes the answer, unless it is a folder's page.
async fn fetch(place: &Place, call: Call) -> Result<Answer> {
    let operation = call.operation;
    let (answer, from) = place.site.fetch(call, None).await?;
    if from.path().ends_with('/') {
        drop(collect(answer.into_body(), 64 * 1024).await);
        return Err(not_found(operation));
    }
    Ok(answer)
}

/// HEAD; where that is refused, a GET of one byte.
///
/// # Errors
/// As the contract says of `stat`.
pub(super) async fn stat(place: &Place, operation: Operation, key: &Key) -> Result<Entry> {
    if place.capabilities.keys.refuse(key).is_some() {
        return Err(not_found(operation));
    }
    let mut head = get(operation, place.address.of(key));
    head.method = Method::HEAD;
    let answer = fetch(place, head).await?;
    if !matches!(answer.status(), StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
        let answer = succeeded(operation, answer).await?;
        let size = text(answer.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        return Ok(entry(place, key, size, answer.headers()));
    }
    let mut one = get(operation, place.address.of(key));
    one.header("range", "bytes=0-0");
    let answer = fetch(place, one).await?;
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(entry(place, key, Some(0), answer.headers()));
    }
    let answer = succeeded(operation, answer).await?;
    let range = text(answer.headers(), header::CONTENT_RANGE).and_then(content_range);
    let whole = || text(answer.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let size = range.map(|(_, total)| total).or_else(whole);
    Ok(entry(place, key, size, answer.headers()))
}

/// What an answer tells of the object.
fn entry(place: &Place, key: &Key, size: Option<u64>, headers: &HeaderMap) -> Entry {
    let word = |name: header::HeaderName| text(headers, name).map(str::to_owned);
    let metadata = Metadata {
        content_type: word(header::CONTENT_TYPE),
        cache_control: word(header::CACHE_CONTROL),
        content_disposition: word(header::CONTENT_DISPOSITION),
        content_encoding: word(header::CONTENT_ENCODING),
        content_language: word(header::CONTENT_LANGUAGE),
        ..Metadata::default()
    };
    let modified = text(headers, header::LAST_MODIFIED).and_then(http_date);
    Entry {
        size,
        modified,
        stored: modified,
        etag: etag(headers),
        digests: place.digests(key),
        metadata: Some(Arc::new(metadata)),
        ..Entry::object(key.clone(), 0)
    }
}

/// GET. Whether it is still the object that is meant is seen by the answer's own `ETag`. A server that does not answer
/// ranges is read to where the range begins.
///
/// # Errors
/// As the contract says of `read`; `Integrity` where a list tells another digest of the whole object.
pub(super) async fn read(place: &Shared, key: &Key, request: ReadRequest) -> Result<Reader> {
    if place.capabilities.keys.refuse(key).is_some() {
        return Err(not_found(Operation::Read));
    }
    if request.version.is_some() {
        return Err(Error::unsupported(Operation::Read, "no old versions"));
    }
    if request.range.as_ref().is_some_and(|range| range.start >= range.end) {
        return Ok(Reader { entry: stat(place, Operation::Read, key).await?, body: Body::empty() });
    }
    let mut call = get(Operation::Read, place.address.of(key));
    if let Some(range) = &request.range {
        call.header("range", &format!("bytes={}-{}", range.start, range.end - 1));
    }
    let answer = fetch(place, call).await?;
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        let entry = stat(place, Operation::Read, key).await?;
        still(&request, &entry)?;
        return Ok(Reader { entry, body: Body::empty() });
    }
    let (head, body) = succeeded(Operation::Read, answer).await?.into_parts();
    let whole = head.status == StatusCode::OK && !head.headers.contains_key(header::CONTENT_RANGE);
    let asked = request.range.as_ref().filter(|_| !whole);
    let Extent { len, total } = extent(head.status, &head.headers, asked)?;
    let entry = entry(place, key, Some(total), &head.headers);
    still(&request, &entry)?;
    let check = (len == total).then(|| Check::strongest(&entry.digests)).flatten();
    let chunks = coalesced(body);
    let (len, chunks) = match request.range.filter(|_| whole) {
        None => (len, checked(chunks, len, check).boxed()),
        Some(range) => {
            let end = range.end.min(total);
            let len = end.saturating_sub(range.start);
            (len, checked(part(chunks, range.start, len), len, None).boxed())
        }
    };
    let (place, key) = (place.clone(), key.clone());
    let chunks = chunks.map_err(move |error| place.name_error(error, Some(&key))).boxed();
    Ok(Reader { entry, body: Body::stream(Some(len), chunks) })
}

/// # Errors
/// `Precondition`, unless what was found is what was asked for.
fn still(request: &ReadRequest, found: &Entry) -> Result<()> {
    if request.if_match.is_none() || request.if_match == found.etag {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Precondition, Operation::Read).because("another object lies there now"))
}

/// Of what streams by, `len` bytes after the first `skip`.
fn part(
    chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    skip: u64,
    len: u64,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let state = (Box::pin(chunks), skip, len);
    stream::try_unfold(state, |(mut chunks, mut skip, left)| async move {
        loop {
            let next = if left > 0 { chunks.try_next().await? } else { None };
            let Some(mut chunk) = next else { return Ok(None) };
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            drop(chunk.split_to(passed));
            skip -= passed as u64;
            chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            if !chunk.is_empty() {
                let left = left - chunk.len() as u64;
                return Ok(Some((chunk, (chunks, skip, left))));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_of_what_streams_by() {
        for (skip, len, wanted) in [(0, 2, "ab"), (3, 4, "defg"), (8, 5, "ij"), (10, 3, ""), (4, 0, "")] {
            let chunks = stream::iter(["abc", "", "def", "ghij"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))));
            let read: Vec<u8> = part(chunks, skip, len)
                .try_fold(Vec::new(), |all, chunk| async move { Ok([all, chunk.to_vec()].concat()) })
                .await
                .unwrap();
            assert_eq!(read, wanted.as_bytes(), "{skip} {len}");
        }
    }
}
