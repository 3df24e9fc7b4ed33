//! Objects as B2 tells them, both ways.
//!
//! Three infos are ours to read and write, and are no user's pair: `src_last_modified_millis` (the content's own time)
//! and `large_file_sha1` (the SHA-1 of a file that went up in parts), both as the official SDK and rclone write them
//! (<https://www.backblaze.com/docs/cloud-storage-file-information>), and `sha256`.

use std::{collections::BTreeMap, sync::Arc};

use http::HeaderMap;
use serde::Deserialize;

use super::names::{decoded, encoded};
use crate::{
    entry::{Algorithm, Digest, Entry, Key, Kind, Metadata, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    web::headers::text,
};

const MODIFIED: &str = "src_last_modified_millis";
const LARGE_SHA1: &str = "large_file_sha1";
const SHA256: &str = "sha256";

/// Infos that come back as headers of their own when a file is read.
const CACHE_CONTROL: &str = "b2-cache-control";
const CONTENT_DISPOSITION: &str = "b2-content-disposition";
const CONTENT_ENCODING: &str = "b2-content-encoding";
const CONTENT_LANGUAGE: &str = "b2-content-language";

/// What precedes an info's name in a header.
pub(super) const HEADER: &str = "x-bz-info-";

/// Infos a file holds at most.
const MOST: usize = 10;

/// Bytes that name and infos may take together where files are encrypted, which new ones are
/// (<https://www.backblaze.com/docs/cloud-storage-files>). How they are counted is not documented: we count them as they
/// are sent.
const MOST_BYTES: usize = 2_048;

/// The type by which B2 chooses one by the name's extension.
pub(super) const AUTO: &str = "b2/x-auto";

/// The infos of a file, by name.
pub(super) type Infos = BTreeMap<String, String>;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A version as B2 lists it, and as it answers to a write.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    pub file_name: String,
    #[serde(default)]
    pub file_id: Option<String>,
    /// `upload`, `copy`, `hide`, `start` or `folder`.
    #[serde(default)]
    pub action: Option<String>,
    #[serde(default)]
    pub content_length: Option<u64>,
    #[serde(default)]
    pub content_sha1: Option<String>,
    #[serde(default)]
    pub content_md5: Option<String>,
    #[serde(default)]
    pub content_type: Option<String>,
    #[serde(default)]
    pub file_info: Option<Infos>,
    #[serde(default)]
    pub upload_timestamp: Option<i64>,
}

impl File {
    /// As a listing tells it; `None` for what is no object yet: a large file that is not finished.
    ///
    /// # Errors
    /// `Integrity` for a name that is no key.
    pub fn entry(self) -> Result<Option<Entry>> {
        let key = Key::new(self.file_name.as_str())
            .map_err(|error| Error::new(ErrorKind::Integrity, Operation::List).because(error))?;
        let mut entry = match self.action.as_deref() {
            Some("start") => return Ok(None),
            Some("folder") => return Ok(Some(Entry::directory(key))),
            Some("hide") => Entry { kind: Kind::DeleteMarker, size: None, ..Entry::object(key, 0) },
            _ => Entry { size: self.content_length, ..Entry::object(key, 0) },
        };
        entry.stored = self.upload_timestamp.filter(|millis| *millis > 0).map(of_millis);
        entry.version = self.file_id.as_deref().map(Arc::from);
        if entry.is_object() {
            let infos = self.file_info.unwrap_or_default();
            learn(&mut entry, &infos, self.content_sha1.as_deref());
            if let Some(md5) = self.content_md5.and_then(|md5| Digest::from_hex(Algorithm::Md5, &md5)) {
                entry.digests.set(md5);
            }
        }
        Ok(Some(entry))
    }

    /// As the answer to a write tells it: with everything that stands beside the bytes.
    ///
    /// # Errors
    /// `Integrity` for an answer that is about no object.
    pub fn stored(mut self, operation: Operation) -> Result<Entry> {
        let infos = self.file_info.clone().unwrap_or_default();
        let content_type = self.content_type.take();
        match self.entry() {
            Ok(Some(mut entry)) if entry.is_object() => {
                entry.metadata = Some(Arc::new(metadata(infos, content_type)));
                Ok(entry)
            }
            _ => Err(Error::new(ErrorKind::Integrity, operation).because("the answer is about no object")),
        }
    }
}

