//! Which contents an archive has already.

use std::{collections::HashSet, sync::Arc};

use futures::TryStreamExt;
use sterna_backends::{ErrorKind, ListRequest, Result, Store};

use super::{Content, layout::Shape};

/// Shards that are listed one by one before all are listed at once. A listing of everything is a request a thousand
/// objects; one of a shard is a 256th of that, and at least one.
const SHARDS: usize = 16;

/// The contents of one shape, listed as far as somebody asked. Nothing is asked object by object. 32 bytes a content
/// in memory, some 50 with the table.
pub(super) struct Present {
    store: Arc<dyn Store>,
    shape: Shape,
    known: HashSet<Content>,
    listed: HashSet<u8>,
    all: bool,
}

impl Present {
    /// Nothing is listed before somebody asks.
    pub(super) fn new(store: &Arc<dyn Store>, shape: Shape) -> Self {
        Self { store: Arc::clone(store), shape, known: HashSet::new(), listed: HashSet::new(), all: false }
    }

    /// Whether the content was there when it was first asked for, or has been added since.
    ///
    /// # Errors
    /// What ended a listing.
    pub(super) async fn has(&mut self, content: Content) -> Result<bool> {
        let shard = content.0[0];
        if !self.known.contains(&content) && !self.all && !self.listed.contains(&shard) {
            if self.listed.len() < SHARDS {
                self.list(&format!("{}{shard:02x}/", self.shape.prefix())).await?;
                self.listed.insert(shard);
            } else {
                self.list(self.shape.prefix()).await?;
                self.all = true;
            }
        }
        Ok(self.known.contains(&content))
    }

    /// It is there, or will be when this run ends well.
    pub(super) fn add(&mut self, content: Content) {
        self.known.insert(content);
    }

    async fn list(&mut self, prefix: &str) -> Result<()> {
        let mut pages = self.store.list(ListRequest::all(prefix));
        loop {
            match pages.try_next().await {
                Ok(Some(page)) => self.known.extend(page.iter().filter_map(|entry| self.shape.content(&entry.key))),
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NoSuchContainer => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
