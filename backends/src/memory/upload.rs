//! Uploads in parts.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    Behaviour,
    revision::{Content, md5_of},
    state::State,
};
use crate::{
    capability::MultipartAbility,
    digest,
    entry::{Digest, Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{Begun, IncompleteUpload, Part, PutRequest, UploadToken},
};

/// An upload that is open.
#[derive(Debug)]
pub(super) struct Upload {
    key: Key,
    started: Timestamp,
    /// What [`begin`](crate::Store::begin) announced.
    size: u64,
    /// What it said of the object.
    said: PutRequest,
    parts: BTreeMap<u32, Taken>,
}

/// A part that was taken.
#[derive(Debug)]
struct Taken {
    part: Part,
    bytes: Bytes,
    offset: Option<u64>,
}

/// A part that came, to be judged.
pub(super) struct Offered<'a> {
    pub(super) number: u32,
    /// Where it is said to start; copied parts do not say.
    pub(super) offset: Option<u64>,
    pub(super) digests: &'a Digests,
    pub(super) bytes: Bytes,
}

fn ability(behaviour: &Behaviour, operation: Operation) -> Result<MultipartAbility> {
    behaviour.capabilities.multipart.ok_or_else(|| Error::unsupported(operation, "no uploads in parts"))
}

impl State {
    pub(super) fn begin(&mut self, behaviour: &Behaviour, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        ability(behaviour, Operation::Begin)?;
        self.permits(behaviour, Operation::Begin, key, request)?;
        let size = request.size.ok_or_else(|| refused(Operation::Begin, "the size is not given"))?;
        let id = format!("u{}", self.next_serial());
        let started = self.tick();
        let (said, parts) = (request.clone(), BTreeMap::new());
        self.uploads.insert(id.clone(), Upload { key: key.clone(), started, size, said, parts });
        Ok(UploadToken { key: key.clone(), id })
    }

