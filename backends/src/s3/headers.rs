//! Objects as headers, both ways.
//!
//! Three words of user metadata are ours to read and write, and are no user's pair: `mtime` (the content's own
//! time, in decimal seconds) and `md5chksum` (its MD5 in base64), both as rclone writes them
//! (<https://rclone.org/s3/#modification-times-and-hashes>), and `sha256` (its SHA-256 in hexadecimal).

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::wire::{
    Call,
    encode::{header_decode, header_text, header_value, query},
};
use crate::{
    entry::{Algorithm, Digest, Digests, Entry, Key, Kind, Metadata, Timestamp},
    error::{Error, Result},
    store::PutRequest,
};

pub(super) use crate::web::headers::{http_date, quoted, text, unquoted};

const META: &str = "x-amz-meta-";
const MTIME: &str = "mtime";
const MD5: &str = "md5chksum";
const SHA256: &str = "sha256";

/// What the settings add to everything that is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub acl: Option<String>,
    pub storage_class: Option<String>,
    pub encryption: Option<String>,
    pub kms_key_id: Option<String>,
}

/// The user metadata of a request, our words included; texts as they stand in headers.
///
/// # Errors
/// `Unsupported` for a name that is no header name.
fn user_metadata(call: &Call<'_>, request: &PutRequest) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for (name, value) in &request.metadata.user {
        let name = name.to_ascii_lowercase();
        if HeaderName::from_bytes(format!("{META}{name}").as_bytes()).is_err() {
            let why = format!("'{name}' cannot be a name of user metadata");
            return Err(Error::unsupported(call.operation, why));
        }
        pairs.insert(name, header_text(value).into_owned());
    }
    if let Some(modified) = request.modified {
        pairs.insert(MTIME.to_owned(), seconds(modified));
    }
    if let Some(sha256) = request.digests.sha256() {
        pairs.insert(SHA256.to_owned(), Digest::Sha256(sha256).hex());
    }
    Ok(pairs)
}

/// `md5chksum`, for uploads in parts, whose `ETag` is no MD5.
pub(super) fn with_md5(call: &mut Call<'_>, digests: &Digests) {
    if let Some(md5) = digests.md5() {
        call.header("x-amz-meta-md5chksum", &BASE64.encode(md5));
    }
}

/// The tags of a request as `x-amz-tagging` wants them.
fn tagging(metadata: &Metadata) -> Option<String> {
    let mut pairs: Vec<_> = metadata.tags.iter().map(|(name, value)| (name.as_str(), value.into())).collect();
    (!pairs.is_empty()).then(|| query(&mut pairs))
}

/// Adds what a put or a replacing copy says of the object: metadata, and what the settings add.
///
/// # Errors
/// As [`user_metadata`].
pub(super) fn describe(call: &mut Call<'_>, request: &PutRequest, defaults: &Defaults) -> Result<()> {
    for (name, value) in user_metadata(call, request)? {
        let name = HeaderName::from_bytes(format!("{META}{name}").as_bytes())
            .expect("user_metadata refused what is no header name");
        call.headers.insert(name, HeaderValue::from_str(&value).expect("user_metadata encoded it"));
    }
    let metadata = &request.metadata;
    for (name, value) in [
        (header::CONTENT_TYPE, &metadata.content_type),
        (header::CACHE_CONTROL, &metadata.cache_control),
        (header::CONTENT_DISPOSITION, &metadata.content_disposition),
        (header::CONTENT_ENCODING, &metadata.content_encoding),
        (header::CONTENT_LANGUAGE, &metadata.content_language),
    ] {
        if let Some(value) = value {
            call.headers.insert(name, header_value(value));
        }
    }
    if let Some(tagging) = tagging(metadata) {
        call.header("x-amz-tagging", &tagging);
    }
    place(call, request, defaults);
    Ok(())
}

/// Adds what no copy takes over from its source: ACL, storage class, encryption.
pub(super) fn place(call: &mut Call<'_>, request: &PutRequest, defaults: &Defaults) {
    for (name, value) in [
        ("x-amz-acl", &defaults.acl),
        ("x-amz-storage-class", storage_class(request, defaults)),
        ("x-amz-server-side-encryption", &defaults.encryption),
        ("x-amz-server-side-encryption-aws-kms-key-id", &defaults.kms_key_id),
    ] {
        if let Some(value) = value {
            call.header(name, value);
        }
    }
}

/// The object's own class, else the remote's.
pub(super) fn storage_class<'a>(request: &'a PutRequest, defaults: &'a Defaults) -> &'a Option<String> {
    if request.metadata.storage_class.is_some() { &request.metadata.storage_class } else { &defaults.storage_class }
}

/// Adds the conditions of a write.
pub(super) fn conditions(call: &mut Call<'_>, request: &PutRequest) {
    if request.if_absent {
        call.header("if-none-match", "*");
    }
    if let Some(etag) = &request.if_match {
        call.header("if-match", &quoted(etag));
    }
}

