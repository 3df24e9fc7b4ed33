//! Copies that the server makes by itself: `copy-data`, from one open file to another (OpenSSH since 9.0;
//! draft-ietf-secsh-filexfer-extensions-00, section 7). Elsewhere there are none.

use super::{
    control::Handle,
    facts::Facts,
    place::{Place, create},
    put::finished,
    read::opened,
    wire::{Request, kind},
};
use crate::{
    entry::Timestamp,
    error::{Error, ErrorKind, Operation, Result},
};

/// Bytes copied by one request: the server answers nothing else on that connection meanwhile.
const PIECE: u64 = 64 * 1024 * 1024;

/// See [`Tree::duplicate`](crate::tree::Tree::duplicate).
///
/// # Errors
/// As there.
pub(super) async fn duplicate(
    place: &Place,
    from: &str,
    there: &Facts,
    to: &str,
    modified: Option<Timestamp>,
) -> Result<Facts> {
    let operation = Operation::Copy;
    let is_same = |now: Facts| match (now.size, now.modified) == (there.size, there.modified) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Precondition, operation).because("it was written to meanwhile")),
    };
    let lease = place.body(operation).await?;
    let (from, facts) = opened(&lease, operation, from).await?;
    is_same(facts)?;
    let size = facts.size.ok_or_else(|| Error::unsupported(operation, "the server does not tell sizes"))?;
    let to = create(&lease.control, operation, to).await?;
    copied(operation, &from, &to, size).await?;
    is_same(lease.control.call(operation, from.request(kind::FSTAT)).await?.facts(operation)?)?;
    finished(place, operation, to, modified.or_else(|| facts.time()), size).await
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
