//! What every call of one store shares.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Semaphore;

use crate::{
    capability::Capabilities,
    entry::{Digests, Key},
    error::Error,
    web::{address::Address, site::Site},
};

pub(super) type Shared = Arc<Place>;

/// Requests of a listing in flight at once.
pub(super) const AT_ONCE: usize = 16;

/// A root on a server.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub site: Site,
    pub address: Address,
    pub capabilities: Capabilities,
    /// The folder that was named when this was opened: empty, or ending in `/`.
    pub folder: String,
    /// What is there, where a list says so instead of the server.
    pub list: Option<BTreeMap<Key, Digests>>,
    /// Take any page for an index.
    pub any_page: bool,
    /// A turn for a request of a listing.
    pub turns: Semaphore,
}

impl Place {
    /// Puts the store's and the key's names into an error.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// The digests a list tells.
    pub fn digests(&self, key: &Key) -> Digests {
        self.list.as_ref().and_then(|list| list.get(key)).cloned().unwrap_or_default()
    }
}
