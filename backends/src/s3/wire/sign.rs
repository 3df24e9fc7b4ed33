//! Signature version 4 for headers
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>).
//!
//! Our own because of its cost: the key of the day is derived once, its HMAC state is kept, and nothing is
//! encoded twice.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// The SHA-256 of no bytes.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What the signature says of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// There is none.
    Empty,
    /// Its SHA-256, which the server verifies.
    Sha256([u8; 32]),
    /// Nothing.
    Unsigned,
}

/// Keys that sign.
pub(crate) struct SigningKey {
    access_key_id: String,
    secret: Secret,
    session_token: Option<HeaderValue>,
    /// The day (`YYYYMMDD`) and the key derived for it.
    day: Mutex<Option<(String, Arc<Hmac<Sha256>>)>>,
}

impl SigningKey {
    /// `None` where the token cannot stand in a header.
    pub fn new(access_key_id: &str, secret: &str, session_token: Option<&str>) -> Option<Self> {
        let session_token = match session_token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(token).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            secret: Secret::new(format!("AWS4{secret}")),
            session_token,
            day: Mutex::new(None),
        })
    }

    /// The public half.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    fn of_day(&self, day: &str, region: &str) -> Arc<Hmac<Sha256>> {
        let mut known = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known_day, key)) = &*known
            && known_day == day
        {
            return Arc::clone(key);
        }
        let mut key = Vec::from(self.secret.reveal().as_bytes());
        for word in [day, region, "s3", "aws4_request"] {
            let next = mac(&keyed(&key), word);
            key.clear();
            key.extend_from_slice(&next);
        }
        let key = Arc::new(keyed(&key));
        *known = Some((day.to_owned(), Arc::clone(&key)));
        key
    }

    /// Adds `x-amz-date`, `x-amz-content-sha256`, the session's token and `authorization`. All headers that are
    /// there are signed, so what proxies may change is to be added afterwards. `path` and `query` are encoded,
    /// the query sorted.
    pub fn sign(&self, region: &str, now: SystemTime, request: Request<'_>, headers: &mut HeaderMap) {
        let Request { method, path, query, payload } = request;
        let (day, moment) = stamp(now);
        headers.insert(HeaderName::from_static("x-amz-date"), header_value(&moment));
        let payload = match payload {
            Payload::Empty => HeaderValue::from_static(EMPTY_SHA256),
            Payload::Sha256(digest) => header_value(&hex(&digest)),
            Payload::Unsigned => HeaderValue::from_static("UNSIGNED-PAYLOAD"),
        };
        headers.insert(HeaderName::from_static("x-amz-content-sha256"), payload.clone());
        if let Some(token) = &self.session_token {
            headers.insert(HeaderName::from_static("x-amz-security-token"), token.clone());
        }

        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let mut canonical = Vec::with_capacity(1024);
        canonical.extend_from_slice(method.as_bytes());
        for text in ["\n", path, "\n", query, "\n"] {
            canonical.extend_from_slice(text.as_bytes());
        }
        for name in &names {
            canonical.extend_from_slice(name.as_bytes());
            canonical.push(b':');
            for (index, value) in headers.get_all(*name).iter().enumerate() {
                if index > 0 {
                    canonical.push(b',');
                }
                trim_into(&mut canonical, value.as_bytes());
            }
            canonical.push(b'\n');
        }
        let signed = names.join(";");
        canonical.push(b'\n');
        canonical.extend_from_slice(signed.as_bytes());
        canonical.push(b'\n');
        canonical.extend_from_slice(payload.as_bytes());

        let scope = format!("{day}/{region}/s3/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
        let signature = hex(&mac(&self.of_day(&day, region), &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.access_key_id
        );
        let mut authorization = header_value(&authorization);
        authorization.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, authorization);
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

/// What is signed beside the headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub payload: Payload,
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn mac(key: &Hmac<Sha256>, text: &str) -> [u8; 32] {
    let mut state = key.clone();
    state.update(text.as_bytes());
    state.finalize().into_bytes().into()
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Outer spaces go, inner runs of them become one.
fn trim_into(canonical: &mut Vec<u8>, value: &[u8]) {
    let mut space = false;
    for &byte in value.trim_ascii() {
        if byte != b' ' || !space {
            canonical.push(byte);
        }
        space = byte == b' ';
    }
}

/// `YYYYMMDD` and `YYYYMMDDTHHMMSSZ`, in UTC.
fn stamp(now: SystemTime) -> (String, String) {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let now = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let day = format!("{:04}{:02}{:02}", now.year(), now.month(), now.day());
    let mut moment = day.clone();
    write!(moment, "T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second())
        .expect("writing to a string does not fail");
    (day, moment)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The four examples of Amazon's page on signing for S3, linked above.
#[cfg(test)]
mod tests {
    use super::*;

    fn signature(method: &str, path: &str, query: &str, payload: Payload, extra: &[(&'static str, &str)]) -> String {
        let key = SigningKey::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("examplebucket.s3.amazonaws.com"));
        for (name, value) in extra {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
        key.sign("us-east-1", now, Request { method, path, query, payload }, &mut headers);
        assert_eq!(headers["x-amz-date"], "20130524T000000Z");
        let authorization = headers[header::AUTHORIZATION].to_str().unwrap();
        authorization.split_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn get_with_a_range() {
        let signature = signature("GET", "/test.txt", "", Payload::Empty, &[("range", "bytes=0-9")]);
        assert_eq!(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }

    #[test]
    fn put_with_a_body() {
        let payload = Payload::Sha256(Sha256::digest("Welcome to Amazon S3.").into());
        let headers = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        let signature = signature("PUT", "/test%24file.text", "", payload, &headers);
        assert_eq!(signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    }

    #[test]
    fn get_with_queries() {
        assert_eq!(
            signature("GET", "/", "lifecycle=", Payload::Empty, &[]),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("GET", "/", "max-keys=2&prefix=J", Payload::Empty, &[]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn values_are_folded_and_keys_kept() {
        let mut folded = Vec::new();
        trim_into(&mut folded, b"  a   b c ");
        assert_eq!(folded, b"a b c");
        let key = SigningKey::new("id", "secret", Some("token")).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(***)");
        assert!(SigningKey::new("id", "secret", Some("bad\ntoken")).is_none());
        assert!(Arc::ptr_eq(&key.of_day("20260101", "r"), &key.of_day("20260101", "r")), "derived once a day");
    }
}
