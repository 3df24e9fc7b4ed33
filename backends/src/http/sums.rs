//! A list of what is there: what `sha256sum` writes, or one URL or path a line.

use std::collections::BTreeMap;

use crate::{
    entry::{Digest, Digests, Key},
    error::{Error, ErrorKind, Operation, Result},
    sums::{self, Line},
    web::address::Address,
};

/// Reads a list. Names are relative to the root, whole URLs must lie below it; a line that starts with `#` says nothing.
///
/// # Errors
/// `Config`, with the number of the line that names nothing below the root.
pub(super) fn read(text: &str, address: &Address) -> Result<BTreeMap<Key, Digests>> {
    let mut list: BTreeMap<Key, Digests> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, digest) = entry(line);
        let name = name.strip_prefix("./").unwrap_or(&name);
        let name = if name.contains("://") { address.path_of(name) } else { Some(name.to_owned()) };
        let key = name.filter(|name| is_key(name)).and_then(|name| Key::new(name).ok()).ok_or_else(|| {
            Error::new(ErrorKind::Config, Operation::Open).because(format!(
                "line {} of the list names nothing below {}",
                number + 1,
                address.root()
            ))
        })?;
        let known = list.entry(key).or_default();
        digest.into_iter().for_each(|digest| known.set(digest));
    }
    Ok(list)
}

/// Whether a URL can name it.
fn is_key(name: &str) -> bool {
    !name.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// The name in a line, and its digest; what is no sum is a bare name.
fn entry(line: &str) -> (String, Option<Digest>) {
    match sums::line(line) {
        Line::Sum(name, digest) => (name, Some(digest)),
        Line::Unknown(name) => (name, None),
        Line::Nothing | Line::Other => (line.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let address = Address::new("http://h/m%20n/".parse().unwrap()).unwrap();
        let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let md5 = "098f6bcd4621d373cade4e832627b4f6";
        let text = format!(
            "# sums\n{sha256}  a b%41\n{sha256} *./d/binary\n\\{sha256}  back\\\\slash\\nline\nSHA256 (bsd (1)) = {sha256}\n\n\
             {md5}  a b%41\nhttp://h/m%20n/x%25y/z\nplain name\n"
        );
        let list = read(&text, &address).unwrap();
        let keys: Vec<_> = list.keys().map(Key::as_str).collect();
        assert_eq!(keys, ["a b%41", "back\\slash\nline", "bsd (1)", "d/binary", "plain name", "x%y/z"]);
        assert_eq!(list[&Key::new("a b%41").unwrap()].iter().count(), 2);
        assert!(list[&Key::new("plain name").unwrap()].is_empty());
        for wrong in ["http://h/other/x", "../up", "/etc/passwd", "a//b"] {
            assert_eq!(read(wrong, &address).unwrap_err().kind(), ErrorKind::Config, "{wrong}");
        }
    }
}
