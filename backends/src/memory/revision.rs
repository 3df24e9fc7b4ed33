//! One content under one key.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::behaviour::Behaviour;
use crate::{
    body::Body,
    digest,
    entry::{Digest, Digests, Entry, Key, Kind, Metadata, Timestamp, Version},
    store::PutRequest,
};

/// The MD5 of `bytes`, which tags are made of.
pub(super) fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// What was stored under a key at one time, or that it was deleted.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) version: Version,
    pub(super) stored: Timestamp,
    /// `None`: a delete marker.
    pub(super) content: Option<Content>,
}

#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) etag: Option<Arc<str>>,
    pub(super) digests: Digests,
    pub(super) modified: Option<Timestamp>,
    pub(super) metadata: Arc<Metadata>,
}

impl Content {
    /// `bytes` as a store of that behaviour keeps them. `parts` is the digest of the parts it came in.
    pub(super) fn new(behaviour: &Behaviour, request: &PutRequest, bytes: Bytes, parts: Option<Digest>) -> Self {
        let sent = request.digests.iter().copied();
        let computed = behaviour.computes.iter().filter_map(|algorithm| digest::of(*algorithm, &bytes));
        let digests: Digests = sent.chain(computed).chain(parts).collect();
        let etag = behaviour.etags.then(|| {
            let tag = parts.unwrap_or_else(|| Digest::Md5(md5_of(&bytes)));
            Arc::from(tag.hex())
        });
        let mut content = Self { bytes, etag, digests, modified: None, metadata: Arc::default() };
        content.describe(behaviour, request);
        content
    }

    /// Takes over time and metadata, as far as the store keeps them.
    pub(super) fn describe(&mut self, behaviour: &Behaviour, request: &PutRequest) {
        let coarse =
            |time: Timestamp, precision: i64| Timestamp::from_nanos(time.as_nanos().div_euclid(precision) * precision);
        self.modified = behaviour.capabilities.modified.and_then(|precision| {
            let precision = i64::try_from(precision.as_nanos()).unwrap_or(i64::MAX).max(1);
            request.modified.map(|time| coarse(time, precision))
        });
        self.metadata = Arc::new(kept(behaviour, &request.metadata));
    }

    pub(super) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes from `start` to `end`, which lie inside.
    pub(super) fn body(&self, behaviour: &Behaviour, start: usize, end: usize) -> Body {
        let bytes = self.bytes.slice(start..end);
        let Some(chunk) = behaviour.read_chunk else { return bytes.into() };
        let len = bytes.len() as u64;
        let chunks = futures::stream::unfold(bytes, move |mut rest| async move {
            let next = rest.split_to(rest.len().min(chunk.max(1)));
            (!next.is_empty()).then_some((Ok(next), rest))
        });
        Body::stream(Some(len), Box::pin(chunks))
    }
}

impl Revision {
    /// As a listing tells it, or with `full` as a stat does.
    pub(super) fn entry(&self, behaviour: &Behaviour, key: &Key, full: bool) -> Entry {
        let can = &behaviour.capabilities;
        let mut entry = Entry::object(key.clone(), 0);
        entry.version = can.versions.then(|| Arc::clone(&self.version));
        entry.stored = Some(self.stored);
        let Some(content) = &self.content else {
            return Entry { kind: Kind::DeleteMarker, size: None, ..entry };
        };
        let told = |digest: &&Digest| {
            let algorithm = digest.algorithm();
            can.digests_in_list.contains(&algorithm) || full && can.digests_in_stat.contains(&algorithm)
        };
        entry.size = Some(content.size());
        entry.etag.clone_from(&content.etag);
        entry.stamp = content.etag.is_none().then(|| stamp(&self.version));
        entry.digests = content.digests.iter().filter(told).copied().collect();
        entry.modified = content.modified.filter(|_| full || can.modified_in_list);
        entry.storage_class = content.metadata.storage_class.as_deref().map(Arc::from);
        entry.metadata = full.then(|| Arc::clone(&content.metadata));
        entry
    }
}

/// A file's stamp, for stores that pass for a disk.
fn stamp(version: &Version) -> u64 {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    hasher.finish()
}

fn kept(behaviour: &Behaviour, metadata: &Metadata) -> Metadata {
    let can = behaviour.capabilities.metadata;
    let header = |value: &Option<String>| value.clone().filter(|_| can.headers);
    Metadata {
        content_type: metadata.content_type.clone().filter(|_| can.content_type),
        cache_control: header(&metadata.cache_control),
        content_disposition: header(&metadata.content_disposition),
        content_encoding: header(&metadata.content_encoding),
        content_language: header(&metadata.content_language),
        storage_class: metadata.storage_class.clone().filter(|_| can.storage_class),
        user: if can.user { metadata.user.clone() } else { Default::default() },
        tags: if can.tags { metadata.tags.clone() } else { Default::default() },
    }
}
