//! Names and infos as they stand in addresses and headers
//! (<https://www.backblaze.com/docs/cloud-storage-native-api-string-encoding>).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::capability::KeyRules;

/// Everything but what no decoder takes for something else. `+` would be read as a blank.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Which names B2 holds (<https://www.backblaze.com/docs/cloud-storage-files>).
pub(super) const RULES: KeyRules = KeyRules {
    max_bytes: 1024,
    max_segment: 250,
    empty_segments: false,
    dot_segments: true,
    control: false,
    backslash: true,
    leading_space: true,
    trailing_space: true,
    file_beside_directory: true,
    folds_case: false,
};

/// A name or info for an address or a header.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// What [`encoded`], or the service, wrote; `None` where it is no UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let blanks: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&blanks).decode_utf8().ok().map(Cow::into_owned)
}

/// Whether an address can name it: segments `.` and `..` are folded on the way, encoded or not (RFC 3986, 5.2.4, and
/// the URL standard of browsers, which reqwest follows).
pub(super) fn fits_address(name: &str) -> bool {
    !name.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["a b+c%2B~", "日本/é", "x#?&='\"\\", "%41", "e\u{301}"] {
            let text = encoded(name);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"+#?&\"\\ ".contains(&byte)), "{text}");
            assert_eq!(decoded(&text).as_deref(), Some(name));
        }
        assert_eq!(encoded("a b/c+d~e"), "a%20b/c%2Bd~e");
        assert_eq!(decoded("a+b%2Bc").as_deref(), Some("a b+c"), "as the service writes them");
        assert_eq!(decoded("%ff"), None);
        assert!(!fits_address("a/../b") && !fits_address(".") && fits_address("a/..b"));
    }

    #[test]
    fn what_it_cannot_hold_is_refused() {
        let long = "x".repeat(251);
        for name in ["a//b", "/a", "a/", "a\nb", "a\u{7f}", long.as_str()] {
            assert!(RULES.refuse(name).is_some(), "{name}");
        }
        for name in ["a", "a/b", "a\\b", "a/../b", "ü+%~"] {
            assert_eq!(RULES.refuse(name), None);
        }
    }
}
