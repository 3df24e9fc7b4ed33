//! Uploads in parts: begun, completed, given up and found again. The parts themselves are `put`'s and `copy`'s.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use aws_sdk_s3::{
    operation::list_multipart_uploads::ListMultipartUploadsOutput,
    types::{CompletedMultipartUpload, CompletedPart, EncodingType, MultipartUpload},
};
use bytes::Bytes;
use http::{HeaderMap, Method};
use md5::{Digest as _, Md5};

use super::{
    fault::from_sdk,
    headers::{self, etag_digest, unquoted},
    list::decoded,
    place::{Place, Shared},
    put::as_exists,
    read,
    settings::Checksum,
    wire::{Call, xml},
};
use crate::{
    entry::{Algorithm, Digest, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{Begun, IncompleteUpload, Part, PutRequest, UploadToken},
};

/// CreateMultipartUpload; all that describes the object travels here.
///
/// # Errors
/// As the contract says of `begin`.
pub(super) async fn begin(place: &Place, key: &Key, request: &PutRequest) -> Result<UploadToken> {
    place.accept(Operation::Begin, key)?;
    let sent = match send_begin(place, key, request, place.part_checksum()).await {
        // It may be the checksum that it does not take; where the same goes through without, it was.
        Err(error) if matches!(error.kind(), ErrorKind::BadRequest | ErrorKind::Unsupported) => {
            if place.checksum != Checksum::Auto || place.part_checksum().is_none() {
                return Err(error);
            }
            let sent = send_begin(place, key, request, None).await.map_err(|_| error)?;
            place.learned.no_checksums.store(true, Ordering::Relaxed);
            sent
        }
        sent => sent?,
    };
    let (headers, body) = sent;
    place.learn(&headers);
    let mut id = String::new();
    let root = xml::fields(&body, |name, text| {
        if name == "UploadId" {
            id = text;
        }
    });
    if root.is_none() || id.is_empty() {
        return Err(Error::new(ErrorKind::Integrity, Operation::Begin).because("the answer names no upload"));
    }
    Ok(UploadToken { key: key.clone(), id })
}

async fn send_begin(
    place: &Place,
    key: &Key,
    request: &PutRequest,
    checksum: Option<Algorithm>,
) -> Result<(HeaderMap, Bytes)> {
    let mut call = Call::new(Operation::Begin, Method::POST, Some(key));
    call.query("uploads", "");
    headers::describe(&mut call, request, &place.defaults)?;
    headers::with_md5(&mut call, &request.digests);
    // A checksum of parts has to be announced; that of the whole follows from CRCs only.
    if let Some((algorithm, kind)) = checksum.and_then(announced) {
        call.header("x-amz-checksum-algorithm", algorithm);
        call.header("x-amz-checksum-type", kind);
    }
    place.wire.send_collect(call).await
}

/// CompleteMultipartUpload. An answer that got lost on the way is made up for: where the upload is gone and the
/// object is what the parts make, it was completed.
///
/// # Errors
/// As the contract says of `complete`.
pub(super) async fn complete(
    place: &Shared,
    token: &UploadToken,
    request: &PutRequest,
    parts: &[Part],
) -> Result<Entry> {
    place.accept_change(Operation::Complete)?;
    let wrong = |why: &str| Error::new(ErrorKind::BadRequest, Operation::Complete).because(why);
    if parts.is_empty() || parts.iter().zip(1..).any(|(part, number)| part.number != number) {
        return Err(wrong("the parts are not 1, 2, 3, …"));
    }
    let listed = parts.iter().map(|part| completed(place, part)).collect::<Result<Vec<_>>>()?;
    let upload = CompletedMultipartUpload::builder().set_parts(Some(listed)).build();
    let answer = place
        .sdk
        .complete_multipart_upload()
        .bucket(&place.bucket)
        .key(token.key.as_str())
        .upload_id(&token.id)
        .multipart_upload(upload)
        .set_if_none_match(request.if_absent.then(|| "*".to_owned()))
        .set_if_match(request.if_match.as_deref().map(headers::quoted))
        .set_request_payer(place.payer())
        .send()
        .await;
    let expected = parts_digest(place, parts);
    let size = parts.iter().map(|part| part.size).sum();
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let error = from_sdk(Operation::Complete, error);
            return match error.kind() {
                ErrorKind::NotFound => completed_before(place, token, size, expected).await.ok_or(error),
                _ if request.if_absent => Err(as_exists(error)),
                _ => Err(error),
            };
        }
    };
    let mut entry = Entry::object(token.key.clone(), size);
    entry.modified = request.modified;
    entry.etag = answer.e_tag().map(|etag| Arc::from(unquoted(etag)));
    entry.version = place.version(answer.version_id());
    entry.digests = request.digests.clone();
    entry.metadata = Some(Arc::clone(&request.metadata));
    let stored = entry.etag.as_deref().and_then(etag_digest).filter(|_| place.etag_is_md5());
    if let (Some(expected @ Digest::Parts { .. }), Some(stored @ Digest::Parts { .. })) = (expected, stored)
        && expected != stored
    {
        return Err(Error::new(ErrorKind::Integrity, Operation::Complete).because(format!(
            "the parts make {}, and {} was stored",
            expected.hex(),
            stored.hex()
        )));
    }
    if let Some(stored @ Digest::Parts { .. }) = stored {
        entry.digests.set(stored);
    }
    Ok(entry)
}

