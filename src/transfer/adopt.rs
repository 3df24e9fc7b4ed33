//! An upload in parts that an earlier run left and of which no record is here: begun on another machine, or the record
//! is lost.
//!
//! Whose it is, nobody tells; what it is, its parts do. It is gone on with where all that is there is what would be sent,
//! part by part, by a digest of the bytes. Anything else is left alone: it may be another program's, at work.

use std::time::Duration;

use sterna_backends::{Algorithm, Capabilities, Entry, MultipartAbility, Part, PutRequest, Result, UploadToken};

use super::{
    again::describe_again,
    budget::MIB,
    carry::Carriage,
    parts::{Cut, holds},
};
use crate::event::Deed;

/// Objects from this size are looked for: 128 MiB. One request more against nine at the least, and seconds of sending to
/// be saved; below that a new beginning costs less than the looking.
const FROM: u64 = 128 * MIB;

/// Uploads of one key whose parts are asked for, newest first.
const CANDIDATES: usize = 3;

/// An upload that is gone on with.
pub(super) struct Adopted {
    pub token: UploadToken,
    /// What is there, in order; all of it is what would be sent.
    pub parts: Vec<Part>,
    /// Whether it was begun with the request, so far as the store tells.
    pub described: bool,
}

/// Whether an open upload of an object of `bytes` is looked for.
pub(super) fn is_worth_it(source: &Capabilities, ability: &MultipartAbility, deed: Deed, bytes: u64) -> bool {
    // A source that is dear to read would have to be read for the digests: as much work as sending it.
    ability.resumable && ability.tells_begun && bytes >= FROM && deed != Deed::Copy && source.cheap_read
}

/// Looks for an open upload of the object. A store that does not answer has none: the looking is no part of the work.
///
/// # Errors
/// Those of the source, whose bytes the parts are compared with.
pub(super) async fn find(carriage: &Carriage, request: &PutRequest, cut: &Cut<'_>) -> Result<Option<Adopted>> {
    if !is_worth_it(carriage.source.capabilities(), cut.ability, carriage.action.deed, carriage.size()) {
        return Ok(None);
    }
    let Ok(open) = carriage.target.begun(&carriage.action.key, request).await else { return Ok(None) };
    for begun in open.into_iter().take(CANDIDATES) {
        let Ok(parts) = carriage.target.parts(&begun.token).await else { continue };
        if !parts.is_empty() && all_ours(carriage, cut, &parts).await? {
            return Ok(Some(Adopted { token: begun.token, parts, described: begun.described }));
        }
    }
    Ok(None)
}

/// Whether every part is what would be sent in its place. The first that is not ends the reading.
async fn all_ours(carriage: &Carriage, cut: &Cut<'_>, parts: &[Part]) -> Result<bool> {
    for part in parts {
        if !holds(carriage, cut, part).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Looks at an object whose upload may have been begun with another time, digest or metadata, and says them again where it
/// was: by a copy of the object onto itself, at the store.
///
/// # Errors
/// What stopped a call.
pub(super) async fn describe(carriage: &Carriage, request: &PutRequest) -> Result<()> {
    let key = &carriage.action.key;
    let told = carriage.target.stat(key, None).await?;
    if said(carriage, &told, request) {
        return Ok(());
    }
    describe_again(&*carriage.target, key, carriage.size(), request.clone()).await
}

/// Whether the object says what the request does. What a request leaves open the server fills in.
fn said(carriage: &Carriage, told: &Entry, request: &PutRequest) -> bool {
    let can = carriage.target.capabilities();
    let same_digests = match request.digests.get(Algorithm::Sha256).filter(|_| can.records(Algorithm::Sha256)) {
        Some(sha256) => told.digests.get(Algorithm::Sha256) == Some(sha256),
        None => request.digests.compare(&told.digests).is_none_or(|(_, equal)| equal),
    };
    let same_time = match (can.modified, request.modified, told.modified) {
        (Some(precision), Some(ours), Some(theirs)) => {
            Duration::from_nanos(ours.as_nanos().abs_diff(theirs.as_nanos())) <= precision
        }
        (Some(_), Some(_), None) => false,
        _ => true,
    };
    let (ours, theirs) = (&request.metadata, told.metadata.as_deref());
    let Some(theirs) = theirs else { return false };
    let same = |ours: &Option<String>, theirs: &Option<String>| ours == theirs;
    same_time
        && same_digests
        && ours.user == theirs.user
        && (ours.content_type.is_none() || same(&ours.content_type, &theirs.content_type))
        && same(&ours.cache_control, &theirs.cache_control)
        && same(&ours.content_disposition, &theirs.content_disposition)
        && same(&ours.content_encoding, &theirs.content_encoding)
        && same(&ours.content_language, &theirs.content_language)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sterna_backends::{
        Body, Store, StoreExt, Timestamp,
        memory::{Behaviour, Memory},
    };

    use super::*;
    use crate::{event::Silent, plan::Action, transfer::Settings};

    const SIZE: usize = 300_000;

    /// An object that was completed with another time than was asked for says the right one afterwards: by one copy, and
    /// by parts where one copy takes less.
    #[tokio::test]
    async fn an_object_is_described_again() {
        for max_copy in [1 << 20, 100_000] {
            let mut behaviour = Behaviour::strict();
            if let Some(copy) = &mut behaviour.capabilities.copy {
                copy.max_copy = max_copy;
            }
            let target: Arc<dyn Store> = Arc::new(Memory::with("there", behaviour));
            target.make_directory("").await.unwrap();
            let key = sterna_backends::Key::new("big").unwrap();
            let content: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
            let dated = |seconds| PutRequest {
                modified: Some(Timestamp::from_parts(seconds, 0)),
                size: Some(SIZE as u64),
                replace_metadata: true,
                ..PutRequest::default()
            };
            target.put(&key, dated(1_000_000_000), Body::from(content.clone())).await.unwrap();
            let entry = Entry::object(key.clone(), SIZE as u64);
            let carriage = Carriage {
                fan: None,
                part: None,
                settings: Settings::default(),
                source: Arc::new(Memory::new("here")),
                target: Arc::clone(&target),
                action: Action {
                    readers: 1,
                    deed: Deed::Transfer,
                    to: 1,
                    key: key.clone(),
                    group: 0,
                    reason: crate::compare::Reason::Missing,
                    source: Some(entry.clone()),
                    origin: None,
                    target: None,
                    backup: None,
                    metadata: None,
                    delete_source: false,
                },
                entry,
                tags: Default::default(),
                remembered: false,
                observer: Arc::new(Silent),
            };
            describe(&carriage, &dated(1_500_000_000)).await.unwrap();
            let told = target.stat(&key, None).await.unwrap();
            assert_eq!(told.modified, Some(Timestamp::from_parts(1_500_000_000, 0)), "{max_copy}");
            assert!(target.get(&key).await.unwrap() == content);
            assert!(target.uploads("").await.unwrap().is_empty());
            // What says the right thing is left as it is.
            describe(&carriage, &dated(1_500_000_000)).await.unwrap();
            assert_eq!(target.stat(&key, None).await.unwrap().version, told.version);
        }
    }
}
