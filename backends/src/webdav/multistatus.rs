//! A `multistatus` (RFC 4918, 13), read as it arrives: however many members it has, one is in memory.

use std::{io, sync::Arc};

use futures::TryStreamExt;
use quick_xml::{
    events::Event,
    name::{Namespace, ResolveResult},
    reader::NsReader,
};
use tokio::io::{AsyncBufRead, AsyncRead};
use tokio_util::io::StreamReader;

use crate::{
    entry::{Algorithm, Digest, Digests, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    web::{
        body::coalesced,
        client::Answer,
        headers::{etag_of, http_date},
    },
};

const DAV: Namespace<'static> = Namespace("DAV:");

/// One `response`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Member {
    /// As it stands there.
    pub href: String,
    /// The status of the member as a whole, where one is told.
    pub status: Option<u16>,
    /// The properties that were found.
    pub found: Properties,
    /// The first status of properties that was no success.
    pub refused: Option<u16>,
}

/// What is asked of a member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Properties {
    pub collection: bool,
    pub length: Option<u64>,
    pub modified: Option<Timestamp>,
    pub etag: Option<Arc<str>>,
    pub content_type: Option<String>,
    pub digests: Digests,
}

impl Properties {
    fn take(&mut self, other: Self) {
        self.collection |= other.collection;
        self.length = other.length.or(self.length);
        self.modified = other.modified.or(self.modified);
        self.etag = other.etag.or_else(|| self.etag.take());
        self.content_type = other.content_type.or_else(|| self.content_type.take());
        other.digests.iter().for_each(|digest| self.digests.set(*digest));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Multistatus,
    Response,
    Href,
    Status,
    Propstat,
    Prop,
    ResourceType,
    Collection,
    Length,
    Modified,
    Etag,
    ContentType,
    Checksum,
    Other,
}

impl Tag {
    fn of(namespace: &ResolveResult<'_>, name: &str) -> Self {
        if *namespace == ResolveResult::Bound(Namespace("http://owncloud.org/ns")) {
            return if matches!(name, "checksums" | "checksum") { Self::Checksum } else { Self::Other };
        }
        if *namespace != ResolveResult::Bound(DAV) {
            return Self::Other;
        }
        match name {
            "multistatus" => Self::Multistatus,
            "response" => Self::Response,
            "href" => Self::Href,
            "status" => Self::Status,
            "propstat" => Self::Propstat,
            "prop" => Self::Prop,
            "resourcetype" => Self::ResourceType,
            "collection" => Self::Collection,
            "getcontentlength" => Self::Length,
            "getlastmodified" => Self::Modified,
            "getetag" => Self::Etag,
            "getcontenttype" => Self::ContentType,
            _ => Self::Other,
        }
    }
}

/// A `multistatus` on its way.
pub(super) struct Multistatus<R> {
    reader: NsReader<R>,
    operation: Operation,
    buffer: Vec<u8>,
    open: Vec<Tag>,
    text: String,
    member: Member,
    /// Of the `propstat` that is open.
    properties: Properties,
    status: Option<u16>,
    ended: bool,
}

/// Reads an answer of status 207.
pub(super) fn of_answer(operation: Operation, answer: Answer) -> Multistatus<impl AsyncBufRead + Unpin + Send> {
    let chunks = coalesced(answer.into_body()).map_err(io::Error::other);
    Multistatus::new(operation, StreamReader::new(Box::pin(chunks)))
}

impl<R: AsyncBufRead + AsyncRead + Unpin> Multistatus<R> {
    pub fn new(operation: Operation, source: R) -> Self {
        Self {
            reader: NsReader::from_reader(source),
            operation,
            buffer: Vec::new(),
            open: Vec::new(),
            text: String::new(),
            member: Member::default(),
            properties: Properties::default(),
            status: None,
            ended: false,
        }
    }

    /// The next member; `None` at the end.
    ///
    /// # Errors
    /// `Unavailable` where it is cut off; `Integrity` for what is no `multistatus`.
    pub async fn next(&mut self) -> Result<Option<Member>> {
        if self.ended {
            return Ok(None);
        }
        loop {
            self.buffer.clear();
            let (namespace, event) = self
                .reader
                .read_resolved_event_into_async(&mut self.buffer)
                .await
                .map_err(|e| cut(self.operation, e))?;
            match event {
                Event::Start(start) => {
                    let tag = Tag::of(&namespace, start.local_name().into_inner());
                    begin(self.operation, &mut self.open, tag)?;
                    self.text.clear();
                }
                Event::Empty(start) => {
                    let tag = Tag::of(&namespace, start.local_name().into_inner());
                    begin(self.operation, &mut self.open, tag)?;
                    self.text.clear();
                    self.end();
                }
                Event::End(_) => match self.end() {
                    Some(Tag::Response) => return Ok(Some(std::mem::take(&mut self.member))),
                    Some(Tag::Multistatus) => {
                        self.ended = true;
                        return Ok(None);
                    }
                    _ => {}
                },
                Event::Eof => {
                    let why = "the answer ends before its last member";
                    return Err(Error::new(ErrorKind::Unavailable, self.operation).because(why));
                }
                event => {
                    crate::web::xml::push_text(&event, &mut self.text)
                        .ok_or_else(|| strange(self.operation, "an entity nobody defined"))?;
                }
            }
        }
    }

