//! Facts and bytes of one object.

use std::{collections::BTreeMap, ops::Range, sync::atomic::Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Method, StatusCode, header};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::{
    fault::{fault_of, from_sdk},
    headers::{quoted, text},
    list,
    place::{Place, Shared},
    provider::Taken,
    wire::{Call, body},
};
use crate::{
    body::Body,
    entry::{Digests, Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
};

/// Answers up to this many bytes are gathered and checked before they are handed on.
const SMALL: u64 = 256 * 1024;

/// HEAD.
///
/// # Errors
/// As the contract says of `stat`.
pub(super) async fn stat(place: &Shared, key: &Key, version: Option<&Version>) -> Result<Entry> {
    let version = match version {
        None => list::version_at(place, key).await?,
        version => version.cloned(),
    };
    let mut call = Call::new(Operation::Stat, Method::HEAD, Some(key));
    if let Some(version) = &version {
        call.query("versionId", version.as_ref());
    }
    ask_for_checksums(place, &mut call);
    let answer = match place.wire.send(call).await {
        Ok(answer) => answer,
        Err(error) => return Err(with_bucket(place, error).await),
    };
    place.learned.bucket_seen.store(true, Ordering::Relaxed);
    let size = text(answer.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    Ok(place.entry(key, size, answer.headers()))
}

/// GET.
///
/// # Errors
/// As the contract says of `read`.
pub(super) async fn read(place: &Shared, key: &Key, request: ReadRequest) -> Result<Reader> {
    if let Some(range) = &request.range
        && range.start >= range.end
    {
        let entry = stat(place, key, request.version.as_ref()).await?;
        return Ok(Reader { entry, body: Body::empty() });
    }
    let version = match &request.version {
        None => list::version_at(place, key).await?,
        version => version.clone(),
    };
    let mut call = Call::new(Operation::Read, Method::GET, Some(key));
    if let Some(version) = &version {
        call.query("versionId", version.to_string());
    }
    if let Some(range) = &request.range {
        call.header("range", &format!("bytes={}-{}", range.start, range.end - 1));
    }
    if let Some(etag) = &request.if_match {
        call.header("if-match", &quoted(etag));
    }
    ask_for_checksums(place, &mut call);
    let answer = match place.wire.send(call).await {
        Ok(answer) => answer,
        Err(error) => return past_the_end(place, key, &request, error).await,
    };
    let (head, incoming) = answer.into_parts();
    let Extent { len, total } = extent(head.status, &head.headers, request.range.as_ref())?;
    let entry = place.entry(key, Some(total), &head.headers);
    if let (Some(asked), Some(got)) = (&request.if_match, &entry.etag)
        && asked != got
    {
        return Err(Error::new(ErrorKind::Precondition, Operation::Read).because("the server did not heed If-Match"));
    }
    // A range is no whole object, whose digest is known.
    let check = (len == total).then(|| Check::strongest(&entry.digests)).flatten();
    let body = if len <= SMALL {
        let limit = usize::try_from(SMALL).expect("256 KiB fit a usize");
        let bytes = body::collect(incoming, limit).await?;
        if bytes.len() as u64 != len {
            return Err(cut_off(len, bytes.len() as u64));
        }
        if let Some(mut check) = check {
            check.update(&bytes);
            check.finish().map_err(|error| place.name_error(error, Some(key)))?;
        }
        Body::from(bytes)
    } else {
        let (place, key) = (place.clone(), key.clone());
        let chunks = checked(body::coalesced(incoming), len, check);
        Body::stream(Some(len), chunks.map_err(move |error| place.name_error(error, Some(&key))).boxed())
    };
    Ok(Reader { entry, body })
}

/// Checksums are told on request only.
fn ask_for_checksums(place: &Place, call: &mut Call<'_>) {
    if place.provider.checksums == Taken::Yes {
        call.header("x-amz-checksum-mode", "ENABLED");
    }
}

/// A 404 without a body may mean the object or the bucket; asked only while the bucket was never seen.
async fn with_bucket(place: &Place, error: Error) -> Error {
    let silent = fault_of(&error).is_some_and(|fault| fault.status == 404 && fault.code.is_empty());
    if !silent || place.learned.bucket_seen.load(Ordering::Relaxed) {
        return error;
    }
    match place.wire.send(Call::new(Operation::Stat, Method::HEAD, None)).await {
        Ok(_) => {
            place.learned.bucket_seen.store(true, Ordering::Relaxed);
            error
        }
        Err(bucket) if bucket.kind() == ErrorKind::NotFound => {
            Error::new(ErrorKind::NoSuchContainer, error.operation())
        }
        Err(_) => error,
    }
}

/// A range from byte 0 of an object without bytes is refused (416), though it is cut to nothing by our contract.
async fn past_the_end(place: &Shared, key: &Key, request: &ReadRequest, error: Error) -> Result<Reader> {
    let unsatisfiable = fault_of(&error).is_some_and(|fault| fault.status == StatusCode::RANGE_NOT_SATISFIABLE);
    if !unsatisfiable || request.range.as_ref().is_none_or(|range| range.start > 0) {
        return Err(error);
    }
    let entry = stat(place, key, request.version.as_ref()).await?;
    if entry.size == Some(0) { Ok(Reader { entry, body: Body::empty() }) } else { Err(error) }
}

#[derive(Debug, PartialEq, Eq)]
struct Extent {
    /// Bytes in this answer.
    len: u64,
    /// Bytes in the object.
    total: u64,
}

/// Checks that the answer is about the range that was asked for.
fn extent(status: StatusCode, headers: &HeaderMap, range: Option<&Range<u64>>) -> Result<Extent> {
    let wrong = |what: String| Error::new(ErrorKind::Integrity, Operation::Read).because(what);
    let length = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let len: u64 = length.ok_or_else(|| wrong("the answer does not tell its length".to_owned()))?;
    let Some(asked) = range else {
        return match status {
            StatusCode::OK => Ok(Extent { len, total: len }),
            status => Err(wrong(format!("the whole object was asked for, and {status} was answered"))),
        };
    };
    // Some servers answer ranges with 200, and say so by the header alone.
    if status == StatusCode::OK && !headers.contains_key(header::CONTENT_RANGE) {
        // The server does not know ranges; that does not matter where all was asked for.
        if asked.start == 0 && asked.end >= len {
            return Ok(Extent { len, total: len });
        }
        return Err(Error::unsupported(Operation::Read, "the server does not answer ranges"));
    }
    let told = text(headers, header::CONTENT_RANGE).unwrap_or_default();
    let parsed = content_range(told).ok_or_else(|| wrong(format!("'{told}' is no range of bytes")))?;
    let (got, total) = parsed;
    if got.start != asked.start || got.end != asked.end.min(total) || got.end - got.start != len {
        let (start, end) = (asked.start, asked.end);
        return Err(wrong(format!("bytes {start}-{} were asked for, and '{told}' came", end.saturating_sub(1))));
    }
    Ok(Extent { len, total })
}

/// `bytes 0-9/100` as a half-open range and the total.
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first..last.checked_add(1)?, total.parse().ok()?))
}

