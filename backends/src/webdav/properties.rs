//! PROPFIND and PROPPATCH: what the server tells of a member, and its time set.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use reqwest::Url;
use tokio::io::AsyncBufRead;

use super::{
    multistatus::{Multistatus, Properties, of_answer},
    place::{Place, not_found},
};
use crate::{
    entry::{Entry, Key, Metadata, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    web::{body::collect, client::Answer, site::succeeded, status},
};

/// What a listing asks for.
const LISTED: &[u8] = br#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/><getcontenttype/></prop></propfind>"#;

/// The same with checksums, which some servers compute when they are asked for.
const ALL: &[u8] = br#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:" xmlns:oc="http://owncloud.org/ns"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/><getcontenttype/><oc:checksums/></prop></propfind>"#;

/// How deep a PROPFIND looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Itself,
    Members,
    All,
}

/// Asks about `path`; `with_checksums` for all that can be told.
///
/// # Errors
/// By status; `Integrity` for an answer that is none.
pub(super) async fn ask(
    place: &Place,
    operation: Operation,
    path: &str,
    depth: Depth,
    with_checksums: bool,
) -> Result<Multistatus<impl AsyncBufRead + Unpin + Send + use<>>> {
    let answer = propfind(place, operation, place.address.of(path), depth, with_checksums).await?;
    place.collections.saw("");
    Ok(of_answer(operation, answer))
}

/// As [`ask`], of any address of the server.
///
/// # Errors
/// As [`ask`].
pub(super) async fn ask_at(
    place: &Place,
    operation: Operation,
    url: Url,
    depth: Depth,
    with_checksums: bool,
) -> Result<Multistatus<impl AsyncBufRead + Unpin + Send + use<>>> {
    Ok(of_answer(operation, propfind(place, operation, url, depth, with_checksums).await?))
}

async fn propfind(place: &Place, operation: Operation, url: Url, depth: Depth, all: bool) -> Result<Answer> {
    let mut call = place.call(operation, "PROPFIND", "");
    call.url = url;
    call.header("content-type", "application/xml; charset=utf-8");
    call.header(
        "depth",
        match depth {
            Depth::Itself => "0",
            Depth::Members => "1",
            Depth::All => "infinity",
        },
    );
    let body = Bytes::from_static(if all { ALL } else { LISTED });
    let (answer, _) = place.site.fetch(call, Some(body)).await?;
    place.learned.clock.heard(answer.headers());
    let answer = succeeded(operation, answer).await?;
    if answer.status() != StatusCode::MULTI_STATUS {
        let why = format!("PROPFIND was answered with {}: this is no WebDAV", answer.status());
        return Err(Error::unsupported(operation, why));
    }
    Ok(answer)
}

/// What is told of `path` itself.
///
/// # Errors
/// `NotFound`, and as [`ask`].
pub(super) async fn look(place: &Place, operation: Operation, path: &str) -> Result<Properties> {
    let found = look_at(place, operation, place.address.of(path)).await?;
    place.collections.saw("");
    Ok(found)
}

/// As [`look`], of any address of the server.
///
/// # Errors
/// As [`look`].
pub(super) async fn look_at(place: &Place, operation: Operation, url: Url) -> Result<Properties> {
    let answer = propfind(place, operation, url, Depth::Itself, true).await?;
    let mut told = of_answer(operation, answer);
    let member = told.next().await?.ok_or_else(|| not_found(operation))?;
    // The rest is read, so that the connection is used again.
    while told.next().await?.is_some() {}
    match member.status {
        None | Some(200..=299) => Ok(member.found),
        Some(refused) => Err(Error::new(status::kind(refused), operation).because(format!("HTTP {refused}"))),
    }
}

/// As [`look`], of an object.
///
/// # Errors
/// `NotFound` for a collection, too.
pub(super) async fn look_at_object(place: &Place, operation: Operation, path: &str) -> Result<Properties> {
    match look(place, operation, path).await? {
        found if found.collection => Err(not_found(operation)),
        found => Ok(found),
    }
}

/// As [`look`]; `None` where nothing is.
///
/// # Errors
/// As [`ask`].
pub(super) async fn look_if_there(place: &Place, operation: Operation, path: &str) -> Result<Option<Properties>> {
    match look(place, operation, path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        looked => looked.map(Some),
    }
}

/// The entry of a listing. It tells all that a stat would, unless checksums are told only there.
pub(super) fn listed(place: &Place, key: Key, found: Properties) -> Entry {
    let complete = !place.abilities.checksums || place.vendor.checksums;
    let entry = described(place, key, found);
    if complete { entry } else { Entry { metadata: None, ..entry } }
}

/// The entry of a stat.
pub(super) fn described(place: &Place, key: Key, found: Properties) -> Entry {
    let metadata = Metadata { content_type: found.content_type, ..Metadata::default() };
    Entry {
        size: found.length,
        stored: found.modified,
        modified: found.modified.filter(|_| place.tells_times()),
        etag: found.etag,
        digests: found.digests,
        metadata: Some(Arc::new(metadata)),
        ..Entry::object(key, 0)
    }
}

/// Sets the time of `path` as Nextcloud, ownCloud and rclone let one, and says whether it is set now: some servers keep
/// the property and not the time.
///
/// # Errors
/// `NotFound`; what stopped the calls.
pub(super) async fn touch(place: &Place, operation: Operation, path: &str, time: Timestamp) -> Result<bool> {
    let seconds = time.seconds();
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><propertyupdate xmlns="DAV:"><set><prop><lastmodified>{seconds}</lastmodified></prop></set></propertyupdate>"#
    );
    let mut call = place.call(operation, "PROPPATCH", path);
    call.header("content-type", "application/xml; charset=utf-8");
    let answer = place.site.send_body(call, body.into_bytes().into()).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(not_found(operation));
    }
    if answer.status().is_server_error() {
        return Err(succeeded(operation, answer).await.err().unwrap_or_else(|| not_found(operation)));
    }
    drop(collect(answer.into_body(), 64 * 1024).await);
    let found = look(place, operation, path).await?;
    let is_set = found.modified.is_some_and(|found| found.seconds() == seconds);
    if !is_set {
        place.belief.cannot_touch();
    }
    Ok(is_set)
}
