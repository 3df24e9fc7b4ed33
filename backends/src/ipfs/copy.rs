//! Copies: a CID gets one more name, and no byte moves.

use super::{
    place::{Shared, VERSION},
    put::{draft, prepared, settle},
    rpc::Found,
    times::touch,
};
use crate::{
    directories::below,
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, PutRequest},
    web::patience::persistently,
};

/// How another store of the node finds an object of this one.
pub(super) fn source(place: &Shared, key: &Key) -> CopySource {
    CopySource {
        domain: place.domain.clone(),
        container: place.root.clone(),
        key: key.clone(),
        version: None,
        if_match: None,
        size: None,
    }
}

/// # Errors
/// As the contract says of `copy`.
pub(super) async fn copy(place: &Shared, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
    let operation = Operation::Copy;
    source.near(operation, &place.capabilities)?;
    let from = below(&source.container, &source.key);
    let missing = || Error::new(ErrorKind::NotFound, operation);
    let there = place.look(operation, &from).await?.filter(Found::is_file).ok_or_else(missing)?;
    if source.if_match.is_some() && source.if_match.as_deref() != Some(there.cid.as_str()) {
        return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
    }
    let path = prepared(place, operation, key, &request).await?;
    let draft = draft(place, &path);
    let copied = async {
        let content = format!("/ipfs/{}", there.cid);
        place.rpc.tell(operation, "files/cp", &[&content, &draft.path], &VERSION).await?;
        let mut stored = place.stat(operation, &draft.path).await?;
        if let Some(time) = request.modified.filter(|_| place.capabilities.modified.is_some())
            && stored.modified() != Some(time)
        {
            touch(place, operation, &draft.path, time).await?;
            stored = place.stat(operation, &draft.path).await?;
        }
        persistently(|| settle(place, operation, &draft.path, &path, &stored)).await?;
        Ok(place.described(key.clone(), &stored))
    };
    let copied = copied.await;
    draft.done(&copied).await;
    copied
}
