//! Objects in one call.

use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use super::{
    account::header_named,
    info::{self, File, HEADER, Infos},
    list,
    names::encoded,
    place::Place,
    upload::{Goal, Lost, Payload, upload},
};
use crate::{
    body::Body,
    entry::{Algorithm, Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
};

/// What is computed of content that lies in memory: the one for the server to compare, the other to be recorded.
const RECORDED: &[Algorithm] = &[Algorithm::Sha1, Algorithm::Sha256];

/// `b2_upload_file`.
///
/// # Errors
/// As the contract says of `put`.
pub(super) async fn put(place: &Place, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
    place.accept(Operation::Put, key)?;
    condition(place, Operation::Put, key, &request).await?;
    let payload = Payload::new(Operation::Put, body, request.size, &request.digests, RECORDED).await?;
    let request = PutRequest { digests: payload.known().clone(), ..request };
    let infos = info::infos(Operation::Put, key, &request, false)?;
    let lost = Search { place, key, infos: &infos, len: payload.len };
    // An earlier attempt may have been stored though nobody said so.
    if place.doubts(key)
        && payload.known().get(Algorithm::Sha1).is_some()
        && let Some(file) = lost.look(payload.known()).await?
    {
        return finish(file, payload.known(), payload.len);
    }
    let headers = headers(key, &request, &infos)?;
    let len = payload.len;
    let (file, sent) = upload(place, Operation::Put, (Goal::Bucket, key), &headers, payload, &lost).await?;
    place.doubt(key, false);
    finish(file, &sent, len)
}

/// The conditions of a write, as well as they can be kept: B2 has none.
///
/// # Errors
/// `Exists`; `Unsupported` for an `ETag`, as there are none.
pub(super) async fn condition(place: &Place, operation: Operation, key: &Key, request: &PutRequest) -> Result<()> {
    if request.if_match.is_some() {
        return Err(Error::unsupported(operation, "B2 has no ETags to compare"));
    }
    if request.if_absent && newest(place, operation, key).await?.is_some_and(|file| is_there(&file)) {
        return Err(Error::new(ErrorKind::Exists, operation));
    }
    Ok(())
}

fn is_there(file: &File) -> bool {
    matches!(file.action.as_deref(), Some("upload" | "copy"))
}

/// What was stored, checked against what was sent.
fn finish(file: File, sent: &Digests, len: u64) -> Result<Entry> {
    let mut entry = file.stored(Operation::Put)?;
    let wrong = |what: &str| {
        Err(Error::new(ErrorKind::Integrity, Operation::Put).because(format!("what was stored has another {what}")))
    };
    if entry.size != Some(len) {
        return wrong("size");
    }
    if let (Some(stored), Some(sent)) = (entry.digests.get(Algorithm::Sha1), sent.get(Algorithm::Sha1))
        && stored != sent
    {
        return wrong("SHA-1");
    }
    sent.iter().for_each(|digest| entry.digests.set(*digest));
    Ok(entry)
}

fn headers(key: &Key, request: &PutRequest, infos: &Infos) -> Result<HeaderMap> {
    let wrong = |what: &str| Error::unsupported(Operation::Put, format!("'{what}' cannot stand in a header"));
    let mut headers = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| wrong(text));
    headers.insert("x-bz-file-name", text(&encoded(key))?);
    headers.insert(header::CONTENT_TYPE, text(info::content_type(request))?);
    for (name, value) in infos {
        let header = header_named(&format!("{HEADER}{name}")).ok_or_else(|| wrong(name))?;
        headers.insert(header, text(&encoded(value))?);
    }
    Ok(headers)
}

/// Whether an upload that nobody answered was stored: the newest version is what was sent, beside the bytes, too.
struct Search<'a> {
    place: &'a Place,
    key: &'a Key,
    infos: &'a Infos,
    len: u64,
}

impl Lost<File> for Search<'_> {
    async fn look(&self, sent: &Digests) -> Result<Option<File>> {
        // Should this fail, the next attempt looks first.
        self.place.doubt(self.key, true);
        let found = newest(self.place, Operation::Put, self.key).await?.filter(|file| {
            let sha1 = sent.get(Algorithm::Sha1).map(|sha1| sha1.hex());
            is_there(file)
                && file.content_length == Some(self.len)
                && sha1.is_some()
                && file.content_sha1 == sha1
                && file.file_info.as_ref().unwrap_or(&Infos::new()) == self.infos
        });
        if found.is_some() {
            self.place.doubt(self.key, false);
        }
        Ok(found)
    }
}

/// The newest version of a key, a hide marker included; large files that are not finished are passed over.
///
/// # Errors
/// What stopped the listing.
pub(super) async fn newest(place: &Place, operation: Operation, key: &Key) -> Result<Option<File>> {
    let asked = json!({
        "bucketId": place.id(operation).await?,
        "startFileName": key.as_str(),
        "prefix": key.as_str(),
        "maxFileCount": 10,
    });
    let page: list::Page = place.account.call(operation, "b2_list_file_versions", &asked).await?;
    let mut versions = page.files.into_iter().filter(|file| file.file_name == key.as_str());
    Ok(versions.find(|file| file.action.as_deref() != Some("start")))
}
