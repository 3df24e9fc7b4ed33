//! The bytes of one object.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{
    control::Data,
    place::Place,
    pool::{Lease, Share},
    reply::Refused,
};
use crate::{
    body::{Body, Chunks},
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
    tree::Tree,
};

/// A range: `REST`, and `RETR` up to where it ends. What was looked at before and what is opened are two steps, between
/// which the object may be replaced: another length is noticed at the end, and of a range, or where a certain object was
/// asked for, its facts are looked at once more.
///
/// # Errors
/// As the contract says of `read`.
pub(super) async fn read(place: &Arc<Place>, key: &Key, path: &str, request: ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    let mut lease = place.pool.take(operation, Share::Read).await?;
    let found = place.look_at_file(&mut lease, path).await?;
    let entry = place.described(key.clone(), &found);
    if request.if_match.is_some() && entry.etag.is_some() && entry.etag != request.if_match {
        return Err(Error::new(ErrorKind::Precondition, operation).because("another object lies there now"));
    }
    let size = entry.size.ok_or_else(|| Error::unsupported(operation, "the server does not tell sizes"))?;
    let asked = request.range.clone().unwrap_or(0..size);
    let end = asked.end.min(size);
    let len = end.saturating_sub(asked.start);
    if len == 0 {
        return Ok(Reader { entry, body: Body::empty() });
    }
    let data = match lease.transfer(&format!("RETR {path}"), asked.start).await {
        Err(error) if Refused::of(&error).is_some() && !error.is_retryable() => {
            // It may have gone meanwhile.
            place.look_at_file(&mut lease, path).await?;
            return Err(error);
        }
        data => data?,
    };
    let same = entry.etag.clone().filter(|_| request.range.is_some() || request.if_match.is_some());
    let source = Source {
        place: Arc::clone(place),
        key: key.clone(),
        path: path.to_owned(),
        same,
        lease,
        data: Some(data),
        left: len,
        to_the_end: end == size,
    };
    Ok(Reader { entry, body: Body::stream(Some(len), source.chunks()) })
}

/// An object on its way.
struct Source {
    place: Arc<Place>,
    key: Key,
    path: String,
    /// What its `ETag` still has to be when all has come.
    same: Option<Arc<str>>,
    lease: Lease,
    data: Option<Data>,
    left: u64,
    /// Whether the object is to end where the range does.
    to_the_end: bool,
}

impl Source {
    fn chunks(self) -> Chunks {
        stream::try_unfold(self, |mut source| async move { Ok(source.next().await?.map(|chunk| (chunk, source))) })
            .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(data) = &mut self.data else { return Ok(None) };
        if self.left == 0 && !self.to_the_end {
            self.data = None;
            self.lease.settle().await;
            return self.is_the_same().await.map(|()| None);
        }
        match data.receive().await? {
            Some(chunk) if self.left < chunk.len() as u64 && self.to_the_end => Err(changed("it is longer now")),
            Some(mut chunk) => {
                chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= chunk.len() as u64;
                Ok(Some(chunk))
            }
            None => {
                self.data = None;
                self.lease.finish().await?;
                if self.left > 0 {
                    return Err(changed("it is shorter now"));
                }
                self.is_the_same().await.map(|()| None)
            }
        }
    }

    async fn is_the_same(&mut self) -> Result<()> {
        let Some(same) = &self.same else { return Ok(()) };
        self.lease.renew().await?;
        let found = self.place.look_at_file(&mut self.lease, &self.path).await?;
        let now = self.place.described(self.key.clone(), &found).etag;
        if now.as_ref() == Some(same) { Ok(()) } else { Err(changed("another object lies there now")) }
    }
}

/// The server was done, and what came is not what was looked at before. A further try reads the new object.
fn changed(how: &str) -> Error {
    Error::new(ErrorKind::Changed, Operation::Read).retryable(true).because(how.to_owned())
}
