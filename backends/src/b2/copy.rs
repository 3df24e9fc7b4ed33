//! Copies inside the account: no byte passes through us.

use std::{ops::Range, sync::Arc};

use http::Method;
use serde_json::{Value, json};

use super::{
    account::Session,
    fault::fault_of,
    info::{self, File},
    list,
    multipart::ToldPart,
    names::{encoded, fits_address},
    place::Shared,
    put, read,
};
use crate::{
    entry::{Algorithm, Entry, Key, Timestamp, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, Part, PutRequest, UploadToken},
    web::headers::text,
};

/// `b2_copy_file`.
///
/// Without [`PutRequest::replace_metadata`] everything beside the bytes travels along. Where `request` names a time that
/// the source does not record, the copy is made again with that time.
///
/// # Errors
/// As the contract says of `copy`.
pub(super) async fn copy(place: &Shared, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
    place.accept(Operation::Copy, key)?;
    source.near(Operation::Copy, &place.capabilities)?;
    put::condition(place, Operation::Copy, key, &request).await?;
    let id = id_of(place, Operation::Copy, source).await?;
    if request.replace_metadata {
        // Whether the SHA-1 of the whole stands among the infos is not in the request, and it must not get lost.
        let asked = replacing(place, Operation::Copy, &id, key, &request, true).await?;
        return send(place, asked, key, source.size, &request).await;
    }
    let asked = asked(place, Operation::Copy, &id, key).await?;
    let copied = send(place, asked, key, source.size, &request).await?;
    match request.modified {
        Some(time) if copied.modified != Some(millis(time)) => {
            let mut whole = request.clone();
            whole.fill_from(&copied);
            whole.modified = Some(time);
            let id = copied.version.clone().unwrap_or(id);
            let asked = replacing(place, Operation::Copy, &id, key, &whole, true).await?;
            send(place, asked, key, source.size, &whole).await
        }
        _ => Ok(copied),
    }
}

/// A copy onto itself that replaces what stands beside the bytes: a new version. What `request` leaves open stays.
///
/// # Errors
/// As the contract says of `set_metadata`.
pub(super) async fn set_metadata(place: &Shared, key: &Key, mut request: PutRequest) -> Result<()> {
    place.accept(Operation::SetMetadata, key)?;
    let (now, infos) = read::facts(place, Operation::SetMetadata, key, None).await?;
    let id = now.version.clone().ok_or_else(|| unsaid(Operation::SetMetadata))?;
    request.fill_from(&now);
    let large = info::tells_large_sha1(&infos);
    let asked = replacing(place, Operation::SetMetadata, &id, key, &request, large).await?;
    send(place, asked, key, now.size, &request).await.map(drop)
}

/// `b2_copy_part`.
///
/// # Errors
/// As the contract says of `copy_part`.
pub(super) async fn copy_part(
    place: &Shared,
    token: &UploadToken,
    number: u32,
    source: &CopySource,
    range: Range<u64>,
) -> Result<Part> {
    place.accept_change(Operation::CopyPart)?;
    source.near(Operation::CopyPart, &place.capabilities)?;
    let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
        return Err(Error::new(ErrorKind::BadRequest, Operation::CopyPart).because("the range is empty"));
    };
    let asked = json!({
        "sourceFileId": id_of(place, Operation::CopyPart, source).await?,
        "largeFileId": token.id,
        "partNumber": number,
        "range": format!("bytes={}-{last}", range.start),
    });
    let told: ToldPart = place.account.call(Operation::CopyPart, "b2_copy_part", &asked).await?;
    let part = told.part();
    if part.size != range.end - range.start || part.digests.get(Algorithm::Sha1).is_none() {
        return Err(Error::new(ErrorKind::Integrity, Operation::CopyPart).because("another part was copied"));
    }
    Ok(part)
}

/// The id of the version to copy, asked for where the source does not name it.
async fn id_of(place: &Shared, operation: Operation, source: &CopySource) -> Result<Version> {
    if let Some(version) = &source.version {
        return Ok(version.clone());
    }
    if source.container == place.bucket && !fits_address(&source.key) {
        return list::current(place, &source.key).await;
    }
    let address = |_: &Session| format!("file/{}/{}", encoded(&source.container), encoded(&source.key));
    let answer = place.account.download(operation, Method::HEAD, address, None).await?;
    text(answer.headers(), "x-bz-file-id").map(Arc::from).ok_or_else(|| unsaid(operation))
}

fn unsaid(operation: Operation) -> Error {
    Error::new(ErrorKind::Integrity, operation).because("the answer does not name a version")
}

async fn asked(place: &Shared, operation: Operation, id: &str, key: &Key) -> Result<Value> {
    Ok(json!({
        "sourceFileId": id,
        "fileName": key.as_str(),
        "destinationBucketId": place.id(operation).await?,
        "metadataDirective": "COPY",
    }))
}

async fn replacing(
    place: &Shared,
    operation: Operation,
    id: &str,
    key: &Key,
    request: &PutRequest,
    large: bool,
) -> Result<Value> {
    let mut asked = asked(place, operation, id, key).await?;
    asked["metadataDirective"] = "REPLACE".into();
    asked["contentType"] = info::content_type(request).into();
    asked["fileInfo"] = json!(info::infos(operation, key, request, large)?);
    Ok(asked)
}

async fn send(place: &Shared, asked: Value, key: &Key, size: Option<u64>, request: &PutRequest) -> Result<Entry> {
    let file: File = match place.account.call(Operation::Copy, "b2_copy_file", &asked).await {
        Ok(file) => file,
        Err(error) => match made_before(place, key, size, request, &error).await {
            Some(file) => file,
            None => return Err(error),
        },
    };
    let entry = file.stored(Operation::Copy)?;
    if size.is_some_and(|size| entry.size != Some(size)) {
        return Err(Error::new(ErrorKind::Precondition, Operation::Copy).because("the copy is of another content"));
    }
    Ok(entry)
}

/// Where no answer came: the newest version, if it has the content and the time the copy was to have. Only where the
/// SHA-1 is known that can be told.
async fn made_before(
    place: &Shared,
    key: &Key,
    size: Option<u64>,
    request: &PutRequest,
    error: &Error,
) -> Option<File> {
    let unanswered = fault_of(error).is_none_or(|fault| fault.status >= 500 && fault.status != 503);
    let sha1 = request.digests.get(Algorithm::Sha1).filter(|_| unanswered)?;
    let file = put::newest(place, Operation::Copy, key).await.ok()??;
    let entry = file.clone().entry().ok()??;
    let same = entry.is_object()
        && size.is_none_or(|size| entry.size == Some(size))
        && entry.digests.get(Algorithm::Sha1) == Some(sha1)
        && request.modified.is_none_or(|time| entry.modified == Some(millis(time)));
    same.then_some(file)
}

/// A time as B2 records it.
fn millis(time: Timestamp) -> Timestamp {
    const MILLI: i64 = 1_000_000;
    Timestamp::from_nanos(time.as_nanos().div_euclid(MILLI) * MILLI)
}
