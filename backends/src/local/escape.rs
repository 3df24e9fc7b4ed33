//! Keys as names on disk, and back.
//!
//! The two are in bijection: every UTF-8 segment of a key has one name, and every UTF-8 name on disk stands for
//! one segment, so what is listed can be read under its key and what is put is listed under its key.
//!
//! | segment | name on disk | |
//! |---|---|---|
//! | `.` | `．` | U+FF0E, as rclone writes it |
//! | `..` | `．．` | as rclone writes it |
//! | empty (`a//b`, `/a`, `a/`) | `／` | U+FF0F; rclone cannot hold such keys |
//! | a NUL inside | `␀` | U+2400, as rclone writes it |
//! | one of these names itself, with any number of `‛` (U+201B) before it | one more `‛` before it | |
//! | `␀` itself, after *n* `‛` | after 2*n*+1 `‛` (a NUL after *n* `‛`: `␀` after 2*n*) | |
//!
//! Everything else, other control characters included, is its own name. One name stands for no key: a *file*
//! called `／` at the root would be the empty key, so listings tell of it and leave it out.

use std::borrow::Cow;

use crate::entry::Key;

/// The most bytes a name on disk may have: `NAME_MAX` of Linux, and no less elsewhere.
pub(super) const MAX_NAME: usize = 255;

const QUOTE: char = '‛';
const EMPTY: &str = "／";
const DOT: &str = "．";
const DOTS: &str = "．．";
const NUL: char = '␀';

/// Where a key lies below the root: names joined by `/`, none of them empty, `.` or `..`, none with a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiskPath {
    text: String,
    name_at: usize,
}

impl DiskPath {
    /// The place of an object. `escape` off: names are taken as they are.
    ///
    /// # Errors
    /// Why a file system cannot hold the key.
    pub(super) fn of_key(key: &Key, escape: bool) -> Result<Self, &'static str> {
        Self::of(key, escape)
    }

    /// The place of a directory; one trailing `/` is no part of its name.
    ///
    /// # Errors
    /// As [`DiskPath::of_key`].
    pub(super) fn of_directory(path: &str, escape: bool) -> Result<Self, &'static str> {
        Self::of(path.strip_suffix('/').unwrap_or(path), escape)
    }

    fn of(path: &str, escape: bool) -> Result<Self, &'static str> {
        let mut text = String::with_capacity(path.len());
        let mut name_at = 0;
        for (index, segment) in path.split('/').enumerate() {
            let name = if escape { to_name(segment) } else { plain(segment)? };
            if name.len() > MAX_NAME {
                return Err("a name on disk would be longer than 255 bytes");
            }
            if cfg!(windows) && name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) {
                return Err("Windows has no such names");
            }
            if index > 0 {
                text.push('/');
            }
            name_at = text.len();
            text.push_str(&name);
        }
        Ok(Self { text, name_at })
    }

    /// A path that was made by us earlier and is read again; `None` unless it keeps the promise of this type.
    pub(super) fn reread(text: &str) -> Option<Self> {
        let whole = text.split('/').all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'));
        whole.then(|| Self { text: text.to_owned(), name_at: text.rfind('/').map_or(0, |slash| slash + 1) })
    }

    /// All of it, relative to the root.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The directory it lies in; empty for the root.
    pub(super) fn parent(&self) -> &str {
        &self.text[..self.name_at.saturating_sub(1)]
    }

    /// The last name.
    pub(super) fn name(&self) -> &str {
        &self.text[self.name_at..]
    }

    /// The same directory, another name.
    pub(super) fn sibling(&self, name: &str) -> Self {
        Self { text: format!("{}{name}", &self.text[..self.name_at]), name_at: self.name_at }
    }
}

fn plain(segment: &str) -> Result<Cow<'_, str>, &'static str> {
    match segment {
        "" => Err("a name on disk cannot be empty"),
        "." | ".." => Err("a name on disk cannot be '.' or '..'"),
        _ if segment.contains('\0') => Err("a name on disk cannot hold a NUL"),
        _ => Ok(segment.into()),
    }
}

