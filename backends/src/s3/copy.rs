//! Copies inside the endpoint: no byte passes through us.

use std::{ops::Range, sync::Arc};

use http::{HeaderMap, Method};

use super::{
    fault::{Fault, fault_of},
    headers::{self, conditions, describe, quoted, text, unquoted},
    place::{Place, Shared},
    put::as_exists,
    read,
    wire::{Call, encode, xml},
};
use crate::{
    entry::{Digest, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, Part, PutRequest, UploadToken},
};

/// CopyObject.
///
/// Without [`PutRequest::replace_metadata`] the source's metadata travel along, its recorded time and digests
/// among them. Only where `request` names a time and the source lies in this bucket does the source's own have to
/// be looked at, and then, where they differ, all metadata are written again.
///
/// # Errors
/// As the contract says of `copy`.
pub(super) async fn copy(place: &Shared, source: &CopySource, key: &Key, mut request: PutRequest) -> Result<Entry> {
    place.accept(Operation::Copy, key)?;
    source.near(Operation::Copy, &place.capabilities)?;
    if !request.replace_metadata && request.modified.is_some() && source.container == place.bucket {
        keep_metadata(place, source, &mut request).await?;
    }
    let mut call = Call::new(Operation::Copy, Method::PUT, Some(key));
    name_source(&mut call, source);
    if request.replace_metadata {
        call.header("x-amz-metadata-directive", "REPLACE");
        describe(&mut call, &request, &place.defaults)?;
        if call.headers.contains_key("x-amz-tagging") {
            call.header("x-amz-tagging-directive", "REPLACE");
        }
    } else {
        headers::place(&mut call, &request, &place.defaults);
    }
    conditions(&mut call, &request);
    let (headers, body) = place
        .wire
        .send_collect(call)
        .await
        .map_err(|error| if request.if_absent { as_exists(error) } else { error })?;
    place.learn(&headers);
    let copied = match Copied::read(Operation::Copy, &headers, &body) {
        // rclone does not tell the outcome of a copy of an object onto itself.
        Err(error) if fault_of(&error).is_none() && source.key == *key && source.container == place.bucket => {
            let now = read::stat(place, key, None).await?;
            Copied { etag: now.etag.unwrap_or_default(), stored: now.stored }
        }
        copied => copied?,
    };
    check_etag(place, source, &copied.etag)?;
    let mut entry = Entry::object(key.clone(), 0);
    entry.size = source.size;
    entry.modified = request.modified;
    entry.stored = copied.stored;
    entry.version = place.version(text(&headers, "x-amz-version-id"));
    entry.digests = request.digests.clone();
    if let Some(md5) = place.etag_md5(&copied.etag) {
        entry.digests.set(Digest::Md5(md5));
    }
    entry.etag = Some(copied.etag);
    entry.metadata = request.replace_metadata.then_some(request.metadata);
    Ok(entry)
}

/// UploadPartCopy.
///
/// # Errors
/// As the contract says of `copy_part`.
pub(super) async fn copy_part(
    place: &Place,
    token: &UploadToken,
    number: u32,
    source: &CopySource,
    range: Range<u64>,
) -> Result<Part> {
    place.accept_change(Operation::CopyPart)?;
    let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
        return Err(Error::new(ErrorKind::BadRequest, Operation::CopyPart).because("the range is empty"));
    };
    let mut call = Call::new(Operation::CopyPart, Method::PUT, Some(&token.key));
    call.query("partNumber", number.to_string());
    call.query("uploadId", token.id.as_str());
    name_source(&mut call, source);
    call.header("x-amz-copy-source-range", &format!("bytes={}-{last}", range.start));
    let (headers, body) = place.wire.send_collect(call).await?;
    let copied = Copied::read(Operation::CopyPart, &headers, &body)?;
    let md5 = place.etag_md5(&copied.etag).map(Digest::Md5);
    Ok(Part { number, size: range.end - range.start, etag: Some(copied.etag), digests: md5.into_iter().collect() })
}

/// A copy onto itself that replaces the metadata; what `request` leaves open stays as it is.
///
/// # Errors
/// As the contract says of `set_metadata`.
pub(super) async fn set_metadata(place: &Shared, key: &Key, mut request: PutRequest) -> Result<()> {
    place.accept(Operation::SetMetadata, key)?;
    let now = read::stat(place, key, None).await?;
    let source = CopySource {
        domain: place.capabilities.copy.as_ref().map(|copy| copy.domain.clone()).unwrap_or_default(),
        container: place.bucket.clone(),
        key: key.clone(),
        version: None,
        if_match: request.if_match.take().or_else(|| now.etag.clone()),
        size: now.size,
    };
    request.fill_from(&now);
    request.replace_metadata = true;
    copy(place, &source, key, request).await.map(drop)
}

