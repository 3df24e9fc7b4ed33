//! What stands beside the bytes of an object, said again.
//!
//! Where a store writes all of it at once, [`Store::set_metadata`] is a copy of the object onto itself, and takes no more
//! bytes than one copy does. What is larger is copied onto itself part by part.

use std::sync::Arc;

use sterna_backends::{Algorithm, Capabilities, CopySource, Key, Part, PutRequest, Result, Store, UploadToken};

use crate::plan::Action;

/// The bytes of the parts in which an object of `size` bytes is copied onto itself; `None` where one call does.
pub(super) fn part_size(can: &Capabilities, size: u64) -> Option<u64> {
    let copy = can.copy.as_ref().filter(|copy| copy.parts && size > copy.max_copy)?;
    Some(copy.max_copy.min(can.multipart?.max_part))
}

/// The bytes of the object that `action` gives another time.
pub(super) fn touched_bytes(action: &Action) -> u64 {
    action.target.as_ref().and_then(|seen| seen.size).unwrap_or_default()
}

/// Has the object, of `size` bytes, say what `request` does. What the request leaves open stays as it is.
///
/// # Errors
/// As [`Store::set_metadata`]; `Precondition` or `Changed` where the object became another meanwhile.
pub(super) async fn describe_again(store: &dyn Store, key: &Key, size: u64, mut request: PutRequest) -> Result<()> {
    let can = store.capabilities();
    let (Some(part), Some(mut source)) = (part_size(can, size), store.copy_source(key)) else {
        return store.set_metadata(key, request).await;
    };
    let now = store.stat(key, None).await?;
    let keeps_tags = can.metadata.tags && !request.replace_metadata;
    request.fill_from(&now);
    request.size = Some(size);
    // It is cut anew.
    request.digests = request.digests.iter().copied().filter(|digest| digest.algorithm() != Algorithm::Parts).collect();
    if keeps_tags {
        Arc::make_mut(&mut request.metadata).tags = store.tags(key, now.version.as_ref()).await?;
    }
    (source.if_match, source.version, source.size) = (now.etag, now.version, now.size);
    let token = store.begin(key, &request).await?;
    let done = async {
        let parts = copied(store, &token, &source, (size, part)).await?;
        store.complete(&token, &request, &parts).await
    };
    match done.await {
        Ok(_) => Ok(()),
        Err(error) => {
            let _best_effort = store.abort(&token).await;
            Err(error)
        }
    }
}

async fn copied(
    store: &dyn Store,
    token: &UploadToken,
    source: &CopySource,
    (size, part): (u64, u64),
) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (number, start) in (1..).zip((0..size).step_by(usize::try_from(part).unwrap_or(usize::MAX))) {
        let end = size.min(start.saturating_add(part));
        parts.push(store.copy_part(token, number, source, start..end).await?);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use sterna_backends::{
        Body, Metadata, StoreExt, Timestamp,
        memory::{Behaviour, Memory},
    };

    use super::*;

    /// A new time, and all else as it was: in one call, and where the object is larger than a copy may be.
    #[tokio::test]
    async fn what_is_left_open_stays() {
        let content = vec![7; 300_000];
        for max_copy in [300_000, 299_999, 100_000] {
            let mut behaviour = Behaviour::strict();
            behaviour.capabilities.copy.as_mut().unwrap().max_copy = max_copy;
            let store = Memory::with("there", behaviour);
            store.make_directory("").await.unwrap();
            let key = Key::new("big").unwrap();
            let metadata = Metadata {
                content_type: Some("image/x-tern".to_owned()),
                tags: [("colour".to_owned(), "white".to_owned())].into(),
                ..Metadata::default()
            };
            let request = PutRequest {
                modified: Some(Timestamp::from_parts(1_000_000_000, 0)),
                metadata: Arc::new(metadata),
                replace_metadata: true,
                ..PutRequest::default()
            };
            store.put(&key, request, Body::from(content.clone())).await.unwrap();
            let before = store.stat(&key, None).await.unwrap();
            let modified = Some(Timestamp::from_parts(1_500_000_000, 0));
            let request = PutRequest { modified, ..PutRequest::default() };
            describe_again(&store, &key, 300_000, request).await.unwrap();
            let after = store.stat(&key, None).await.unwrap();
            assert_eq!((after.modified, &after.metadata), (modified, &before.metadata), "{max_copy}");
            assert_eq!(store.tags(&key, None).await.unwrap().len(), 1);
            assert!(store.get(&key).await.unwrap() == content && store.uploads("").await.unwrap().is_empty());
        }
    }
}
