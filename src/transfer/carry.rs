//! What is common to every way of carrying an object.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use sterna_backends::{
    Algorithm, Capabilities, CopySource, Digests, Entry, Error, ErrorKind, Key, Metadata, Operation, PutRequest,
    ReadRequest, Reader, Result, Store, StoreExt, Tap,
};

use super::{
    budget::Settings,
    fan::Fan,
    precondition::{check_seen, drifted},
};
use crate::{
    event::{Event, Observers},
    index::ALL,
    plan::{Action, Origin},
};

/// One object on its way from one store to another.
pub(super) struct Carriage {
    pub settings: Settings,
    pub source: Arc<dyn Store>,
    pub target: Arc<dyn Store>,
    pub action: Action,
    /// The source's object; the plan's, or the one learnt since.
    pub entry: Entry,
    /// The source's tags, where they are to travel.
    pub tags: BTreeMap<String, String>,
    /// Readings that several destinations share.
    pub fan: Option<Arc<Fan>>,
    /// Bytes of a part, where they are to be the same as another destination's.
    pub part: Option<u64>,
    /// Whether what is learnt of the content is kept for later runs.
    pub remembered: bool,
    pub observer: Observers,
}

impl Carriage {
    pub(super) fn size(&self) -> u64 {
        self.entry.size.unwrap_or(0)
    }

    /// Whether both ends are reached by requests, so that what is sent is best held in memory meanwhile.
    pub(super) fn between_remotes(&self) -> bool {
        !self.source.capabilities().cheap_read && !self.target.capabilities().cheap_read
    }

    fn read_request(&self, range: Option<Range<u64>>) -> ReadRequest {
        ReadRequest { range, if_match: self.entry.etag.clone(), version: self.entry.version.clone() }
    }

    /// What a copy inside the endpoint is made of: the source's object, or the one that holds the same content.
    pub(super) async fn copied(&self) -> Result<CopySource> {
        if let Some(origin) = &self.action.origin {
            return self.untouched(origin).await.map(|()| origin.at.clone());
        }
        let Some(source) = self.source.copy_source(&self.entry.key) else {
            debug_assert!(!self.source.shares_domain(&*self.target));
            let why = "the source cannot be copied from";
            return Err(Error::unsupported(Operation::Copy, why).of(self.source.name()).at(&self.entry.key));
        };
        let (if_match, version) = (self.entry.etag.clone(), self.entry.version.clone());
        Ok(CopySource { if_match, version, size: self.entry.size, ..source })
    }

    /// That what is to be copied is still what it was, where the copy itself may not make sure of that: what is made under
    /// the new key is seen before it is found to be wrong.
    async fn untouched(&self, origin: &Origin) -> Result<()> {
        let Some((inside, seen)) = origin.to_look_at() else { return Ok(()) };
        let now = self.target.stat(inside, None).await?;
        check_seen(&self.target, Some(seen), &now)?;
        if seen.stamp == now.stamp { Ok(()) } else { Err(drifted(&self.target, inside)) }
    }

    /// Reads the source's object, together with the other destinations where there are some. A file is read by each for
    /// itself: it can be sent as it is, and its bytes lie in memory after the first time.
    pub(super) async fn read(&self, range: Option<Range<u64>>) -> Result<Reader> {
        let (key, request) = (&self.entry.key, self.read_request(range));
        match &self.fan {
            Some(fan) if self.action.readers > 1 && !self.source.capabilities().cheap_read => {
                fan.read(&self.source, (key, request), (self.action.to, self.action.readers)).await
            }
            _ => self.source.read(key, request).await,
        }
    }

    /// What to store beside the bytes. `seen` is the newest the source has told of the object.
    pub(super) fn put_request(&self, seen: &Entry, digests: Digests) -> PutRequest {
        let target = self.target.capabilities();
        PutRequest {
            modified: seen.modified.or(self.entry.modified),
            digests: if self.settings.prove || records_digests(target) { digests } else { Digests::new() },
            metadata: metadata((&self.settings, &self.tags), seen, &self.action, target),
            replace_metadata: true,
            replaces: self.action.target.is_some(),
            size: Some(self.size()),
            ..PutRequest::default()
        }
    }

    /// [`Carriage::put_request`] for parts. Ranges are not checked while they are read, so a destination that records
    /// no digests is told one all the same, to check the whole by.
    pub(super) fn parts_request(&self, digests: &Digests) -> PutRequest {
        let mut request = self.put_request(&self.entry, digests.clone());
        if request.digests.is_empty() {
            let strongest =
                [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5].into_iter().find_map(|kind| digests.get(kind));
            request.digests = strongest.into_iter().collect();
        }
        request
    }