fn completed(place: &Place, part: &Part) -> Result<CompletedPart> {
    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    let number = i32::try_from(part.number)
        .map_err(|_| Error::new(ErrorKind::BadRequest, Operation::Complete).because("no such part number"))?;
    let etag = part.etag.as_deref().map(headers::quoted);
    let listed = CompletedPart::builder().part_number(number).set_e_tag(etag);
    // A checksum that was announced has to be repeated.
    let digest = place.part_checksum().and_then(|kind| part.digests.get(kind));
    Ok(match digest {
        Some(Digest::Crc64Nvme(sum)) => listed.checksum_crc64_nvme(BASE64.encode(sum.to_be_bytes())),
        Some(Digest::Crc32c(sum)) => listed.checksum_crc32_c(BASE64.encode(sum.to_be_bytes())),
        Some(Digest::Sha256(sum)) => listed.checksum_sha256(BASE64.encode(sum)),
        _ => listed,
    }
    .build())
}

/// The `ETag` the parts make, where theirs are MD5s.
fn parts_digest(place: &Place, parts: &[Part]) -> Option<Digest> {
    let mut state = Md5::new();
    for part in parts {
        state.update(place.etag_md5(part.etag.as_deref()?)?);
    }
    Some(Digest::Parts { md5: state.finalize().into(), parts: u32::try_from(parts.len()).ok()? })
}

/// The object, if it is what the parts make.
async fn completed_before(place: &Shared, token: &UploadToken, size: u64, expected: Option<Digest>) -> Option<Entry> {
    let expected = expected?;
    let entry = read::stat(place, &token.key, None).await.ok()?;
    let same = entry.size == Some(size) && entry.digests.get(Algorithm::Parts) == Some(expected);
    same.then_some(entry)
}

/// AbortMultipartUpload.
///
/// # Errors
/// As the contract says of `abort`.
pub(super) async fn abort(place: &Place, token: &UploadToken) -> Result<()> {
    place.accept_change(Operation::Abort)?;
    let call = place.sdk.abort_multipart_upload().bucket(&place.bucket).key(token.key.as_str());
    let answer = call.upload_id(&token.id).set_request_payer(place.payer()).send().await;
    match answer.map_err(|error| from_sdk(Operation::Abort, error)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// ListParts, all pages.
///
/// # Errors
/// As the contract says of `parts`.
pub(super) async fn parts(place: &Place, token: &UploadToken) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let mut call = Call::new(Operation::ListParts, Method::GET, Some(&token.key));
        call.query("uploadId", token.id.as_str());
        if let Some(marker) = &marker {
            call.query("part-number-marker", marker.clone());
        }
        let (_, body) = place.wire.send_collect(call).await?;
        let page = PartsPage::read(place, &body)?;
        parts.extend(page.parts);
        match (page.truncated, page.next) {
            (false, _) => break,
            (true, Some(next)) if marker.as_ref() != Some(&next) => marker = Some(next),
            (true, _) => return Err(broken("a list of parts that goes on does not say where")),
        }
    }
    parts.sort_unstable_by_key(|part| part.number);
    Ok(parts)
}

/// One answer to ListParts. Servers differ in the name of its root.
#[derive(Default)]
struct PartsPage {
    parts: Vec<Part>,
    truncated: bool,
    next: Option<String>,
}

impl PartsPage {
    fn read(place: &Place, body: &[u8]) -> Result<Self> {
        let mut page = Self::default();
        let (mut number, mut size, mut etag) = (None, None, None::<Arc<str>>);
        let mut whole = true;
        let root = xml::fields(body, |name, text| match name {
            "PartNumber" => number = text.parse().ok(),
            "Size" => size = text.parse().ok(),
            "ETag" => etag = Some(unquoted(&text).into()),
            "IsTruncated" => page.truncated = text == "true",
            "NextPartNumberMarker" => page.next = Some(text),
            "Part" => match (number.take(), size.take()) {
                (Some(number), Some(size)) => {
                    let etag = etag.take();
                    let md5 = etag.as_deref().and_then(|etag| place.etag_md5(etag)).map(Digest::Md5);
                    page.parts.push(Part { number, size, etag, digests: md5.into_iter().collect() });
                }
                _ => whole = false,
            },
            _ => {}
        });
        match root.as_deref() {
            Some(root) if whole && root.starts_with("ListParts") => Ok(page),
            _ => Err(broken("the list of parts cannot be read")),
        }
    }
}

