//! Text as it travels: percent-encoding of paths and queries, header values, the words of `encoding-type=url`.

use std::{borrow::Cow, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What SigV4 wants encoded in a query: all but letters, digits and `-._~`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for paths, where `/` stands for itself.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// A key as it stands in a path or in `x-amz-copy-source`.
pub(crate) fn path(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, PATH).into()
}

/// A query, sorted as it is signed; both names and values are encoded.
pub(crate) fn query(pairs: &mut [(&str, Cow<'_, str>)]) -> String {
    pairs.sort_unstable();
    let mut text = String::with_capacity(128);
    for (name, value) in pairs.iter() {
        if !text.is_empty() {
            text.push('&');
        }
        write!(text, "{}={}", utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY))
            .expect("writing to a string does not fail");
    }
    text
}

/// Undoes `encoding-type=url`: `+` is a space (so Java encodes, and so does AWS), `%` starts an octet.
/// `None` where the octets are no UTF-8: such a key cannot be named.
pub(crate) fn url_decode(text: String) -> Option<String> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Some(text);
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

/// A header value. Text outside printable ASCII is written as RFC 2047 says (`=?UTF-8?B?…?=`), which is what S3
/// documents for user metadata
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>) and how it answers.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    let text = header_text(text);
    HeaderValue::from_str(&text).expect("printable ASCII is a header value")
}

/// The text of [`header_value`].
pub(crate) fn header_text(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| (32..127).contains(&byte));
    // Outer spaces would be trimmed on the way, and a text that looks encoded would be decoded.
    if plain && text.trim_matches(' ').len() == text.len() && !text.starts_with("=?") {
        return text.into();
    }
    format!("=?UTF-8?B?{}?=", BASE64.encode(text)).into()
}

/// Reads what [`header_value`] wrote, and both encodings of RFC 2047 as servers write them (one word or several).
/// What is neither is taken as it is; octets that are no UTF-8 become U+FFFD.
pub(crate) fn header_decode(value: &HeaderValue) -> String {
    let raw = String::from_utf8_lossy(value.as_bytes());
    if !raw.contains("=?") {
        return raw.into_owned();
    }
    decode_words(&raw).unwrap_or_else(|| raw.into_owned())
}

fn decode_words(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    for word in text.split_ascii_whitespace() {
        let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
        let (charset, rest) = inner.split_once('?')?;
        let (encoding, data) = rest.split_once('?')?;
        if !charset.eq_ignore_ascii_case("utf-8") {
            return None;
        }
        match encoding {
            "B" | "b" => bytes.extend(BASE64.decode(data).ok()?),
            "Q" | "q" => bytes.extend(decode_q(data)?),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn decode_q(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(rest.next()?)? << 4 | digit(rest.next()?)?).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_slashes_and_nothing_else() {
        assert_eq!(path("a//b/../c d+ü%41~*'()"), "a//b/../c%20d%2B%C3%BC%2541~%2A%27%28%29");
    }

    #[test]
    fn queries_are_sorted_and_encoded() {
        let mut pairs = [("prefix", "a/b c".into()), ("list-type", "2".into()), ("delimiter", "/".into())];
        assert_eq!(query(&mut pairs), "delimiter=%2F&list-type=2&prefix=a%2Fb%20c");
    }

    #[test]
    fn listings_are_decoded() {
        let decode = |text: &str| url_decode(text.to_owned());
        assert_eq!(decode("a+b%20c%2Bd/%C3%BC").as_deref(), Some("a b c+d/ü"));
        assert_eq!(decode("plain").as_deref(), Some("plain"));
        assert_eq!(decode("%FF"), None);
    }

    #[test]
    fn header_values_survive_the_way() {
        for text in ["plain", " outer ", "Grüße", "日本", "=?looks encoded", "a\tb\nc", ""] {
            let value = header_value(text);
            assert!(value.to_str().is_ok());
            assert_eq!(header_decode(&value), text);
        }
        let read = |text: &'static str| header_decode(&HeaderValue::from_static(text));
        assert_eq!(read("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?="), "Grüße an");
        assert_eq!(read("=?UTF-8?B?R3LDvA==?= =?UTF-8?B?w59l?="), "Grüße");
        assert_eq!(read("=?broken"), "=?broken");
    }
}
