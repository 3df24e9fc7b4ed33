//! Index pages: the links of HTML, and the exact facts of JSON.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use html5gum::{Token, Tokenizer};
use reqwest::Url;
use serde::Deserialize;

use crate::{
    entry::{Digest, Digests, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    web::{address::Address, headers::http_date},
};

/// What a page tells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    /// By name; those of folders end in `/`.
    pub links: BTreeMap<String, Facts>,
    /// The last name, where more are to be asked for.
    pub more_after: Option<String>,
}

/// What is told exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub size: Option<u64>,
    pub modified: Option<Timestamp>,
    pub digests: Digests,
}

/// The links of an HTML page that stand for what lies directly below `url`.
///
/// # Errors
/// `Unsupported` for a page that is no index, unless `any` is taken for one: a folder's `index.html` links to a part of
/// what is there, and what it leaves out would look deleted.
pub(super) fn html(text: &str, url: &Url, any: bool) -> Result<Page> {
    let here = Address::new(url.clone()).ok_or_else(|| strange(url, "has an address that is no text"))?;
    let mut page = Page::default();
    let (mut heading, mut words, mut is_index) = (false, String::new(), any);
    for token in Tokenizer::new(text) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => match tag.name.as_slice() {
                b"title" | b"h1" | b"h2" => (heading, words) = (true, String::new()),
                b"a" => {
                    let href = tag.attributes.get(b"href".as_slice());
                    let href = href.and_then(|href| std::str::from_utf8(href).ok());
                    if let Some(name) = href.and_then(|href| below(href, url, &here).transpose()) {
                        page.links.insert(name?, Facts::default());
                    }
                }
                _ => {}
            },
            Token::String(part) if heading => words.push_str(&String::from_utf8_lossy(&part)),
            Token::EndTag(tag) if matches!(tag.name.as_slice(), b"title" | b"h1" | b"h2") => {
                heading = false;
                is_index |= is_index_heading(words.trim(), url);
            }
            _ => {}
        }
    }
    if is_index { Ok(page) } else { Err(strange(url, "is no index page; name a list, or set any_page")) }
}

/// Apache, nginx and lighttpd say "Index of", Python "Directory listing for", and rclone the path alone.
fn is_index_heading(words: &str, url: &Url) -> bool {
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
    words.starts_with("Index of")
        || words.starts_with("Directory listing")
        || words.trim_end_matches('/') == path.trim_end_matches('/')
}

/// The name a link of the page stands for; `None` where it leads elsewhere.
fn below(href: &str, url: &Url, here: &Address) -> Result<Option<String>> {
    let Ok(to) = url.join(href) else { return Ok(None) };
    if to.origin() != url.origin() || to.query().is_some() || to.fragment().is_some() {
        return Ok(None);
    }
    let Some(rest) = to.path().strip_prefix(url.path()).filter(|rest| !rest.is_empty()) else { return Ok(None) };
    let (name, end) = rest.strip_suffix('/').map_or((rest, ""), |name| (name, "/"));
    if name.contains('/') || name.is_empty() {
        return Ok(None);
    }
    let name = here.path_of(to.path()).ok_or_else(|| strange(url, &format!("links to '{href}', which is no text")))?;
    Ok(Some(format!("{name}{end}")))
}

/// What a page of JSON tells: Caddy's, nginx' or SeaweedFS's.
///
/// # Errors
/// `Unsupported` for another.
pub(super) fn json(body: &[u8], url: &Url) -> Result<Page> {
    let told: Told =
        serde_json::from_slice(body).map_err(|error| strange(url, "is JSON of another kind").because(error))?;
    let mut page = Page::default();
    match told {
        Told::List(items) => {
            for item in items {
                let is_folder = item.is_dir.unwrap_or(false) || item.kind.as_deref() == Some("directory");
                let name = item.name.strip_suffix('/').unwrap_or(&item.name);
                let modified = item.mod_time.or_else(|| item.mtime.as_deref().and_then(http_date));
                page.add(name, is_folder, item.size, modified, Digests::new());
            }
        }
        Told::Filer { entries, last, more } => {
            for entry in entries.into_iter().flatten() {
                let name = entry.path.rsplit('/').next().unwrap_or_default();
                let md5 = entry.md5.and_then(|md5| BASE64.decode(md5).ok()?.try_into().ok());
                // The mode is Go's, in which the highest bit stands for folders.
                let is_folder = entry.mode & (1 << 31) != 0;
                page.add(
                    name,
                    is_folder,
                    Some(entry.size),
                    Some(entry.modified),
                    md5.map(Digest::Md5).into_iter().collect(),
                );
            }
            page.more_after = more.then_some(last).filter(|last| !last.is_empty());
        }
    }
    Ok(page)
}

