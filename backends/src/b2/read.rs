//! Facts and bytes of one object.

use futures::{StreamExt, TryStreamExt};
use http::{HeaderValue, Method, StatusCode, header};

use super::{
    account::has_status,
    fault::fault_of,
    info::{self, Infos},
    list,
    names::{encoded, fits_address},
    place::Shared,
};
use crate::{
    body::Body,
    entry::{Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    web::{
        body::{coalesced, collect},
        checked::{Check, checked, cut_off},
        client::Answer,
        headers::text,
        range::{Extent, extent},
    },
};

/// Answers up to this many bytes are gathered and checked before they are handed on.
const SMALL: u64 = 256 * 1024;

/// Asks for a file, by its id or by its name.
async fn ask(
    place: &Shared,
    operation: Operation,
    method: Method,
    key: &Key,
    version: Option<&Version>,
    range: Option<HeaderValue>,
) -> Result<Answer> {
    let version = match version {
        Some(version) => Some(version.clone()),
        // An address cannot name every key.
        None if place.version_at.is_none() && !fits_address(key) => Some(list::current(place, key).await?),
        None => list::version_at(place, key).await?,
    };
    let address = |session: &super::account::Session| match &version {
        Some(id) => format!("b2api/v{}/b2_download_file_by_id?fileId={}", session.version(), encoded(id)),
        None => format!("file/{}/{}", encoded(&place.bucket), encoded(key)),
    };
    let answer = place.account.download(operation, method, address, range).await.map_err(as_missing)?;
    // An id is of some name, which may be another.
    let told = text(answer.headers(), "x-bz-file-name").and_then(super::names::decoded);
    if told.is_some_and(|told| told != key.as_str()) {
        return Err(Error::new(ErrorKind::NotFound, operation).because("the version is one of another name"));
    }
    Ok(answer)
}

/// An id the service does not know, or that is no id, is answered with 400.
fn as_missing(error: Error) -> Error {
    match fault_of(&error) {
        Some(fault) if fault.status == 400 => Error::new(ErrorKind::NotFound, error.operation()).because(fault.clone()),
        _ => error,
    }
}

/// A `HEAD`: everything a `GET` tells.
///
/// # Errors
/// As the contract says of `stat`.
pub(super) async fn stat(place: &Shared, key: &Key, version: Option<&Version>) -> Result<Entry> {
    facts(place, Operation::Stat, key, version).await.map(|(entry, _)| entry)
}

/// As [`stat`], with the infos as they are stored.
///
/// # Errors
/// As [`stat`].
pub(super) async fn facts(
    place: &Shared,
    operation: Operation,
    key: &Key,
    version: Option<&Version>,
) -> Result<(Entry, Infos)> {
    let answer = ask(place, operation, Method::HEAD, key, version, None).await?;
    let size = text(answer.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    info::read(key, size, answer.headers())
}

/// A `GET`.
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
    let range = request.range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
    let range = range.map(|range| HeaderValue::from_str(&range).expect("digits are no obstacle to a header"));
    let answer = match ask(place, Operation::Read, Method::GET, key, request.version.as_ref(), range).await {
        Ok(answer) => answer,
        Err(error) => return past_the_end(place, key, &request, error).await,
    };
    let (head, incoming) = answer.into_parts();
    let Extent { len, total } = extent(head.status, &head.headers, request.range.as_ref())?;
    let (entry, _) = info::read(key, Some(total), &head.headers)?;
    // A range is no whole object, whose digest is known.
    let check = (len == total).then(|| Check::strongest(&entry.digests)).flatten();
    let body = if len <= SMALL {
        let limit = usize::try_from(SMALL).expect("256 KiB fit a usize");
        let bytes = collect(incoming, limit).await?;
        if bytes.len() as u64 != len {
            return Err(cut_off(len, bytes.len() as u64));
        }
        if let Some(mut check) = check {
            check.update(&bytes);
            check.finish()?;
        }
        Body::from(bytes)
    } else {
        let (place, key) = (place.clone(), key.clone());
        let chunks = checked(coalesced(incoming), len, check);
        Body::stream(Some(len), chunks.map_err(move |error| place.name_error(error, Some(&key))).boxed())
    };
    Ok(Reader { entry, body })
}

/// A range from byte 0 of an object without bytes is refused (416), though it is cut to nothing by our contract.
async fn past_the_end(place: &Shared, key: &Key, request: &ReadRequest, error: Error) -> Result<Reader> {
    let unsatisfiable = has_status(&error, StatusCode::RANGE_NOT_SATISFIABLE);
    if !unsatisfiable || request.range.as_ref().is_none_or(|range| range.start > 0) {
        return Err(error);
    }
    let entry = stat(place, key, request.version.as_ref()).await?;
    if entry.size == Some(0) { Ok(Reader { entry, body: Body::empty() }) } else { Err(error) }
}