/// One answer to ListMultipartUploads, and whether its keys are encoded.
async fn uploads_page(
    place: &Place,
    prefix: &str,
    marker: Option<(String, Option<String>)>,
) -> Result<(ListMultipartUploadsOutput, bool)> {
    let (key_marker, id_marker) = marker.map_or((None, None), |(key, id)| (Some(key), id));
    let call = place.sdk.list_multipart_uploads().bucket(&place.bucket).encoding_type(EncodingType::Url);
    let call = call.set_prefix((!prefix.is_empty()).then(|| prefix.to_owned()));
    let call = call.set_key_marker(key_marker).set_upload_id_marker(id_marker).set_request_payer(place.payer());
    let answer = call.send().await.map_err(|error| from_sdk(Operation::ListParts, error))?;
    let encoded = answer.encoding_type().is_some_and(|kind| *kind == EncodingType::Url);
    Ok((answer, encoded))
}

fn token(upload: &MultipartUpload, encoded: bool) -> Result<UploadToken> {
    let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
        return Err(broken("an upload without key or id is listed"));
    };
    let key = decoded(key.to_owned(), encoded).and_then(|key| Key::new(key).ok());
    let key = key.ok_or_else(|| broken("the key of an upload cannot be read"))?;
    Ok(UploadToken { key, id: id.to_owned() })
}

fn started(upload: &MultipartUpload) -> Option<Timestamp> {
    let nanos = upload.initiated().and_then(|time| i64::try_from(time.as_nanos()).ok());
    nanos.map(Timestamp::from_nanos)
}

/// ListMultipartUploads of one key: the first page, where the key itself stands before all that it is a prefix of. Newest
/// first.
///
/// S3 tells neither the metadata an upload was begun with, nor its ACL, tags or encryption. The metadata can be looked at
/// when the object is there; the others cannot, so where they matter nothing is told. A server that does not know the call,
/// or a key that may not make it, is asked once.
///
/// # Errors
/// As the contract says of `begun`.
pub(super) async fn begun(place: &Place, key: &Key, request: &PutRequest) -> Result<Vec<Begun>> {
    place.accept(Operation::ListParts, key)?;
    let defaults = &place.defaults;
    let untold = [&defaults.acl, &defaults.encryption, &defaults.kms_key_id].iter().any(|setting| setting.is_some());
    if untold || !request.metadata.tags.is_empty() || place.learned.no_upload_list.load(Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let (answer, encoded) = match uploads_page(place, key, None).await {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Denied | ErrorKind::BadRequest) => {
            place.learned.no_upload_list.store(true, Ordering::Relaxed);
            return Ok(Vec::new());
        }
        answer => answer?,
    };
    let class = headers::storage_class(request, defaults).as_deref().unwrap_or("STANDARD");
    let checksum = place.part_checksum().and_then(announced);
    let mut found = Vec::new();
    for upload in answer.uploads() {
        let token = token(upload, encoded)?;
        let another = upload.storage_class().is_some_and(|told| told.as_str() != class)
            || upload.checksum_algorithm().is_some_and(|told| Some(told.as_str()) != checksum.map(|(name, _)| name));
        if token.key == *key && !another {
            found.push((started(upload), Begun { token, described: false }));
        }
    }
    found.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
    Ok(found.into_iter().map(|(_, begun)| begun).collect())
}

/// How a checksum of parts is announced: its name and its kind.
fn announced(checksum: Algorithm) -> Option<(&'static str, &'static str)> {
    match checksum {
        Algorithm::Crc64Nvme => Some(("CRC64NVME", "FULL_OBJECT")),
        Algorithm::Crc32c => Some(("CRC32C", "FULL_OBJECT")),
        Algorithm::Sha256 => Some(("SHA256", "COMPOSITE")),
        _ => None,
    }
}

/// ListMultipartUploads, all pages.
///
/// # Errors
/// As the contract says of `uploads`.
pub(super) async fn uploads(place: &Place, prefix: &str) -> Result<Vec<IncompleteUpload>> {
    let mut uploads = Vec::new();
    let mut seen = BTreeSet::new();
    let mut marker: Option<(String, Option<String>)> = None;
    loop {
        let (answer, encoded) = uploads_page(place, prefix, marker.clone()).await?;
        for upload in answer.uploads() {
            let token = token(upload, encoded)?;
            if token.key.starts_with(prefix) {
                uploads.push(IncompleteUpload { token, started: started(upload) });
            }
        }
        if answer.is_truncated() != Some(true) {
            break;
        }
        let key = answer.next_key_marker().and_then(|key| decoded(key.to_owned(), encoded));
        let next = (key.unwrap_or_default(), answer.next_upload_id_marker().map(str::to_owned));
        if !seen.insert(next.clone()) {
            return Err(broken("a list of uploads that goes on does not say where"));
        }
        marker = Some(next);
    }
    place.learned.bucket_seen.store(true, Ordering::Relaxed);
    Ok(uploads)
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Integrity, Operation::ListParts).because(why)
}