fn cut_off(announced: u64, came: u64) -> Error {
    Error::new(ErrorKind::Unavailable, Operation::Read)
        .because(format!("{came} bytes came of the {announced} announced"))
}

/// A digest computed as bytes pass, and what it is to be.
pub(super) enum Check {
    Sha256(Box<Sha256>, [u8; 32]),
    Md5(Box<Md5>, [u8; 16]),
}

impl Check {
    /// By SHA-256 where it is known, else by MD5.
    pub fn strongest(digests: &Digests) -> Option<Self> {
        digests
            .sha256()
            .map(|expected| Self::Sha256(Box::default(), expected))
            .or_else(|| Some(Self::Md5(Box::default(), digests.md5()?)))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state, _) => state.update(bytes),
            Self::Md5(state, _) => state.update(bytes),
        }
    }

    pub fn finish(self) -> Result<()> {
        let (name, equal) = match self {
            Self::Sha256(state, expected) => ("SHA-256", <[u8; 32]>::from(state.finalize()) == expected),
            Self::Md5(state, expected) => ("MD5", <[u8; 16]>::from(state.finalize()) == expected),
        };
        if equal {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Integrity, Operation::Read)
            .because(format!("the bytes do not have the {name} they were said to have")))
    }
}

/// Passes `chunks` on and ends in an error where they are not `len` bytes or not what `check` expects. The last
/// chunk is held back until its digest is proven, so that nobody takes a wrong whole for a right one.
pub(super) fn checked(
    chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    len: u64,
    check: Option<Check>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    struct State<S> {
        chunks: S,
        left: u64,
        check: Option<Check>,
    }
    let state = State { chunks: Box::pin(chunks), left: len, check };
    stream::try_unfold(state, move |mut state| async move {
        let Some(chunk) = state.chunks.try_next().await? else {
            return if state.left == 0 { Ok(None) } else { Err(cut_off(len, len - state.left)) };
        };
        state.left = state.left.checked_sub(chunk.len() as u64).ok_or_else(|| cut_off(len, u64::MAX))?;
        if let Some(check) = &mut state.check {
            check.update(&chunk);
        }
        if state.left == 0
            && let Some(check) = state.check.take()
        {
            check.finish()?;
        }
        Ok(Some((chunk, state)))
    })
}

