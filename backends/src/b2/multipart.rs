//! Large files: begun, sent in parts, finished, given up and found again.

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::{
    fault::fault_of,
    info::{self, File},
    place::Place,
    put,
    upload::{Goal, Harmless, Payload, as_gone, upload},
};
use crate::{
    body::Body,
    entry::{Algorithm, Digest, Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{Begun, IncompleteUpload, Part, PartRequest, PutRequest, UploadToken},
};

/// Unfinished files a call tells at most.
const UPLOADS: u32 = 100;

/// Parts a call tells at most.
const PARTS: u32 = 1000;

/// What tells a file by its id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    file_id: String,
}

/// A part as the service tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToldPart {
    part_number: u32,
    content_length: u64,
    content_sha1: Option<String>,
}

impl ToldPart {
    /// In the contract's words.
    pub fn part(self) -> Part {
        let sha1 = self.content_sha1.as_deref().and_then(|sha1| Digest::from_hex(Algorithm::Sha1, sha1));
        let digests = sha1.into_iter().collect();
        Part { number: self.part_number, size: self.content_length, etag: None, digests }
    }
}

/// `b2_start_large_file`; all that describes the object travels here.
///
/// # Errors
/// As the contract says of `begin`.
pub(super) async fn begin(place: &Place, key: &Key, request: &PutRequest) -> Result<UploadToken> {
    place.accept(Operation::Begin, key)?;
    put::condition(place, Operation::Begin, key, request).await?;
    let asked = json!({
        "bucketId": place.id(Operation::Begin).await?,
        "fileName": key.as_str(),
        "contentType": info::content_type(request),
        "fileInfo": info::infos(Operation::Begin, key, request, true)?,
    });
    let begun: Started = place.account.call(Operation::Begin, "b2_start_large_file", &asked).await?;
    Ok(UploadToken { key: key.clone(), id: begun.file_id })
}

/// `b2_upload_part`.
///
/// # Errors
/// As the contract says of `put_part`.
pub(super) async fn put_part(place: &Place, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
    place.accept_change(Operation::PutPart)?;
    let payload = Payload::new(Operation::PutPart, body, None, &part.digests, &[Algorithm::Sha1]).await?;
    let len = payload.len;
    let number = part.number;
    let headers = HeaderMap::from_iter([("x-bz-part-number".parse().expect("a header"), HeaderValue::from(number))]);
    let (goal, subject) = (Goal::LargeFile(&token.id), format!("{}/{number}", token.id));
    let (told, sent): (ToldPart, _) =
        upload(place, Operation::PutPart, (goal, &subject), &headers, payload, &Harmless).await?;
    let mut part = told.part();
    let sha1 = |digests: &Digests| digests.get(Algorithm::Sha1);
    if (part.number, part.size) != (number, len) || sha1(&part.digests).is_none() || sha1(&part.digests) != sha1(&sent)
    {
        return Err(
            Error::new(ErrorKind::Integrity, Operation::PutPart).because("another part was stored than was sent")
        );
    }
    sent.iter().for_each(|digest| part.digests.set(*digest));
    Ok(part)
}

/// `b2_finish_large_file`. Where no answer came, or a repeat is refused, the file itself tells whether it is finished.
///
/// # Errors
/// As the contract says of `complete`.
pub(super) async fn complete(
    place: &Place,
    token: &UploadToken,
    request: &PutRequest,
    parts: &[Part],
) -> Result<Entry> {
    place.accept_change(Operation::Complete)?;
    let wrong = |why: &str| Error::new(ErrorKind::BadRequest, Operation::Complete).because(why);
    if parts.is_empty() || parts.iter().zip(1..).any(|(part, number)| part.number != number) {
        return Err(wrong("the parts are not 1, 2, 3, …"));
    }
    let sums = parts.iter().map(|part| part.digests.get(Algorithm::Sha1).map(|sha1| sha1.hex()));
    let sums: Vec<String> = sums.collect::<Option<_>>().ok_or_else(|| wrong("a part has no SHA-1"))?;
    let asked = json!({ "fileId": token.id, "partSha1Array": sums });
    let finished = place.account.call(Operation::Complete, "b2_finish_large_file", &asked).await;
    let file: File = match finished {
        Ok(file) => file,
        Err(error) if may_be_finished(&error) => finished_before(place, token, error).await?,
        Err(error) => return Err(error),
    };
    place.urls.forget(&token.id);
    let mut entry = file.stored(Operation::Complete)?;
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if entry.size != Some(size) {
        let why = format!("the parts have {size} bytes together, and {:?} were stored", entry.size);
        return Err(Error::new(ErrorKind::Integrity, Operation::Complete).because(why));
    }
    request.digests.iter().for_each(|digest| entry.digests.set(*digest));
    Ok(entry)
}

/// No answer, a failure of the server's, or the refusal that a second call gets.
fn may_be_finished(error: &Error) -> bool {
    fault_of(error).is_none_or(|fault| matches!(fault.status, 400 | 404 | 408 | 500..))
}

