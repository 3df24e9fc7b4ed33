//! Paths inside the store as addresses, and back.
//!
//! A *path* here is a key, or a collection's path that ends in `/`; the root is empty.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;

use crate::store::Whereabouts;

/// All but letters, digits and `-._~` is encoded, as RFC 3986 calls safe everywhere.
const SEGMENTS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where the store's root lies.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    root: Url,
    /// The root's path, decoded; it ends in `/`.
    decoded: String,
}

impl Address {
    /// `root` ends in `/`. `None` where its path is no UTF-8.
    pub fn new(root: Url) -> Option<Self> {
        let decoded = percent_decode_str(root.path()).decode_utf8().ok()?.into_owned();
        Some(Self { root, decoded })
    }

    /// Where the root lies. Servers make tags of times in seconds, and their clocks and ours are not one.
    pub fn whereabouts(&self) -> Whereabouts {
        let place = format!("web:{}", self.root.origin().ascii_serialization());
        Whereabouts { base: self.decoded.clone(), ..Whereabouts::new(place, Duration::from_secs(10)) }
    }

    /// The root itself.
    pub fn root(&self) -> &Url {
        &self.root
    }

    /// The address of `path`, which has no segments `.` and `..`.
    pub fn of(&self, path: &str) -> Url {
        Self::below(&self.root, self.root.path(), path)
    }

    /// The address of `path` below `container`, the encoded path of another root of the same server.
    pub fn below(server: &Url, container: &str, path: &str) -> Url {
        let mut url = server.clone();
        url.set_path(&format!("{container}{}", utf8_percent_encode(path, SEGMENTS)));
        url
    }

    /// The path an `href` of the server stands for, without the `/` that ends a collection's; `None` where it lies
    /// outside of the root, or has no name that is text.
    pub fn path_of(&self, href: &str) -> Option<String> {
        let path = match href.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => &rest[rest.find('/')?..],
            _ => href,
        };
        // An encoded slash is part of a name, and no name has one.
        if path.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(b"%2f")) {
            return None;
        }
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        let decoded = match decoded.strip_prefix("//") {
            Some(rest) => format!("/{rest}"),
            None => decoded.into_owned(),
        };
        if format!("{decoded}/") == self.decoded {
            return Some(String::new());
        }
        let inside = decoded.strip_prefix(&self.decoded)?;
        Some(inside.strip_suffix('/').unwrap_or(inside).to_owned())
    }
}

/// The collection a path lies in: `a/b/` for `a/b/c` and `a/b/c/`.
pub(crate) fn parent(path: &str) -> &str {
    let path = path.strip_suffix('/').unwrap_or(path);
    &path[..path.rfind('/').map_or(0, |at| at + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(root: &str) -> Address {
        Address::new(root.parse().unwrap()).unwrap()
    }

    #[test]
    fn every_key_goes_out_and_comes_back() {
        let there = address("http://h:81/d%C3%A4v/x%20y/");
        for key in
            ["a", "a/b", " ", "%41", "%2F", "+", "#?&;=", "\\", "ü\u{1f426}", "...", "a:b", "\u{1}\n", "~", "//x"]
        {
            let url = there.of(key);
            assert!(url.as_str().starts_with("http://h:81/d%C3%A4v/x%20y/"), "{url}");
            assert_eq!(there.path_of(url.path()).as_deref(), Some(key), "{url}");
            assert_eq!(there.path_of(url.as_str()).as_deref(), Some(key), "{url}");
        }
    }

    #[test]
    fn hrefs_come_in_many_forms() {
        let there = address("https://h/dav/");
        for (href, path) in [
            ("/dav/", Some("")),
            ("/dav", Some("")),
            ("/dav/a/", Some("a")),
            ("/dav/a b", Some("a b")),
            ("//dav/a", Some("a")),
            ("http://other:1/dav/%c3%bc", Some("ü")),
            ("/dav/a%2fb", None),
            ("/dav/%ff", None),
            ("/davother/a", None),
            ("/", None),
        ] {
            assert_eq!(there.path_of(href).as_deref(), path, "{href}");
        }
        assert_eq!(address("http://h/").path_of("/a/b/").as_deref(), Some("a/b"));
        assert_eq!([parent("a/b/c"), parent("a/b/"), parent("a"), parent("")], ["a/b/", "a/", "", ""]);
    }
}