/// The name of a segment.
pub(super) fn to_name(segment: &str) -> Cow<'_, str> {
    match segment {
        "" => return EMPTY.into(),
        "." => return DOT.into(),
        ".." => return DOTS.into(),
        _ => {}
    }
    if segment.is_ascii() && !segment.contains('\0') {
        return segment.into();
    }
    if stands_in(segment.trim_start_matches(QUOTE)) {
        return format!("{QUOTE}{segment}").into();
    }
    if !segment.contains(['\0', NUL]) {
        return segment.into();
    }
    let mut name = String::with_capacity(segment.len() + 8);
    let mut quotes = 0;
    for character in segment.chars() {
        match character {
            QUOTE => quotes += 1,
            '\0' => name.extend(std::iter::repeat_n(QUOTE, quotes)),
            NUL => name.extend(std::iter::repeat_n(QUOTE, quotes + 1)),
            _ => quotes = 0,
        }
        if character != QUOTE {
            quotes = 0;
        }
        name.push(if character == '\0' { NUL } else { character });
    }
    name.into()
}

/// The segment a name stands for.
pub(super) fn to_segment(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return name.into();
    }
    let bare = name.trim_start_matches(QUOTE);
    if stands_in(bare) {
        return match (bare.len() < name.len(), bare) {
            (true, _) => name[QUOTE.len_utf8()..].into(),
            (false, DOT) => ".".into(),
            (false, DOTS) => "..".into(),
            (false, _) => "".into(),
        };
    }
    if !name.contains(NUL) {
        return name.into();
    }
    let mut segment = String::with_capacity(name.len());
    let mut quotes: usize = 0;
    for character in name.chars() {
        if character == QUOTE {
            quotes += 1;
            continue;
        }
        let (kept, meant) = match character {
            NUL if quotes.is_multiple_of(2) => (quotes / 2, '\0'),
            NUL => (quotes / 2, NUL),
            _ => (quotes, character),
        };
        segment.extend(std::iter::repeat_n(QUOTE, kept));
        segment.push(meant);
        quotes = 0;
    }
    segment.extend(std::iter::repeat_n(QUOTE, quotes));
    segment.into()
}

fn stands_in(name: &str) -> bool {
    matches!(name, DOT | DOTS | EMPTY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(key: &str) -> String {
        DiskPath::of_key(&key.try_into().unwrap(), true).unwrap().as_str().to_owned()
    }

    #[test]
    fn writes_the_documented_names() {
        for (key, disk) in [
            ("a/b.txt", "a/b.txt"),
            ("a//b", "a/／/b"),
            ("/a", "／/a"),
            ("//two", "／/／/two"),
            ("a/", "a/／"),
            ("/", "／/／"),
            ("／", "‛／"),
            ("／/", "‛／/／"),
            ("a/／", "a/‛／"),
            (".", "．"),
            ("a/../b", "a/．．/b"),
            ("./x", "．/x"),
            ("．", "‛．"),
            ("‛．", "‛‛．"),
            ("‛x", "‛x"),
            ("x\0y", "x␀y"),
            ("x␀y", "x‛␀y"),
            ("x‛\0", "x‛‛␀"),
            ("x‛␀", "x‛‛‛␀"),
            ("tab\tnew\nline\u{1}\u{7f}", "tab\tnew\nline\u{1}\u{7f}"),
            ("...", "..."),
        ] {
            assert_eq!(place(key), disk, "{key:?}");
        }
    }

    #[test]
    fn plain_names_refuse_what_a_disk_cannot_hold() {
        for key in ["a//b", "/a", "a/", ".", "a/../b", "x\0"] {
            assert!(DiskPath::of_key(&key.try_into().unwrap(), false).is_err(), "{key:?}");
        }
        let key = "．/‛".try_into().unwrap();
        assert_eq!(DiskPath::of_key(&key, false).unwrap().as_str(), "．/‛");
        let long = "x".repeat(256).try_into().unwrap();
        assert!(DiskPath::of_key(&long, true).is_err());
    }

    #[test]
    fn splits_parent_and_name() {
        let path = DiskPath::reread("a/b/c").unwrap();
        assert_eq!((path.parent(), path.name()), ("a/b", "c"));
        assert_eq!(path.sibling("d").as_str(), "a/b/d");
        let top = DiskPath::reread("c").unwrap();
        assert_eq!((top.parent(), top.name()), ("", "c"));
        for wrong in ["", "/a", "a/../b", "a//b", "a/\0"] {
            assert!(DiskPath::reread(wrong).is_none(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn segments_and_names_are_in_bijection(text in "[‛．／␀\\x00.a]{0,8}") {
            let name = to_name(&text);
            prop_assert_eq!(to_segment(&name), text.as_str());
            prop_assert!(!matches!(&*name, "" | "." | "..") && !name.contains('\0'));
            if !matches!(text.as_str(), "" | "." | "..") && !text.contains('\0') {
                let segment = to_segment(&text);
                prop_assert_eq!(to_name(&segment), text.as_str());
            }
        }
    }
}
