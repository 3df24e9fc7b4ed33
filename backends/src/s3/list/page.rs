//! One page of a listing, read from its XML.

use std::{borrow::Cow, sync::Arc};

use quick_xml::{Reader, events::Event};

use super::source::Next;
use crate::{
    entry::{Entry, Key, Kind, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    s3::{
        headers::{etag_digest, unquoted},
        wire::{encode, xml},
    },
};

/// What one call gave.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub entries: Vec<Entry>,
    /// `None`: this is the end.
    pub next: Option<Next>,
}

/// What has to be known to read a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// What every key must start with.
    pub prefix: &'a str,
    /// Whether `ETag`s of 32 digits are MD5s.
    pub etag_is_md5: bool,
    /// Whether entries are in order as they come; else (directories come apart) they are brought into it.
    pub sorted: bool,
}

/// Undoes `encoding-type=url` where the answer says it was applied.
pub(in crate::s3) fn decoded(text: String, encoded: bool) -> Option<String> {
    if encoded { encode::url_decode(text) } else { Some(text) }
}

/// Reads a page.
///
/// # Errors
/// `Integrity` for what is no listing, ends early, names keys outside of the prefix or does not say where it goes on.
pub(super) fn read(body: &[u8], reading: Reading<'_>) -> Result<Page> {
    let text = std::str::from_utf8(body).map_err(|_| broken("the listing is no UTF-8"))?;
    // Some servers ignore the wish for encoded keys, and say so by silence, which may come after the keys.
    let encoded = text.contains("<EncodingType>url</EncodingType>");
    let mut parser =
        Parser { reading, encoded, page: Page::default(), tail: Tail::default(), item: Item::default(), class: None };
    parser.run(text)?;
    parser.finish()
}

/// Whether a page names anything.
///
/// # Errors
/// As [`read`].
pub(in crate::s3) fn has_entries(body: &[u8]) -> Result<bool> {
    let page = read(body, Reading { prefix: "", etag_is_md5: false, sorted: true })?;
    Ok(!page.entries.is_empty())
}

fn broken(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Integrity, Operation::List).because(why.into())
}

struct Parser<'a> {
    reading: Reading<'a>,
    encoded: bool,
    page: Page,
    tail: Tail,
    item: Item<'a>,
    /// The storage class seen last: one for a million objects.
    class: Option<Arc<str>>,
}

/// What the page says of its continuation.
#[derive(Default)]
struct Tail {
    truncated: bool,
    token: Option<String>,
    key_marker: Option<String>,
    version_marker: Option<String>,
}

/// The fields of one element, as they stand in the page.
#[derive(Default)]
struct Item<'a> {
    key: Option<Cow<'a, str>>,
    size: Option<u64>,
    stored: Option<Timestamp>,
    etag: Option<Arc<str>>,
    version: Option<Arc<str>>,
    class: Option<Arc<str>>,
}

impl<'a> Parser<'a> {
    /// Depth 1 is the root, 2 an entry or a field of the page, 3 a field of an entry.
    fn run(&mut self, text: &'a str) -> Result<()> {
        let unreadable = || broken("the listing is no XML, or ends early");
        let mut reader = Reader::from_str(text);
        let (mut depth, mut value) = (0_usize, Cow::Borrowed(""));
        loop {
            match reader.read_event().map_err(|_| unreadable())? {
                Event::Start(start) => {
                    depth += 1;
                    value = Cow::Borrowed("");
                    match depth {
                        1 if !matches!(start.local_name().into_inner(), "ListBucketResult" | "ListVersionsResult") => {
                            return Err(broken("the answer is no listing"));
                        }
                        2 => self.item = Item::default(),
                        _ => {}
                    }
                }
                Event::Text(part) if value.is_empty() => value = part.into_inner(),
                Event::End(end) => {
                    let name = end.local_name().into_inner();
                    let value = std::mem::take(&mut value);
                    match depth {
                        1 => return Ok(()),
                        2 => self.element(name, value)?,
                        3 => self.field(name, value)?,
                        _ => {}
                    }
                    depth -= 1;
                }
                Event::Eof => return Err(unreadable()),
                event @ (Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) => {
                    xml::push_text(&event, value.to_mut()).ok_or_else(unreadable)?;
                }
                Event::Empty(_) if depth == 0 => return Ok(()),
                _ => {}
            }
        }
    }

    fn field(&mut self, name: &str, value: Cow<'a, str>) -> Result<()> {
        let item = &mut self.item;
        match name {
            "Key" | "Prefix" => item.key = Some(value),
            "Size" => item.size = Some(value.parse().map_err(|_| broken("a size is no number"))?),
            "LastModified" => item.stored = value.parse::<jiff::Timestamp>().ok().map(Timestamp::from),
            "ETag" => item.etag = Some(unquoted(&value).into()),
            "VersionId" => item.version = Some(value.as_ref().into()).filter(|version: &Arc<str>| &**version != "null"),
            "StorageClass" => {
                if self.class.as_deref() != Some(&value) {
                    self.class = Some(value.as_ref().into());
                }
                item.class.clone_from(&self.class);
            }
            _ => {}
        }
        Ok(())
    }

