//! Facts and bytes of one object.

use futures::{StreamExt, TryStreamExt};
use http::{StatusCode, header};

use super::{
    place::{Place, Shared, not_found},
    properties::{described, look_at_object},
};
use crate::{
    body::Body,
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    web::{
        body::coalesced,
        checked::checked,
        headers::{etag, http_date, text},
        range::extent,
        site::{get, succeeded},
    },
};

/// PROPFIND.
///
/// # Errors
/// As the contract says of `stat`.
pub(super) async fn stat(place: &Place, key: &Key) -> Result<Entry> {
    if place.cannot_be(key) {
        return Err(not_found(Operation::Stat));
    }
    Ok(described(place, key.clone(), look_at_object(place, Operation::Stat, key).await?))
}

/// GET. Whether it is still the object that is meant is seen by the answer's own `ETag`, weak ones included: `If-Match`
/// never holds for those (RFC 9110, 13.1.1), and a server that ignores it would not be noticed.
///
/// # Errors
/// As the contract says of `read`.
pub(super) async fn read(place: &Shared, key: &Key, request: ReadRequest) -> Result<Reader> {
    if place.cannot_be(key) {
        return Err(not_found(Operation::Read));
    }
    if request.version.is_some() {
        return Err(Error::unsupported(Operation::Read, "no old versions"));
    }
    if request.range.as_ref().is_some_and(|range| range.start >= range.end) {
        return Ok(Reader { entry: stat(place, key).await?, body: Body::empty() });
    }
    let mut call = get(Operation::Read, place.address.of(key));
    if let Some(range) = &request.range {
        call.header("range", &format!("bytes={}-{}", range.start, range.end - 1));
    }
    let (answer, from) = place.site.fetch(call, None).await?;
    if from.path().ends_with('/') {
        // A collection, shown to people.
        return Err(not_found(Operation::Read));
    }
    let asked = &request.if_match;
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        return past_the_end(place, key, asked.as_deref()).await;
    }
    let answer = succeeded(Operation::Read, answer).await?;
    let (mut head, body) = answer.into_parts();
    let mut facts = None;
    let told = etag(&head.headers);
    if !head.headers.contains_key(header::CONTENT_LENGTH) || asked.is_some() && told.is_none() {
        let found = look_at_object(place, Operation::Read, key).await?;
        if let Some(length) = found.length.filter(|_| !head.headers.contains_key(header::CONTENT_LENGTH)) {
            head.headers.insert(header::CONTENT_LENGTH, length.into());
        }
        facts = Some(found);
    }
    let extent = extent(head.status, &head.headers, request.range.as_ref())?;
    let mut entry = Entry::object(key.clone(), extent.total);
    entry.etag = told.or_else(|| facts.and_then(|facts| facts.etag));
    entry.stored = text(&head.headers, header::LAST_MODIFIED).and_then(http_date);
    entry.modified = entry.stored.filter(|_| place.tells_times());
    still(asked.as_deref(), entry.etag.as_deref())?;
    let (place, key) = (place.clone(), key.clone());
    let chunks = checked(coalesced(body), extent.len, None);
    let chunks = chunks.map_err(move |error| place.name_error(error, Some(&key))).boxed();
    Ok(Reader { entry, body: Body::stream(Some(extent.len), chunks) })
}

/// A range that begins at the end is cut to nothing by our contract.
async fn past_the_end(place: &Shared, key: &Key, asked: Option<&str>) -> Result<Reader> {
    let entry = stat(place, key).await?;
    still(asked, entry.etag.as_deref())?;
    Ok(Reader { entry, body: Body::empty() })
}

/// # Errors
/// `Precondition`, unless what was found is what was asked for.
pub(super) fn still(asked: Option<&str>, found: Option<&str>) -> Result<()> {
    if asked.is_none() || asked == found {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Precondition, Operation::Read).because("another object lies there now"))
}