    /// The open upload of `token`.
    ///
    /// # Errors
    /// `NotFound` where it was completed or aborted, or never was.
    pub(super) fn upload(&mut self, operation: Operation, token: &UploadToken) -> Result<&mut Upload> {
        self.present(operation)?;
        let found = self.uploads.get_mut(&token.id).filter(|upload| upload.key == token.key);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, operation).at(&token.key))
    }

    pub(super) fn take_part(
        &mut self,
        behaviour: &Behaviour,
        operation: Operation,
        token: &UploadToken,
        offered: Offered<'_>,
    ) -> Result<Part> {
        let Offered { number, offset, digests, bytes } = offered;
        let limits = ability(behaviour, operation)?;
        let upload = self.upload(operation, token)?;
        if !(1..=limits.max_parts).contains(&number) {
            return Err(refused(operation, "the number of the part is out of bounds"));
        }
        if bytes.len() as u64 > limits.max_part {
            return Err(refused(operation, "the part is too large"));
        }
        if let Some(claim) = digest::contradicted(digests, &bytes) {
            return Err(Error::new(ErrorKind::Integrity, operation).because(format!("the part is not {claim}")));
        }
        let md5 = Digest::Md5(md5_of(&bytes));
        let known = digests.iter().copied().chain(limits.part_digest.and_then(|kind| digest::of(kind, &bytes)));
        let part = Part {
            number,
            size: bytes.len() as u64,
            etag: behaviour.etags.then(|| Arc::from(md5.hex())),
            digests: known.collect(),
        };
        upload.parts.insert(number, Taken { part: part.clone(), bytes, offset });
        Ok(part)
    }

    pub(super) fn complete(
        &mut self,
        behaviour: &Behaviour,
        token: &UploadToken,
        request: &PutRequest,
        parts: &[Part],
    ) -> Result<Entry> {
        const COMPLETE: Operation = Operation::Complete;
        let limits = ability(behaviour, COMPLETE)?;
        if let Some(etag) = self.completed.get(&token.id) {
            let (object, revision, content) = self.find(behaviour, COMPLETE, &token.key, None)?;
            let still = content.etag == *etag;
            return if still {
                Ok(revision.entry(behaviour, &object.key, true))
            } else {
                Err(Error::new(ErrorKind::NotFound, COMPLETE))
            };
        }
        let (bytes, digest) = self.upload(COMPLETE, token)?.join(&limits, parts, request.size)?;
        let contradicted = digest::contradicted(&request.digests, &bytes).is_some()
            || request.digests.iter().any(|claim| matches!(claim, Digest::Parts { .. }) && *claim != digest);
        if contradicted {
            return Err(wrong("the whole is not what its digests say"));
        }
        self.permits(behaviour, COMPLETE, &token.key, request)?;
        let content = Content::new(behaviour, request, bytes, Some(digest));
        self.completed.insert(token.id.clone(), content.etag.clone());
        self.uploads.remove(&token.id);
        Ok(self.store(behaviour, &token.key, content))
    }

    /// The open uploads of `key` that were begun as `request` says.
    pub(super) fn begun(&self, key: &Key, request: &PutRequest) -> Vec<Begun> {
        let same = |said: &PutRequest| {
            (said.size, said.modified, &said.digests, &said.metadata)
                == (request.size, request.modified, &request.digests, &request.metadata)
        };
        let ours = self.uploads.iter().filter(|(_, upload)| upload.key == *key && same(&upload.said));
        let token = |id: &String| UploadToken { key: key.clone(), id: id.clone() };
        ours.map(|(id, _)| Begun { token: token(id), described: true }).collect()
    }

    pub(super) fn open_uploads(&self, prefix: &str) -> Vec<IncompleteUpload> {
        let ours = self.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
        let mut open: Vec<_> = ours
            .map(|(id, upload)| IncompleteUpload {
                token: UploadToken { key: upload.key.clone(), id: id.clone() },
                started: Some(upload.started),
            })
            .collect();
        open.sort_by(|a, b| (&a.token.key, a.started).cmp(&(&b.token.key, b.started)));
        open
    }
}

impl Upload {
    pub(super) fn parts(&self) -> Vec<Part> {
        self.parts.values().map(|taken| taken.part.clone()).collect()
    }

    /// The bytes the parts make, and the digest of the parts.
    fn join(&self, limits: &MultipartAbility, parts: &[Part], size: Option<u64>) -> Result<(Bytes, Digest)> {
        let ours = self.parts.values().map(|taken| (taken.part.number, taken.part.size, &taken.part.etag));
        if !ours.eq(parts.iter().map(|part| (part.number, part.size, &part.etag))) {
            return Err(wrong("the parts named are not the parts that are there"));
        }
        let mut whole = BytesMut::new();
        let mut tags = Vec::new();
        for (at, taken) in self.parts.values().enumerate() {
            let range = Range { start: whole.len() as u64, end: whole.len() as u64 + taken.part.size };
            if at + 1 < parts.len() && taken.part.size < limits.min_part {
                return Err(refused(Operation::Complete, "a part that is not the last is too small"));
            }
            if taken.offset.is_some_and(|offset| offset != range.start) {
                return Err(wrong("a part does not start where the one before it ends"));
            }
            whole.extend_from_slice(&taken.bytes);
            tags.extend_from_slice(&md5_of(&taken.bytes));
        }
        if parts.is_empty() || size.unwrap_or(self.size) != whole.len() as u64 {
            return Err(wrong("the parts do not make the size announced"));
        }
        let parts = u32::try_from(parts.len()).expect("there are at most max_parts parts");
        Ok((whole.freeze(), Digest::Parts { md5: md5_of(&tags), parts }))
    }
}

fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::Integrity, Operation::Complete).retryable(false).because(why.to_owned())
}

fn refused(operation: Operation, why: &str) -> Error {
    Error::new(ErrorKind::BadRequest, operation).because(why.to_owned())
}