    fn element(&mut self, name: &str, value: Cow<'a, str>) -> Result<()> {
        match name {
            "Contents" | "Version" => self.push(Kind::Object),
            "DeleteMarker" => self.push(Kind::DeleteMarker),
            "CommonPrefixes" => self.push(Kind::Directory),
            "IsTruncated" => {
                self.tail.truncated = value == "true";
                Ok(())
            }
            "NextContinuationToken" => {
                self.tail.token = Some(value.into_owned());
                Ok(())
            }
            "NextKeyMarker" => {
                self.tail.key_marker = Some(self.decode(value)?);
                Ok(())
            }
            "NextVersionIdMarker" => {
                self.tail.version_marker = Some(value.into_owned()).filter(|version| !version.is_empty());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn decode(&self, text: Cow<'_, str>) -> Result<String> {
        decoded(text.into_owned(), self.encoded).ok_or_else(|| broken("a key is no UTF-8 and cannot be named"))
    }

    fn push(&mut self, kind: Kind) -> Result<()> {
        let item = std::mem::take(&mut self.item);
        let key = self.key(item.key.ok_or_else(|| broken("an entry has no key"))?)?;
        if !key.starts_with(self.reading.prefix) {
            return Err(broken(format!("'{key}' is listed, which does not start with '{}'", self.reading.prefix)));
        }
        let mut entry = Entry::object(key, 0);
        entry.kind = kind;
        entry.size = item.size.filter(|_| kind == Kind::Object);
        if kind == Kind::Object && entry.size.is_none() {
            return Err(broken(format!("'{}' is listed without a size", entry.key)));
        }
        entry.stored = item.stored;
        entry.version = item.version;
        entry.storage_class = item.class;
        if self.reading.etag_is_md5
            && let Some(digest) = item.etag.as_deref().and_then(etag_digest)
        {
            entry.digests.set(digest);
        }
        entry.etag = item.etag.filter(|etag| !etag.is_empty());
        self.page.entries.push(entry);
        Ok(())
    }

    fn key(&self, text: Cow<'_, str>) -> Result<Key> {
        // Most keys have nothing to decode, and go from the page into their place without a stop.
        let escaped = self.encoded && text.bytes().any(|byte| byte == b'%' || byte == b'+');
        let key = if escaped { Key::new(self.decode(text)?) } else { Key::new(text.as_ref()) };
        key.map_err(|error| broken(error.to_string()))
    }

    fn finish(mut self) -> Result<Page> {
        if self.page.entries.iter().any(|entry| entry.kind == Kind::DeleteMarker) {
            // Amazon puts markers among the versions, moto behind them all.
            self.page.entries.sort_by(|one, other| one.key.cmp(&other.key).then(other.stored.cmp(&one.stored)));
        }
        if !self.reading.sorted {
            self.page.entries.sort_by(|one, other| one.key.cmp(&other.key));
        }
        if self.tail.truncated {
            let Tail { token, key_marker, version_marker, .. } = self.tail;
            let token = token.filter(|token| !token.is_empty()).map(Next::Token);
            let marker = key_marker.map(|key| Next::Marker { key, version: version_marker });
            self.page.next =
                Some(token.or(marker).ok_or_else(|| broken("the listing goes on and does not say where"))?);
        }
        Ok(self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Algorithm;

    const ALL: Reading<'_> = Reading { prefix: "", etag_is_md5: true, sorted: true };

    fn keys(page: &Page) -> Vec<&str> {
        page.entries.iter().map(|entry| entry.key.as_str()).collect()
    }

    const TWO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
        <KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>
        <Contents><Key>a%2Bb+c%0A/</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>
        <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>0</Size><Owner><ID>x</ID></Owner>
        <StorageClass>STANDARD</StorageClass></Contents>
        <Contents><Key>z</Key><ETag>"abc-2"</ETag><Size>18446744073709551615</Size>
        <StorageClass>STANDARD</StorageClass></Contents>
        <EncodingType>url</EncodingType></ListBucketResult>"#;

    #[test]
    fn a_page_is_read() {
        let page = read(TWO.as_bytes(), ALL).unwrap();
        assert_eq!(keys(&page), ["a+b c\n/", "z"]);
        assert_eq!(page.next, Some(Next::Token("t&1".to_owned())));
        let [first, second] = &page.entries[..] else { panic!() };
        assert!(first.is_object(), "a key that ends in a slash is an object");
        assert_eq!(first.stored.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(first.etag.as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
        assert!(first.digests.get(Algorithm::Md5).is_some());
        assert_eq!((second.size, second.etag.as_deref()), (Some(u64::MAX), Some("abc-2")));
        assert!(second.digests.is_empty());
        let shared = first.storage_class.as_ref().unwrap();
        assert!(Arc::ptr_eq(shared, second.storage_class.as_ref().unwrap()));
        assert!(read(TWO.as_bytes(), Reading { etag_is_md5: false, ..ALL }).unwrap().entries[0].digests.is_empty());
    }

    #[test]
    fn keys_stay_as_they_are_where_the_server_does_not_encode() {
        let plain = TWO.replace("<EncodingType>url</EncodingType>", "");
        assert_eq!(keys(&read(plain.as_bytes(), ALL).unwrap()), ["a%2Bb+c%0A/", "z"]);
    }

    #[test]
    fn a_listing_that_ends_early_is_an_error() {
        for (end, _) in TWO.char_indices().skip(1) {
            let error = read(&TWO.as_bytes()[..end], ALL).map(|page| page.entries.len()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity);
        }
    }

    #[test]
    fn what_is_no_listing_is_an_error() {
        let listing = |inner: &str| format!("<ListBucketResult>{inner}</ListBucketResult>");
        let contents = |inner: &str| listing(&format!("<Contents>{inner}</Contents>"));
        for wrong in [
            "".to_owned(),
            "<html></html>".to_owned(),
            "<Error><Code>x</Code></Error>".to_owned(),
            listing("<IsTruncated>true</IsTruncated>"),
            contents("<Size>1</Size>"),
            contents("<Key>a</Key>"),
            contents("<Key>a</Key><Size>-1</Size>"),
            contents("<Key></Key><Size>1</Size>"),
            contents(&format!("<Key>{}</Key><Size>1</Size>", "x".repeat(1025))),
            contents("<Key>&nobody;</Key><Size>1</Size>"),
            listing("<EncodingType>url</EncodingType><Contents><Key>%FF</Key><Size>1</Size></Contents>"),
        ] {
            assert_eq!(read(wrong.as_bytes(), ALL).unwrap_err().kind(), ErrorKind::Integrity, "{wrong}");
        }
        let outside = Reading { prefix: "p/", ..ALL };
        assert!(read(contents("<Key>q/a</Key><Size>1</Size>").as_bytes(), outside).is_err());
        assert!(read(b"<ListBucketResult/>", ALL).unwrap().entries.is_empty());
    }

    #[test]
    fn directories_stand_among_the_objects() {
        let level = "<ListBucketResult><Contents><Key>a.txt</Key><Size>1</Size></Contents>\
            <Contents><Key>c</Key><Size>1</Size></Contents>\
            <CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>\
            </ListBucketResult>";
        let page = read(level.as_bytes(), Reading { sorted: false, ..ALL }).unwrap();
        assert_eq!(keys(&page), ["a.txt", "a/", "b/", "c"]);
        assert_eq!(page.entries[1].kind, Kind::Directory);
        assert_eq!(page.entries[1].size, None);
    }

    #[test]
    fn markers_behind_all_versions_are_put_where_they_belong() {
        let versions = "<ListVersionsResult>\
            <Version><Key>a</Key><VersionId>v1</VersionId><Size>3</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Version>\
            <Version><Key>b</Key><VersionId>v3</VersionId><Size>3</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Version>\
            <DeleteMarker><Key>a</Key><VersionId>v2</VersionId><LastModified>2026-01-02T00:00:00Z</LastModified></DeleteMarker>\
            </ListVersionsResult>";
        let page = read(versions.as_bytes(), ALL).unwrap();
        let told: Vec<_> = page.entries.iter().map(|entry| entry.version.as_deref()).collect();
        assert_eq!(told, [Some("v2"), Some("v1"), Some("v3")]);
    }

    #[test]
    fn versions_come_with_their_markers() {
        let versions = "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a+b</NextKeyMarker>\
            <NextVersionIdMarker>v1</NextVersionIdMarker><EncodingType>url</EncodingType>\
            <DeleteMarker><Key>a</Key><VersionId>v2</VersionId></DeleteMarker>\
            <Version><Key>a</Key><VersionId>v1</VersionId><Size>3</Size></Version>\
            <Version><Key>b</Key><VersionId>null</VersionId><Size>3</Size></Version></ListVersionsResult>";
        let page = read(versions.as_bytes(), ALL).unwrap();
        let told: Vec<_> = page.entries.iter().map(|entry| (entry.kind, entry.version.as_deref())).collect();
        assert_eq!(told, [(Kind::DeleteMarker, Some("v2")), (Kind::Object, Some("v1")), (Kind::Object, None)]);
        assert_eq!(page.next, Some(Next::Marker { key: "a b".to_owned(), version: Some("v1".to_owned()) }));
    }
}
