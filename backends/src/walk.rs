//! Listings of stores that are trees: directory by directory, several at once, as each answers.

use futures::{
    StreamExt,
    stream::{self, BoxStream, SelectAll},
};

use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages},
};

/// Members of one directory, some or all of them.
#[derive(Default)]
pub(crate) struct Page {
    /// Objects.
    pub entries: Vec<Entry>,
    /// Paths, ending in `/`.
    pub directories: Vec<String>,
}

/// The pages of one directory.
pub(crate) type Scan = BoxStream<'static, Result<Page>>;

/// The directory (empty, or ending in `/`) in which everything lies whose key starts with `prefix`; `None` where a tree has
/// no such directory, and so nothing is listed.
pub(crate) fn top(prefix: &str) -> Option<&str> {
    let top = &prefix[..prefix.rfind('/').map_or(0, |at| at + 1)];
    let odd = top.split('/').rev().skip(1).any(|segment| matches!(segment, "" | "." | ".."));
    (!odd).then_some(top)
}

/// The directory that a place names when it is opened at `prefix`: empty, or ending in `/`. That it is missing is an error, as
/// of a directory of this machine; that something below it is missing says that nothing lies there.
pub(crate) fn named(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

/// The key of what was found at `path`.
///
/// # Errors
/// `Unsupported` where no key is such.
pub(crate) fn key(path: &str) -> Result<Key> {
    Key::new(path).map_err(|error| Error::new(ErrorKind::Unsupported, Operation::List).because(error))
}

/// Lists of the directories `pending`, and of what lies below them, what `request` asks for. `scan` lists one directory, by
/// its path; at most `at_once` are listed at a time. Pages come in no order.
pub(crate) fn pages(
    request: ListRequest,
    pending: Vec<String>,
    at_once: usize,
    scan: impl Fn(String) -> Scan + Send + 'static,
) -> Pages {
    let walk = Walk { request, pending, running: SelectAll::new() };
    stream::try_unfold((walk, scan), move |(mut walk, scan)| async move {
        loop {
            while walk.running.len() < at_once
                && let Some(path) = walk.pending.pop()
            {
                walk.running.push(scan(path));
            }
            let Some(page) = walk.running.next().await else { return Ok(None) };
            let entries = walk.take(page?)?;
            if !entries.is_empty() {
                return Ok(Some((entries, (walk, scan))));
            }
        }
    })
    .boxed()
}

struct Walk {
    request: ListRequest,
    /// Still to be listed.
    pending: Vec<String>,
    running: SelectAll<Scan>,
}

impl Walk {
    /// Sorts out what of a page was asked for, and remembers what is to be entered.
    fn take(&mut self, page: Page) -> Result<Vec<Entry>> {
        let prefix = &self.request.prefix;
        let mut entries = page.entries;
        entries.retain(|entry| entry.key.starts_with(prefix));
        for path in page.directories {
            if !path.starts_with(prefix) && !prefix.starts_with(&path) {
                continue;
            }
            if !self.request.recursive {
                entries.push(Entry::directory(key(&path)?));
            } else if self.request.enters(&path) {
                self.pending.push(path);
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    #[test]
    fn a_place_names_a_directory() {
        for (prefix, wanted) in [("", ""), ("a", "a/"), ("a/", "a/"), ("a/b", "a/b/")] {
            assert_eq!(named(prefix), wanted);
        }
    }

    #[test]
    fn a_prefix_lies_in_one_directory_or_in_none() {
        for (prefix, wanted) in [("", Some("")), ("a", Some("")), ("a/b", Some("a/")), ("a/b/", Some("a/b/"))] {
            assert_eq!(top(prefix), wanted, "{prefix}");
        }
        assert_eq!(top("a/.."), Some("a/"));
        for prefix in ["/", "/a", "a//b", "a/./b", "a/../"] {
            assert_eq!(top(prefix), None, "{prefix}");
        }
    }

    /// `a/x`, `a/deep/y`, `b`, `bb/z`.
    fn scan(path: String) -> Scan {
        let (entries, directories): (&[_], &[_]) = match path.as_str() {
            "" => (&["b"], &["a/", "bb/"]),
            "a/" => (&["a/x"], &["a/deep/"]),
            "a/deep/" => (&["a/deep/y"], &[]),
            "bb/" => (&["bb/z"], &[]),
            _ => panic!("{path} is no directory"),
        };
        let object = |path: &&str| Entry::object(key(path).unwrap(), 1);
        let directories = directories.iter().map(|path: &&str| (*path).to_owned()).collect();
        let page = Page { entries: entries.iter().map(object).collect(), directories };
        stream::iter([Ok(page)]).boxed()
    }

    async fn listed(request: ListRequest) -> Vec<String> {
        let pending = vec![top(&request.prefix).unwrap().to_owned()];
        let entries: Vec<Entry> = pages(request, pending, 2, scan).try_concat().await.unwrap();
        let mut keys: Vec<_> = entries.iter().map(|entry| entry.key.to_string()).collect();
        keys.sort();
        keys
    }

    #[tokio::test]
    async fn what_was_asked_for_is_listed() {
        assert_eq!(listed(ListRequest::all("")).await, ["a/deep/y", "a/x", "b", "bb/z"]);
        assert_eq!(listed(ListRequest::all("b")).await, ["b", "bb/z"]);
        assert_eq!(listed(ListRequest::all("a/d")).await, ["a/deep/y"]);
        assert_eq!(listed(ListRequest::level("")).await, ["a/", "b", "bb/"]);
        assert_eq!(listed(ListRequest::level("b")).await, ["b", "bb/"]);
        let enter: crate::store::Enter = std::sync::Arc::new(|path| path != "a/deep/");
        let request = ListRequest { enter: Some(enter), ..ListRequest::all("") };
        assert_eq!(listed(request).await, ["a/x", "b", "bb/z"]);
    }
}