async fn finished_before(place: &Place, token: &UploadToken, error: Error) -> Result<File> {
    let asked = json!({ "fileId": token.id });
    let told: Result<File> = place.account.call(Operation::Complete, "b2_get_file_info", &asked).await;
    match told {
        Ok(file) if file.action.as_deref() == Some("upload") => Ok(file),
        Ok(_) => Err(error),
        Err(gone) if gone.kind() == ErrorKind::NotFound || fault_of(&gone).is_some_and(|fault| fault.status == 400) => {
            place.urls.forget(&token.id);
            Err(as_gone(gone))
        }
        Err(_) => Err(error),
    }
}

/// `b2_cancel_large_file`.
///
/// # Errors
/// As the contract says of `abort`.
pub(super) async fn abort(place: &Place, token: &UploadToken) -> Result<()> {
    place.accept_change(Operation::Abort)?;
    place.urls.forget(&token.id);
    let asked = json!({ "fileId": token.id });
    let cancelled: Result<serde_json::Value> =
        place.account.call(Operation::Abort, "b2_cancel_large_file", &asked).await.map_err(as_gone);
    match cancelled {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `b2_list_parts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartsPage {
    parts: Vec<ToldPart>,
    next_part_number: Option<u32>,
}

/// `b2_list_parts`, all pages.
///
/// # Errors
/// As the contract says of `parts`.
pub(super) async fn parts(place: &Place, token: &UploadToken) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut from = 1;
    loop {
        let asked = json!({ "fileId": token.id, "startPartNumber": from, "maxPartCount": PARTS });
        let page: PartsPage =
            place.account.call(Operation::ListParts, "b2_list_parts", &asked).await.map_err(as_gone)?;
        parts.extend(page.parts.into_iter().map(ToldPart::part));
        match page.next_part_number {
            None | Some(0) => break,
            Some(next) if next > from => from = next,
            Some(_) => return Err(endless()),
        }
    }
    parts.sort_unstable_by_key(|part| part.number);
    Ok(parts)
}

/// `b2_list_unfinished_large_files`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadsPage {
    files: Vec<File>,
    next_file_id: Option<String>,
}

/// `b2_list_unfinished_large_files`, all pages.
///
/// # Errors
/// As the contract says of `uploads`.
pub(super) async fn uploads(place: &Place, prefix: &str) -> Result<Vec<IncompleteUpload>> {
    let bucket = place.id(Operation::ListParts).await?;
    let session = place.account.session();
    let prefix = super::list::visible(&session.prefix, prefix)?;
    let mut uploads = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut asked = json!({ "bucketId": bucket, "maxFileCount": UPLOADS });
        if !prefix.is_empty() {
            asked["namePrefix"] = prefix.into();
        }
        if let Some(from) = &from {
            asked["startFileId"] = from.as_str().into();
        }
        let page: UploadsPage =
            place.account.call(Operation::ListParts, "b2_list_unfinished_large_files", &asked).await?;
        for file in page.files {
            let key = Key::new(file.file_name.as_str());
            let (Ok(key), Some(id)) = (key, file.file_id) else { return Err(endless()) };
            let started = file.upload_timestamp.map(|millis| Timestamp::from_nanos(millis.saturating_mul(1_000_000)));
            uploads.push(IncompleteUpload { token: UploadToken { key, id }, started });
        }
        match page.next_file_id {
            None => break,
            Some(next) if from.as_ref() != Some(&next) => from = Some(next),
            Some(_) => return Err(endless()),
        }
    }
    Ok(uploads)
}

/// The open uploads of `key` that were begun as `request` says: B2 tells infos and type, where they were given. The first
/// page only: a name that has more than [`UPLOADS`] is nobody's to search.
///
/// # Errors
/// As the contract says of `begun`.
pub(super) async fn begun(place: &Place, key: &Key, request: &PutRequest) -> Result<Vec<Begun>> {
    place.accept(Operation::ListParts, key)?;
    let infos = info::infos(Operation::ListParts, key, request, true)?;
    let content_type = info::content_type(request);
    let bucket = place.id(Operation::ListParts).await?;
    let asked = json!({ "bucketId": bucket, "maxFileCount": UPLOADS, "namePrefix": key.as_str() });
    let page: UploadsPage = place.account.call(Operation::ListParts, "b2_list_unfinished_large_files", &asked).await?;
    let ours = |file: &File| {
        file.file_name == key.as_str()
            && file.file_info.clone().unwrap_or_default() == infos
            // The type that B2 chooses is told in its place.
            && (content_type == info::AUTO || file.content_type.as_deref() == Some(content_type))
    };
    let token = |id| Begun { token: UploadToken { key: key.clone(), id }, described: true };
    Ok(page.files.into_iter().filter(ours).filter_map(|file| file.file_id.map(token)).collect())
}

fn endless() -> Error {
    Error::new(ErrorKind::Integrity, Operation::ListParts).because("a list that goes on does not say where")
}