/// From the headers of an answer to a read.
///
/// # Errors
/// `Integrity` where an info is no text.
pub(super) fn read(key: &Key, size: Option<u64>, headers: &HeaderMap) -> Result<(Entry, Infos)> {
    let mut infos = Infos::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(HEADER) else { continue };
        let value = value.to_str().ok().and_then(decoded).ok_or_else(|| {
            Error::new(ErrorKind::Integrity, Operation::Stat).because(format!("the info '{name}' is no text"))
        })?;
        infos.insert(name.to_owned(), value);
    }
    for (info, header) in [
        (CACHE_CONTROL, "cache-control"),
        (CONTENT_DISPOSITION, "content-disposition"),
        (CONTENT_ENCODING, "content-encoding"),
        (CONTENT_LANGUAGE, "content-language"),
    ] {
        if let Some(value) = text(headers, header) {
            infos.entry(info.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    let mut entry = Entry { size, ..Entry::object(key.clone(), 0) };
    entry.version = text(headers, "x-bz-file-id").map(Arc::from);
    let stored = text(headers, "x-bz-upload-timestamp").and_then(|millis| millis.parse().ok());
    entry.stored = stored.map(of_millis);
    learn(&mut entry, &infos, text(headers, "x-bz-content-sha1"));
    let content_type = text(headers, http::header::CONTENT_TYPE).map(str::to_owned);
    entry.metadata = Some(Arc::new(metadata(infos.clone(), content_type)));
    Ok((entry, infos))
}

/// Takes from infos and SHA-1 what an entry says itself.
fn learn(entry: &mut Entry, infos: &Infos, sha1: Option<&str>) {
    entry.modified = infos.get(MODIFIED).and_then(|millis| millis.parse().ok()).map(of_millis);
    // Uploaded without a checksum, B2 computed it of what arrived and says that nobody compared it.
    let sha1 = sha1.map(|sha1| sha1.strip_prefix("unverified:").unwrap_or(sha1));
    let whole = sha1.filter(|sha1| *sha1 != "none").or_else(|| infos.get(LARGE_SHA1).map(String::as_str));
    for (algorithm, hex) in [(Algorithm::Sha1, whole), (Algorithm::Sha256, infos.get(SHA256).map(String::as_str))] {
        if let Some(digest) = hex.and_then(|hex| Digest::from_hex(algorithm, hex)) {
            entry.digests.set(digest);
        }
    }
}

/// What stands beside the bytes and is not told elsewhere.
fn metadata(mut infos: Infos, content_type: Option<String>) -> Metadata {
    for ours in [MODIFIED, LARGE_SHA1, SHA256] {
        infos.remove(ours);
    }
    Metadata {
        content_type,
        cache_control: infos.remove(CACHE_CONTROL),
        content_disposition: infos.remove(CONTENT_DISPOSITION),
        content_encoding: infos.remove(CONTENT_ENCODING),
        content_language: infos.remove(CONTENT_LANGUAGE),
        user: infos,
        ..Metadata::default()
    }
}

/// The infos that say what a request says. `parts`: B2 computes no SHA-1 of the whole, so ours is recorded. The SHA-256
/// is left out where there is no room for it.
///
/// # Errors
/// `Unsupported` for a name B2 does not take, and for more infos than it holds.
pub(super) fn infos(operation: Operation, key: &Key, request: &PutRequest, parts: bool) -> Result<Infos> {
    let mut infos = Infos::new();
    for (name, value) in &request.metadata.user {
        let name = name.to_ascii_lowercase();
        if !is_name(&name) {
            return Err(Error::unsupported(operation, format!("'{name}' cannot be a name of user metadata")));
        }
        infos.insert(name, value.clone());
    }
    let metadata = &request.metadata;
    for (name, value) in [
        (CACHE_CONTROL, &metadata.cache_control),
        (CONTENT_DISPOSITION, &metadata.content_disposition),
        (CONTENT_ENCODING, &metadata.content_encoding),
        (CONTENT_LANGUAGE, &metadata.content_language),
    ] {
        if let Some(value) = value {
            infos.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(modified) = request.modified {
        infos.insert(MODIFIED.to_owned(), modified.as_nanos().div_euclid(NANOS_PER_MILLI).to_string());
    }
    if parts && let Some(sha1) = request.digests.get(Algorithm::Sha1) {
        infos.insert(LARGE_SHA1.to_owned(), sha1.hex());
    }
    if let Some(sha256) = request.digests.get(Algorithm::Sha256) {
        infos.insert(SHA256.to_owned(), sha256.hex());
        if infos.len() > MOST || bytes(key, &infos) > MOST_BYTES {
            infos.remove(SHA256);
        }
    }
    if infos.len() > MOST {
        let why = format!("{} infos are more than the {MOST} a file holds", infos.len());
        return Err(Error::unsupported(operation, why));
    }
    Ok(infos)
}

/// Whether infos say that the SHA-1 of the whole is theirs to tell.
pub(super) fn tells_large_sha1(infos: &Infos) -> bool {
    infos.contains_key(LARGE_SHA1)
}

/// Bytes that count.
fn bytes(key: &str, infos: &Infos) -> usize {
    encoded(key).len() + infos.iter().map(|(name, value)| name.len() + encoded(value).len()).sum::<usize>()
}

/// The names of infos B2 takes.
fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.`~!#$%^&*'|+".contains(&byte);
    (1..=50).contains(&name.len()) && name.bytes().all(known)
}

/// A time that B2 tells in milliseconds.
fn of_millis(millis: i64) -> Timestamp {
    Timestamp::from_nanos(millis.saturating_mul(NANOS_PER_MILLI))
}

/// The content type to send.
pub(super) fn content_type(request: &PutRequest) -> &str {
    request.metadata.content_type.as_deref().unwrap_or(AUTO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Digests;

    fn file(text: &str) -> File {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn versions_are_told_by_their_action() {
        let upload = file(
            r#"{"fileName": "a", "fileId": "4_z", "action": "upload", "contentLength": 3, "uploadTimestamp": 1500,
                "contentSha1": "unverified:a9993e364706816aba3e25717850c26c9cd0d89d", "contentMd5": null,
                "fileInfo": {"src_last_modified_millis": "-1", "colour": "red"}, "extra": {}}"#,
        );
        let entry = upload.clone().entry().unwrap().unwrap();
        assert_eq!((entry.size, entry.version.as_deref()), (Some(3), Some("4_z")));
        assert_eq!(entry.modified, Some(Timestamp::from_nanos(-1_000_000)));
        assert_eq!(entry.stored, Some(Timestamp::from_nanos(1_500_000_000)));
        assert!(entry.digests.get(Algorithm::Sha1).is_some() && entry.metadata.is_none());
        let stored = upload.stored(Operation::Put).unwrap();
        assert_eq!(stored.metadata.unwrap().user, Infos::from([("colour".to_owned(), "red".to_owned())]));
        let hidden = file(r#"{"fileName": "a", "fileId": "x", "action": "hide", "contentLength": 0}"#);
        assert_eq!(hidden.clone().entry().unwrap().unwrap().kind, Kind::DeleteMarker);
        assert!(hidden.stored(Operation::Put).is_err());
        assert!(file(r#"{"fileName": "a", "action": "start"}"#).entry().unwrap().is_none());
        let folder = file(r#"{"fileName": "d/", "fileId": null, "action": "folder", "contentLength": 0}"#);
        assert_eq!(folder.entry().unwrap().unwrap().kind, Kind::Directory);
    }

    #[test]
    fn a_large_file_tells_the_sha1_it_was_begun_with() {
        let large = file(
            r#"{"fileName": "a", "action": "upload", "contentLength": 3, "contentSha1": "none",
                "fileInfo": {"large_file_sha1": "a9993e364706816aba3e25717850c26c9cd0d89d"}}"#,
        );
        assert!(large.entry().unwrap().unwrap().digests.get(Algorithm::Sha1).is_some());
    }

    fn request(user: usize, value: &str) -> PutRequest {
        let user = (0..user).map(|number| (format!("name-{number}"), value.to_owned())).collect();
        PutRequest {
            metadata: Arc::new(Metadata { user, ..Metadata::default() }),
            modified: Some(Timestamp::from_nanos(1_999_999)),
            digests: Digests::from_iter([Digest::Sha1([1; 20]), Digest::Sha256([2; 32])]),
            ..PutRequest::default()
        }
    }

    #[test]
    fn infos_have_their_limits() {
        let key = Key::new("a").unwrap();
        let of = |request: &PutRequest, parts| infos(Operation::Put, &key, request, parts);
        let all = of(&request(2, "v"), true).unwrap();
        assert_eq!(all[MODIFIED], "1");
        assert_eq!(all[LARGE_SHA1].len(), 40);
        assert_eq!((all[SHA256].len(), all.len()), (64, 5));
        assert!(!of(&request(2, "v"), false).unwrap().contains_key(LARGE_SHA1));
        // Where there is no room, our own goes first.
        assert!(!of(&request(8, "v"), true).unwrap().contains_key(SHA256));
        assert!(!of(&request(1, &"ü".repeat(340)), true).unwrap().contains_key(SHA256));
        assert_eq!(of(&request(10, "v"), true).unwrap_err().kind(), ErrorKind::Unsupported);
        let mut odd = request(0, "");
        odd.metadata = Arc::new(Metadata { user: [("a b".to_owned(), String::new())].into(), ..Metadata::default() });
        assert_eq!(of(&odd, false).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