    /// That what the source hands out is what the plan saw.
    pub(super) fn check_seen(&self, seen: &Entry) -> Result<()> {
        let differs = seen.size.is_some() && self.entry.size.is_some() && seen.size != self.entry.size
            || seen.modified.is_some() && self.entry.modified.is_some() && seen.modified != self.entry.modified;
        if differs { Err(self.changed()) } else { Ok(()) }
    }

    /// That the source's object is still what it was when it was read, where asking costs nothing.
    pub(super) async fn check_unchanged(&self) -> Result<()> {
        if !self.source.capabilities().cheap_read {
            return Ok(());
        }
        self.check_seen(&self.source.stat(&self.entry.key, self.entry.version.as_ref()).await?)
    }

    pub(super) fn changed(&self) -> Error {
        Error::new(ErrorKind::Changed, Operation::Read).of(self.source.name()).at(&self.entry.key)
    }

    pub(super) fn tap(&self) -> Arc<dyn Tap> {
        Arc::new(Passing { observer: Arc::clone(&self.observer), place: self.action.to, key: self.action.key.clone() })
    }

    /// The digests that are to be computed while the bytes pass, beside `known`.
    pub(super) fn wanted(&self, known: &Digests) -> Vec<Algorithm> {
        let all = if self.remembered { &ALL[..] } else { &[] };
        all.iter().copied().filter(|kind| known.get(*kind).is_none()).collect()
    }

    /// The digests that are known of the content.
    pub(super) fn known(&self, seen: &Entry) -> Digests {
        let origin = self.action.origin.iter().flat_map(|origin| origin.digests.iter());
        origin.chain(self.entry.digests.iter()).chain(seen.digests.iter()).copied().collect()
    }

    /// That what was stored is what was to be stored.
    pub(super) fn check_stored(&self, stored: &Entry, digests: &Digests) -> Result<()> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::Integrity, Operation::Put)
                .of(self.target.name())
                .at(&self.action.key)
                .because(why.to_owned())
        };
        if stored.size.is_some_and(|size| size != self.size()) {
            return Err(wrong("the stored object has another size"));
        }
        match digests.compare(&stored.digests) {
            Some((_, false)) => Err(wrong("the stored object has another digest")),
            _ => Ok(()),
        }
    }
}

/// Whether a stat tells more of an object's time and metadata than a listing.
pub(super) fn lists_less(can: &Capabilities) -> bool {
    can.metadata != Default::default() || can.modified.is_some() && !can.modified_in_list
}

fn records_digests(target: &Capabilities) -> bool {
    !target.digests_in_list.is_empty() || !target.digests_in_stat.is_empty()
}

/// The source's metadata as far as it is to travel, the plan's rules over it, and a content-type in any case.
fn metadata(
    (settings, tags): (&Settings, &BTreeMap<String, String>),
    seen: &Entry,
    action: &Action,
    target: &Capabilities,
) -> Arc<Metadata> {
    let carried = seen.metadata.as_deref();
    let mut metadata = match carried {
        Some(carried) if settings.metadata => carried.clone(),
        Some(carried) => Metadata { content_type: carried.content_type.clone(), ..Metadata::default() },
        None => Metadata::default(),
    };
    // A storage class is the source's own word; it travels by rule only. Tags travel where they were asked for.
    metadata.storage_class = None;
    metadata.tags.clone_from(tags);
    if let Some(rules) = action.metadata.as_deref() {
        overlay(&mut metadata, rules);
    }
    if metadata.content_type.is_none() && target.metadata.content_type {
        metadata.content_type = guess_content_type(&action.key);
    }
    Arc::new(metadata)
}

fn overlay(metadata: &mut Metadata, rules: &Metadata) {
    let fields = [
        (&mut metadata.content_type, &rules.content_type),
        (&mut metadata.cache_control, &rules.cache_control),
        (&mut metadata.content_disposition, &rules.content_disposition),
        (&mut metadata.content_encoding, &rules.content_encoding),
        (&mut metadata.content_language, &rules.content_language),
        (&mut metadata.storage_class, &rules.storage_class),
    ];
    for (field, rule) in fields {
        if rule.is_some() {
            field.clone_from(rule);
        }
    }
    metadata.user.extend(rules.user.clone());
    metadata.tags.extend(rules.tags.clone());
}

fn guess_content_type(key: &Key) -> Option<String> {
    mime_guess::from_path(key.file_name()).first_raw().map(str::to_owned)
}

struct Passing {
    observer: Observers,
    place: usize,
    key: Key,
}

impl Tap for Passing {
    fn pass(&self, bytes: u64) {
        self.observer.on(&Event::Bytes { place: self.place, key: self.key.clone(), bytes });
    }
}