/// Looks whether the source records another time than `request`, and has everything written again if so.
async fn keep_metadata(place: &Shared, source: &CopySource, request: &mut PutRequest) -> Result<()> {
    let now = read::stat(place, &source.key, source.version.as_ref()).await?;
    if now.modified == request.modified {
        return Ok(());
    }
    let time = request.modified;
    request.metadata = Arc::default();
    request.fill_from(&now);
    request.modified = time;
    request.replace_metadata = true;
    Ok(())
}

fn name_source(call: &mut Call<'_>, source: &CopySource) {
    let mut name = format!("{}/{}", encode::path(&source.container), encode::path(&source.key));
    if let Some(version) = &source.version {
        name.push('?');
        name.push_str(&encode::query(&mut [("versionId", version.as_ref().into())]));
    }
    call.header("x-amz-copy-source", &name);
    if let Some(etag) = &source.if_match {
        call.header("x-amz-copy-source-if-match", &quoted(etag));
    }
}

/// Two plain MD5s that differ are two contents: the server did not heed the condition.
fn check_etag(place: &Place, source: &CopySource, stored: &str) -> Result<()> {
    let before = source.if_match.as_deref().and_then(|etag| place.etag_md5(etag));
    match (before, place.etag_md5(stored)) {
        (Some(before), Some(after)) if before != after => {
            Err(Error::new(ErrorKind::Precondition, Operation::Copy).because("the copy is of another content"))
        }
        _ => Ok(()),
    }
}

/// What a copy answers.
struct Copied {
    etag: Arc<str>,
    stored: Option<Timestamp>,
}

impl Copied {
    /// A copy takes time, so the status comes before the outcome: an answer of success may hold an error.
    fn read(operation: Operation, headers: &HeaderMap, body: &[u8]) -> Result<Self> {
        let (mut etag, mut stored) = (None, None);
        let root = xml::fields(body, |name, text| match name {
            "ETag" => etag = Some(Arc::from(unquoted(&text))),
            "LastModified" => stored = text.parse::<jiff::Timestamp>().ok().map(Timestamp::from),
            _ => {}
        });
        match (root.as_deref(), etag) {
            (Some("Error"), _) => {
                let status = http::StatusCode::INTERNAL_SERVER_ERROR;
                Err(Fault::new(status, headers, body).into_error(operation))
            }
            (Some(_), Some(etag)) => Ok(Self { etag, stored }),
            _ => Err(Error::new(ErrorKind::Unavailable, operation).because("the answer does not tell the outcome")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_success_may_hold_an_error() {
        let read = |body: &str| Copied::read(Operation::Copy, &HeaderMap::new(), body.as_bytes());
        let good = "<CopyObjectResult><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                    <ETag>&quot;abc&quot;</ETag></CopyObjectResult>";
        assert_eq!(&*read(good).ok().unwrap().etag, "abc");
        let slow = "<Error><Code>SlowDown</Code><Message>m</Message></Error>";
        assert_eq!(read(slow).err().unwrap().kind(), ErrorKind::Throttled);
        let failed = "<Error><Code>Strange</Code></Error>";
        assert_eq!(read(failed).err().unwrap().kind(), ErrorKind::Unavailable);
        assert_eq!(read("").err().unwrap().kind(), ErrorKind::Unavailable);
        assert_eq!(read("<CopyObjectResult/>").err().unwrap().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn sources_are_encoded() {
        let source = CopySource {
            domain: String::new(),
            container: "bu".to_owned(),
            key: Key::new("a b/ü+%2F").unwrap(),
            version: Some("v&1".into()),
            if_match: Some("abc".into()),
            size: None,
        };
        let mut call = Call::new(Operation::Copy, Method::PUT, None);
        name_source(&mut call, &source);
        assert_eq!(call.headers["x-amz-copy-source"], "bu/a%20b/%C3%BC%2B%252F?versionId=v%261");
        assert_eq!(call.headers["x-amz-copy-source-if-match"], "\"abc\"");
    }
}