/// The digest an `ETag` is, as far as its form tells: MD5, or MD5 of parts.
pub(super) fn etag_digest(etag: &str) -> Option<Digest> {
    match etag.len() {
        32 => Digest::from_hex(Algorithm::Md5, etag),
        33.. => Digest::from_hex(Algorithm::Parts, etag)
            .filter(|digest| matches!(digest, Digest::Parts { parts, .. } if (1..=10_000).contains(parts))),
        _ => None,
    }
}

/// Whether the answer says that the `ETag` is not the MD5.
pub(super) fn is_etag_opaque(headers: &HeaderMap) -> bool {
    headers.contains_key("x-amz-server-side-encryption-customer-algorithm")
        || text(headers, "x-amz-server-side-encryption").is_some_and(|word| word.starts_with("aws:kms"))
}

/// What the headers of an answer tell of an object of `size` bytes, all but its version.
pub(super) fn entry(key: &Key, size: Option<u64>, headers: &HeaderMap, etag_is_md5: bool) -> Entry {
    let owned = |name: HeaderName| headers.get(name).map(header_decode);
    let mut user = BTreeMap::new();
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix(META) {
            user.insert(name.to_owned(), header_decode(value));
        }
    }
    let etag: Option<Arc<str>> = text(headers, header::ETAG).map(|etag| unquoted(etag).into());
    let mut digests = checksums(headers);
    if etag_is_md5
        && !is_etag_opaque(headers)
        && let Some(digest) = etag.as_deref().and_then(etag_digest)
    {
        digests.set(digest);
    }
    if let Some(md5) = user.remove(MD5).and_then(|text| BASE64.decode(text).ok()?.try_into().ok()) {
        digests.set(Digest::Md5(md5));
    }
    if let Some(sha256) = user.remove(SHA256) {
        match Digest::from_hex(Algorithm::Sha256, &sha256) {
            Some(digest) => digests.set(digest),
            // Somebody else's word of the same name.
            None => drop(user.insert(SHA256.to_owned(), sha256)),
        }
    }
    let modified = user.get(MTIME).and_then(|text| parse_seconds(text));
    if modified.is_some() {
        user.remove(MTIME);
    }
    let storage_class = text(headers, "x-amz-storage-class");
    Entry {
        stamp: None,
        key: key.clone(),
        kind: Kind::Object,
        size,
        modified,
        stored: text(headers, header::LAST_MODIFIED).and_then(http_date),
        etag,
        version: None,
        digests,
        storage_class: storage_class.map(Arc::from),
        metadata: Some(Arc::new(Metadata {
            content_type: owned(header::CONTENT_TYPE),
            cache_control: owned(header::CACHE_CONTROL),
            content_disposition: owned(header::CONTENT_DISPOSITION),
            content_encoding: owned(header::CONTENT_ENCODING),
            content_language: owned(header::CONTENT_LANGUAGE),
            storage_class: storage_class.map(str::to_owned),
            user,
            tags: BTreeMap::new(),
        })),
    }
}

/// The checksums of the whole object that the headers tell; those made of parts' checksums (`…-N`) are none.
pub(super) fn checksums(headers: &HeaderMap) -> Digests {
    fn decoded<const N: usize>(headers: &HeaderMap, name: &str) -> Option<[u8; N]> {
        BASE64.decode(text(headers, name)?).ok()?.try_into().ok()
    }
    if text(headers, "x-amz-checksum-type") == Some("COMPOSITE") {
        return Digests::new();
    }
    let known = [
        decoded(headers, "x-amz-checksum-sha256").map(Digest::Sha256),
        decoded(headers, "x-amz-checksum-sha1").map(Digest::Sha1),
        decoded(headers, "x-amz-checksum-crc64nvme").map(|bytes| Digest::Crc64Nvme(u64::from_be_bytes(bytes))),
        decoded(headers, "x-amz-checksum-crc32c").map(|bytes| Digest::Crc32c(u32::from_be_bytes(bytes))),
    ];
    known.into_iter().flatten().collect()
}

/// The header that carries a digest for the server to verify, and its value; `None` where S3 has none.
pub(super) fn checksum_header(digest: &Digest) -> Option<(&'static str, String)> {
    Some(match digest {
        Digest::Sha256(bytes) => ("x-amz-checksum-sha256", BASE64.encode(bytes)),
        Digest::Sha1(bytes) => ("x-amz-checksum-sha1", BASE64.encode(bytes)),
        Digest::Crc32c(value) => ("x-amz-checksum-crc32c", BASE64.encode(value.to_be_bytes())),
        Digest::Crc64Nvme(value) => ("x-amz-checksum-crc64nvme", BASE64.encode(value.to_be_bytes())),
        Digest::Md5(bytes) => ("content-md5", BASE64.encode(bytes)),
        Digest::Parts { .. } => return None,
    })
}

