//! Facts and bytes of one object.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use futures::{StreamExt, TryStreamExt};
use http::{Method, StatusCode, header};

use super::{
    fault::{fault_of, from_sdk},
    headers::{quoted, text},
    list,
    place::{Place, Shared},
    provider::Taken,
    wire::Call,
};
use crate::{
    body::Body,
    entry::{Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    web::{
        body,
        checked::{Check, checked, cut_off},
        range::{Extent, extent},
    },
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