    /// Closes the innermost element and takes what it said.
    fn end(&mut self) -> Option<Tag> {
        let tag = self.open.pop()?;
        let above = self.open.last().copied();
        let text = self.text.trim();
        match (tag, above) {
            (Tag::Href, Some(Tag::Response)) => text.clone_into(&mut self.member.href),
            (Tag::Status, Some(Tag::Response)) => self.member.status = status(text),
            (Tag::Status, Some(Tag::Propstat)) => self.status = status(text),
            (Tag::Propstat, _) => {
                let properties = std::mem::take(&mut self.properties);
                match self.status.take() {
                    None | Some(200..=299) => self.member.found.take(properties),
                    refused => self.member.refused = self.member.refused.or(refused),
                }
            }
            (Tag::Collection, Some(Tag::ResourceType)) => self.properties.collection = true,
            (Tag::Length, Some(Tag::Prop)) => self.properties.length = text.parse().ok(),
            (Tag::Modified, Some(Tag::Prop)) => self.properties.modified = http_date(text),
            (Tag::Etag, Some(Tag::Prop)) => self.properties.etag = etag_of(text),
            (Tag::ContentType, Some(Tag::Prop)) if !text.is_empty() => {
                self.properties.content_type = Some(text.to_owned());
            }
            (Tag::Checksum, _) => checksums(text).for_each(|digest| self.properties.digests.set(digest)),
            _ => {}
        }
        self.text.clear();
        Some(tag)
    }
}

fn begin(operation: Operation, open: &mut Vec<Tag>, tag: Tag) -> Result<()> {
    if open.is_empty() && tag != Tag::Multistatus {
        return Err(strange(operation, "no multistatus"));
    }
    open.push(tag);
    Ok(())
}

fn strange(operation: Operation, what: &str) -> Error {
    Error::new(ErrorKind::Integrity, operation).retryable(false).because(format!("the answer is {what}"))
}

fn cut(operation: Operation, error: quick_xml::Error) -> Error {
    match error {
        quick_xml::Error::Io(_) => Error::new(ErrorKind::Unavailable, operation).because(error),
        error => strange(operation, "no XML").because(error),
    }
}

/// `HTTP/1.1 200 OK`.
fn status(text: &str) -> Option<u16> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// `SHA1:… MD5:… ADLER32:…`, as ownCloud writes them, in one element or in several.
fn checksums(text: &str) -> impl Iterator<Item = Digest> + '_ {
    text.split_ascii_whitespace().filter_map(|checksum| {
        let (name, value) = checksum.split_once(':')?;
        let algorithm = [Algorithm::Sha1, Algorithm::Md5, Algorithm::Sha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.name()))?;
        Digest::from_hex(algorithm, value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> Result<Vec<Member>> {
        let mut multistatus = Multistatus::new(Operation::List, text.as_bytes());
        let mut members = Vec::new();
        while let Some(member) = multistatus.next().await? {
            members.push(member);
        }
        Ok(members)
    }

    const MIXED: &str = r#"<?xml version="1.0"?>
        <x:multistatus xmlns:x="DAV:" xmlns:o="http://owncloud.org/ns"><x:response><x:href>/a&amp;b%20c</x:href>
        <x:propstat><x:prop><lp1:getetag xmlns:lp1="DAV:">W/"5-&#54;"</lp1:getetag><x:getcontentlength>7</x:getcontentlength>
        <x:getlastmodified>Fri, 14 Jul 2017 02:40:00 GMT</x:getlastmodified><x:resourcetype/>
        <getetag xmlns="urn:other">no</getetag>
        <o:checksums><o:checksum>SHA1:aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d MD5:5d41402abc4b2a76b9719d911017c592 ADLER32:1</o:checksum></o:checksums>
        </x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>
        <x:propstat><x:prop><x:getcontentlength>9</x:getcontentlength></x:prop><x:status>HTTP/1.1 403 Forbidden</x:status></x:propstat>
        </x:response><x:response><x:href>/d/</x:href><x:propstat><x:prop><x:resourcetype><x:collection/></x:resourcetype></x:prop>
        <x:status>HTTP/1.1 200 OK</x:status></x:propstat></x:response>
        <x:response><x:href>/locked</x:href><x:status>HTTP/1.1 423 Locked</x:status></x:response></x:multistatus>"#;

    #[tokio::test]
    async fn mixed_statuses_are_told_apart() {
        let members = read(MIXED).await.unwrap();
        assert_eq!(members.len(), 3);
        let file = &members[0];
        assert_eq!((file.href.as_str(), file.found.length, file.refused), ("/a&b%20c", Some(7), Some(403)));
        assert_eq!(file.found.etag.as_deref(), Some("5-6"));
        assert_eq!(file.found.modified, Some(Timestamp::from_parts(1_500_000_000, 0)));
        assert_eq!(file.found.digests.iter().count(), 2);
        assert!(!file.found.collection && members[1].found.collection);
        assert_eq!(members[2].status, Some(423));
    }

    #[tokio::test]
    async fn what_is_cut_off_or_something_else_is_an_error() {
        for end in [MIXED.len() - 1, MIXED.len() - 20, 700, 40] {
            let error = read(&MIXED[..end]).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Integrity), "{end}: {error}");
        }
        assert_eq!(read("").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(read("<html><body/></html>").await.unwrap_err().kind(), ErrorKind::Integrity);
    }
}