/// GetObjectTagging.
///
/// # Errors
/// As the contract says of `stat`.
pub(super) async fn tags(place: &Place, key: &Key, version: Option<&Version>) -> Result<BTreeMap<String, String>> {
    let call = place.sdk.get_object_tagging().bucket(&place.bucket).key(key.as_str());
    let call = call.set_version_id(version.map(|version| version.to_string())).set_request_payer(place.payer());
    let answer = call.send().await.map_err(|error| from_sdk(Operation::Stat, error))?;
    Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::entry::Digest;

    fn answer(status: StatusCode, length: &'static str, range: &'static str) -> (StatusCode, HeaderMap) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_static(range));
        (status, headers)
    }

    #[test]
    fn ranges_are_checked() {
        let (status, headers) = answer(StatusCode::PARTIAL_CONTENT, "10", "bytes 5-14/100");
        assert_eq!(extent(status, &headers, Some(&(5..15))).unwrap(), Extent { len: 10, total: 100 });
        for asked in [4..14, 5..16, 5..14] {
            assert_eq!(extent(status, &headers, Some(&asked)).unwrap_err().kind(), ErrorKind::Integrity);
        }
        assert_eq!(extent(status, &headers, None).unwrap_err().kind(), ErrorKind::Integrity);
        let (status, headers) = answer(StatusCode::PARTIAL_CONTENT, "10", "bytes 90-99/100");
        assert_eq!(extent(status, &headers, Some(&(90..500))).unwrap().len, 10, "cut to the end");
        assert!(extent(StatusCode::OK, &headers, Some(&(90..100))).is_ok(), "as rclone answers");
        let (status, mut headers) = answer(StatusCode::OK, "100", "");
        headers.remove(header::CONTENT_RANGE);
        assert_eq!(extent(status, &headers, Some(&(0..100))).unwrap(), Extent { len: 100, total: 100 });
        assert_eq!(extent(status, &headers, Some(&(1..100))).unwrap_err().kind(), ErrorKind::Unsupported);
        for wrong in ["", "bytes */100", "bytes 9-5/100", "bytes 0-9", "bytes 0-18446744073709551615/1"] {
            assert!(content_range(wrong).is_none(), "{wrong}");
        }
    }

    async fn drain(content: &'static [&'static [u8]], len: u64, digests: Digests) -> Result<usize> {
        let chunks = stream::iter(content.iter().map(|chunk| Ok(Bytes::from_static(chunk))));
        checked(chunks, len, Check::strongest(&digests))
            .try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) })
            .await
    }

    #[tokio::test]
    async fn bodies_are_checked_to_their_end() {
        let sha256 = |bytes: &[u8]| [Digest::Sha256(Sha256::digest(bytes).into())].into_iter().collect::<Digests>();
        let md5 = |bytes: &[u8]| [Digest::Md5(Md5::digest(bytes).into())].into_iter().collect::<Digests>();
        assert_eq!(drain(&[b"ab", b"c"], 3, sha256(b"abc")).await.unwrap(), 3);
        assert_eq!(drain(&[b"ab", b"c"], 3, md5(b"abc")).await.unwrap(), 3);
        assert_eq!(drain(&[b"ab", b"d"], 3, sha256(b"abc")).await.unwrap_err().kind(), ErrorKind::Integrity);
        assert_eq!(drain(&[b"ab", b"d"], 3, md5(b"abc")).await.unwrap_err().kind(), ErrorKind::Integrity);
        assert_eq!(drain(&[b"ab"], 3, Digests::new()).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(drain(&[b"abcd"], 3, Digests::new()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
