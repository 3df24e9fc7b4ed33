//! A listing that goes on where it broke.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::policy::Policy;
use crate::{
    capability::Order,
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages, Store, VersionScope},
};

pub(super) fn resuming(inner: Arc<dyn Store>, policy: Arc<Policy>, request: ListRequest) -> Pages {
    let ordered = inner.capabilities().order == Order::Bytes && request.versions == VersionScope::Latest;
    if let Err(error) = policy.enter(inner.name(), Operation::List, None) {
        return stream::iter([Err(error)]).boxed();
    }
    let pages = inner.list(request.clone());
    let state = Resuming { inner, policy, request, pages, ordered, last: None, skip: None, told: None, failures: 0 };
    stream::try_unfold(state, Resuming::next).boxed()
}

struct Resuming {
    inner: Arc<dyn Store>,
    policy: Arc<Policy>,
    request: ListRequest,
    pages: Pages,
    /// Whether every listing so far came in byte order.
    ordered: bool,
    /// The last key of the present listing.
    last: Option<Key>,
    /// Listed again: keys up to this one were handed on before.
    skip: Option<Key>,
    /// The last key that was handed on.
    told: Option<Key>,
    /// Failures since a page brought something new.
    failures: u32,
}

impl Resuming {
    async fn next(mut self) -> Result<Option<(Vec<Entry>, Self)>> {
        loop {
            match self.pages.try_next().await {
                Ok(None) => {
                    self.policy.answered();
                    return Ok(None);
                }
                Ok(Some(page)) => {
                    self.policy.answered();
                    let page = self.unseen(page)?;
                    if let Some(last) = page.last() {
                        self.told = Some(last.key.clone());
                        self.failures = 0;
                        return Ok(Some((page, self)));
                    }
                }
                Err(error) if self.ordered || self.told.is_none() => self.restart(error).await?,
                Err(error) => return Err(self.policy.failed(error)),
            }
        }
    }

    /// What of `page` was not handed on before.
    ///
    /// # Errors
    /// `Unavailable` where the order that skipping needs is broken: then nobody knows what was skipped.
    fn unseen(&mut self, page: Vec<Entry>) -> Result<Vec<Entry>> {
        for entry in &page {
            self.ordered &= self.last.as_ref().is_none_or(|last| *last <= entry.key);
            self.last = Some(entry.key.clone());
        }
        match &self.skip {
            None => Ok(page),
            Some(skip) if self.ordered => Ok(page.into_iter().filter(|entry| entry.key > *skip).collect()),
            Some(_) => {
                let error = Error::new(ErrorKind::Unavailable, Operation::List).of(self.inner.name());
                Err(error.because("the listing broke and, listed again, came in no order to go on by"))
            }
        }
    }

    async fn restart(&mut self, error: Error) -> Result<()> {
        self.failures += 1;
        self.policy.pause(error, Operation::List, None, self.failures).await?;
        self.pages = self.inner.list(self.request.clone());
        self.last = None;
        self.skip.clone_from(&self.told);
        Ok(())
    }
}