/// Decimal seconds, without digits that say nothing.
fn seconds(time: Timestamp) -> String {
    let nanos = time.as_nanos();
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (whole, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{fraction:09}").trim_end_matches('0').to_owned()
}

/// Reads what [`seconds`] writes; digits beyond the ninth are dropped.
fn parse_seconds(text: &str) -> Option<Timestamp> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let mut nanos = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
    let mut scale = 100_000_000;
    for digit in fraction.bytes().take(9) {
        nanos = nanos.checked_add(i64::from(digit - b'0') * scale)?;
        scale /= 10;
    }
    Some(Timestamp::from_nanos(sign * nanos))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::error::{ErrorKind, Operation};

    #[test]
    fn times_are_written_as_rclone_does() {
        for (nanos, text) in [
            (1_700_000_000_123_456_789, "1700000000.123456789"),
            (1_700_000_000_500_000_000, "1700000000.5"),
            (0, "0"),
            (-1_500_000_000, "-1.5"),
            (-1, "-0.000000001"),
        ] {
            assert_eq!(seconds(Timestamp::from_nanos(nanos)), text);
            assert_eq!(parse_seconds(text), Some(Timestamp::from_nanos(nanos)));
        }
        assert_eq!(parse_seconds("1.0000000019"), Some(Timestamp::from_nanos(1_000_000_001)));
        for wrong in ["", ".5", "1e3", "1.x", "99999999999999999999", "2026-01-01"] {
            assert_eq!(parse_seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn etags_are_digests_by_their_form() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(etag_digest(md5).unwrap().algorithm(), Algorithm::Md5);
        assert_eq!(etag_digest(&format!("{md5}-12")).unwrap().algorithm(), Algorithm::Parts);
        for opaque in [&format!("{md5}-0"), &format!("{md5}-x"), "abc", "", &md5.replace('d', "z")] {
            assert!(etag_digest(opaque).is_none(), "{opaque}");
        }
        assert_eq!(unquoted("W/\"abc\""), "abc");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let key = Key::new("a").unwrap();
        let request = PutRequest {
            modified: Some(Timestamp::from_nanos(1_500_000_000_000_000_001)),
            digests: [Digest::Sha256([7; 32])].into_iter().collect(),
            metadata: Arc::new(Metadata {
                content_type: Some("text/plain".to_owned()),
                content_language: Some("de".to_owned()),
                user: [("owner".to_owned(), "Grüße".to_owned())].into(),
                tags: [("a b".to_owned(), "c&d".to_owned())].into(),
                ..Metadata::default()
            }),
            ..PutRequest::default()
        };
        let mut call = Call::new(Operation::Put, Method::PUT, Some(&key));
        let defaults = Defaults { storage_class: Some("GLACIER".to_owned()), ..Defaults::default() };
        describe(&mut call, &request, &defaults).unwrap();
        assert_eq!(call.headers["x-amz-tagging"], "a%20b=c%26d");
        call.headers.insert("etag", HeaderValue::from_static("\"d41d8cd98f00b204e9800998ecf8427e\""));
        call.headers.insert("last-modified", HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));

        let entry = entry(&key, Some(3), &call.headers, true);
        assert_eq!(entry.modified, request.modified);
        assert_eq!(entry.digests.sha256(), Some([7; 32]));
        assert!(entry.digests.md5().is_some());
        assert_eq!(entry.stored.unwrap().seconds(), 784_111_777);
        assert_eq!(entry.storage_class.as_deref(), Some("GLACIER"));
        let metadata = entry.metadata.unwrap();
        assert_eq!(metadata.user, request.metadata.user, "our three words are no user's");
        assert_eq!(metadata.content_language.as_deref(), Some("de"));
    }

    #[test]
    fn an_encrypted_objects_etag_is_no_digest() {
        let key = Key::new("a").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("etag", HeaderValue::from_static("\"d41d8cd98f00b204e9800998ecf8427e\""));
        assert!(entry(&key, None, &headers, true).digests.md5().is_some());
        assert!(entry(&key, None, &headers, false).digests.is_empty());
        headers.insert("x-amz-server-side-encryption", HeaderValue::from_static("aws:kms"));
        assert!(entry(&key, None, &headers, true).digests.is_empty());
    }

    #[test]
    fn checksums_of_parts_are_no_digests() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-checksum-crc32c", HeaderValue::from_static("AAAAAQ=="));
        assert_eq!(checksums(&headers).get(Algorithm::Crc32c), Some(Digest::Crc32c(1)));
        headers.insert("x-amz-checksum-type", HeaderValue::from_static("COMPOSITE"));
        assert!(checksums(&headers).is_empty());
        headers.clear();
        headers.insert("x-amz-checksum-crc32c", HeaderValue::from_static("AAAAAQ==-3"));
        assert!(checksums(&headers).is_empty());
    }

    #[test]
    fn names_that_are_no_header_names_are_refused() {
        let request = PutRequest {
            metadata: Arc::new(Metadata { user: [("a b".to_owned(), String::new())].into(), ..Metadata::default() }),
            ..PutRequest::default()
        };
        let call = Call::new(Operation::Put, Method::PUT, None);
        assert_eq!(user_metadata(&call, &request).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
