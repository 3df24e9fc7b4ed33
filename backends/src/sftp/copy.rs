//! Copies that the server makes by itself: `copy-data`, from one open file to another (OpenSSH since 9.0;
//! draft-ietf-secsh-filexfer-extensions-00, section 7). Elsewhere there are none.

use super::{
    control::Handle,
    place::{Shared, create},
    put::{explained, finished, prepared, settle},
    read::opened,
    reply::Refused,
    wire::{Request, kind},
};
use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, PutRequest},
    unfinished::Draft,
    web::patience::persistently,
};

/// Bytes copied by one request: the server answers nothing else on that connection meanwhile.
const PIECE: u64 = 64 * 1024 * 1024;

/// Copies to a temporary name and renames, as a put does. The source's time travels along where the request has none.
///
/// # Errors
/// As the contract says of `copy`.
pub(super) async fn copy(place: &Shared, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
    let operation = Operation::Copy;
    source.near(operation, &place.capabilities)?;
    if source.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions"));
    }
    if place.accepts(operation, &source.key).is_err() {
        return Err(Error::new(ErrorKind::NotFound, operation));
    }
    let lease = place.body(operation).await?;
    let (from, facts) = opened(&lease, operation, &format!("{}/{}", source.container, source.key)).await?;
    let size = facts.size.ok_or_else(|| Error::unsupported(operation, "the server does not tell sizes"))?;
    if source.if_match.is_some() || source.size.is_some_and(|wanted| wanted != size) {
        return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
    }
    let path = prepared(place, operation, key, &request).await?;
    let draft = Draft::beside(place, &path);
    let written = async {
        let to = create(&lease.control, operation, &draft.path).await?;
        copied(operation, &from, &to, size).await?;
        let now = lease.control.call(operation, from.request(kind::FSTAT)).await?.facts(operation)?;
        if (now.size, now.modified) != (facts.size, facts.modified) {
            return Err(Error::new(ErrorKind::Precondition, operation).because("it was written to meanwhile"));
        }
        let modified = request.modified.or_else(|| facts.time());
        let stored = finished(place, operation, to, modified, size).await?;
        persistently(|| settle(place, operation, &draft.path, &path, &stored)).await?;
        Ok(place.described(key.clone(), &stored))
    };
    let written = written.await;
    draft.done(&written).await;
    match written {
        Err(error) if Refused::of(&error).is_some() => Err(explained(place, &path, error).await),
        written => written,
    }
}

async fn copied(operation: Operation, from: &Handle, to: &Handle, size: u64) -> Result<()> {
    let mut start = 0;
    while start < size {
        // A length of 0 would mean all that is there.
        let len = PIECE.min(size - start);
        let request = Request::extended("copy-data").bytes(from.name()).long(start).long(len);
        let request = request.bytes(to.name()).long(start);
        from.control.call(operation, request).await?.done(operation)?;
        start += len;
    }
    Ok(())
}
