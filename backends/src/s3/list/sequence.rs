//! Pages one after the other, each fetched while the one before it is being used.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::task::JoinSet;

use super::{
    jump,
    page::Page,
    source::{From, Source},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages},
};

struct Sequence<S> {
    source: Arc<S>,
    request: ListRequest,
    /// Whether order lets us jump over directories.
    jumps: bool,
    limit: u16,
    /// The page that is on its way; dropped with the stream.
    ahead: JoinSet<Result<Page>>,
    last: From,
}

/// The pages of `source`. `jumps`: whether keys come by their bytes, so that directories can be passed over.
pub(super) fn list<S: Source>(source: Arc<S>, request: &ListRequest, jumps: bool, limit: u16) -> Pages {
    let sequence =
        Sequence { source, request: request.clone(), jumps, limit, ahead: JoinSet::new(), last: From::Start };
    stream::try_unfold((sequence, true), |(mut sequence, is_first)| async move {
        // Nothing is asked for before somebody reads.
        if is_first {
            sequence.fetch(From::Start);
        }
        let Some(page) = sequence.ahead.join_next().await else { return Ok(None) };
        let page = page.map_err(|panic| Error::new(ErrorKind::Other, Operation::List).because(panic))??;
        if let Some(from) = sequence.following(&page)? {
            sequence.fetch(from);
        }
        Ok(Some((page.entries, (sequence, false))))
    })
    .boxed()
}

impl<S: Source> Sequence<S> {
    fn fetch(&mut self, from: From) {
        self.ahead.spawn(self.source.page(from.clone(), self.limit));
        self.last = from;
    }

    fn following(&self, page: &Page) -> Result<Option<From>> {
        let Some(next) = &page.next else { return Ok(None) };
        let last = page.entries.last().filter(|_| self.jumps);
        if let Some(after) = last.and_then(|entry| jump(&self.request, &entry.key)) {
            return Ok(Some(From::After(after)));
        }
        let from = From::Next(next.clone());
        if from == self.last {
            return Err(Error::new(ErrorKind::Integrity, Operation::List).because("the listing goes in a circle"));
        }
        Ok(Some(from))
    }
}