impl Page {
    fn add(&mut self, name: &str, is_folder: bool, size: Option<u64>, modified: Option<Timestamp>, digests: Digests) {
        // As headers tell times: in whole seconds.
        let modified = modified.map(|time| Timestamp::from_parts(time.seconds(), 0));
        let facts = Facts { size, modified, digests };
        match is_folder {
            _ if matches!(name, "" | "." | "..") || name.contains('/') => {}
            true => drop(self.links.insert(format!("{name}/"), Facts::default())),
            false => drop(self.links.insert(name.to_owned(), facts)),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    List(Vec<Item>),
    Filer {
        #[serde(rename = "Entries")]
        entries: Option<Vec<FilerEntry>>,
        #[serde(rename = "LastFileName")]
        last: String,
        #[serde(rename = "ShouldDisplayLoadMore")]
        more: bool,
    },
}

#[derive(Deserialize)]
struct Item {
    name: String,
    size: Option<u64>,
    is_dir: Option<bool>,
    mod_time: Option<Timestamp>,
    #[serde(rename = "type")]
    kind: Option<String>,
    mtime: Option<String>,
}

#[derive(Deserialize)]
struct FilerEntry {
    #[serde(rename = "FullPath")]
    path: String,
    #[serde(rename = "Mtime")]
    modified: Timestamp,
    #[serde(rename = "Mode")]
    mode: u32,
    #[serde(rename = "FileSize")]
    size: u64,
    #[serde(rename = "Md5")]
    md5: Option<String>,
}

fn strange(url: &Url, what: &str) -> Error {
    let mut shown = url.clone();
    shown.set_query(None);
    Error::new(ErrorKind::Unsupported, Operation::List).because(format!("{shown} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_below_are_taken() {
        let url: Url = "http://h/d%20r/".parse().unwrap();
        let text = r##"<html><head><title>Index of /d r</title></head><body><a href="?C=N;O=D">Name</a>
            <a href="/">up</a> <a href="../">up</a> <A HREF='a%20b%23.txt'>a b</A> <a href="sub/">sub</a> <a href="./c:d">c</a>
            <a href="/d%20r/whole&amp;.x">x</a> <a href="http://other/d%20r/y">y</a> <a href="deep/er">z</a> <a href="#top">t</a>
            <a href="http://h/d%20r/full">f</a><a name="n">n</a></body></html>"##;
        let page = html(text, &url, false).unwrap();
        let names: Vec<_> = page.links.keys().map(String::as_str).collect();
        assert_eq!(names, ["a b#.txt", "c:d", "full", "sub/", "whole&.x"]);
        let home = "<title>Welcome</title><a href='news.html'>news</a>";
        assert_eq!(html(home, &url, false).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(html(home, &url, true).unwrap().links.len(), 1);
    }

    #[test]
    fn json_tells_exactly() {
        let url: Url = "http://h/".parse().unwrap();
        let caddy = r#"[{"name":"ü/","size":4096,"url":"./%C3%BC/","mod_time":"2026-11-22T15:49:50.6Z","is_dir":true},
            {"name":"a b","size":6,"mod_time":"2026-11-22T15:49:50.6Z","is_dir":false}]"#;
        let nginx = r#"[{ "name":"ü", "type":"directory", "mtime":"Sun, 22 Nov 2026 15:49:50 GMT" },
            { "name":"a b", "type":"file", "mtime":"Sun, 22 Nov 2026 15:49:50 GMT", "size":6 }]"#;
        let page = json(caddy.as_bytes(), &url).unwrap();
        assert_eq!(page, json(nginx.as_bytes(), &url).unwrap());
        assert_eq!(page.links["a b"].size, Some(6));
        assert!(page.links.contains_key("ü/"));
        let filer = r#"{"Path":"/x","Entries":[{"FullPath":"/x/a b","Mtime":"2026-11-22T15:49:50.06Z","Mode":432,
            "Md5":"sZRqySSS0jR8YjW00mERhA==","FileSize":6}],"LastFileName":"a b","ShouldDisplayLoadMore":true}"#;
        let page = json(filer.as_bytes(), &url).unwrap();
        assert_eq!(page.more_after.as_deref(), Some("a b"));
        assert!(page.links["a b"].digests.md5().is_some());
        assert_eq!(json(b"{\"a\":1}", &url).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
