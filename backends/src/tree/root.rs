//! A directory on a server, and what is known of it.

use super::directories::{Directories, below};
use crate::{
    capability::Capabilities,
    entry::Key,
    error::Error,
    registry::Skips,
    skipped::{Skipped, WhySkipped},
    unfinished::Stale,
};

/// Where a store of a tree begins.
#[derive(Debug)]
pub(crate) struct Root {
    /// The store as people write it.
    pub name: String,
    /// An absolute path without `/` at its end; empty for the top. It may be a link.
    pub path: String,
    /// The directory below it that was named when this was opened: empty, or ending in `/`.
    pub folder: String,
    pub capabilities: Capabilities,
    pub directories: Directories,
    /// What killed runs left, as a listing showed it.
    pub stale: Stale,
    /// Told of what listings leave out.
    pub skips: Option<Skips>,
}

impl Root {
    pub fn new(name: String, path: String, folder: String, capabilities: Capabilities, skips: Option<Skips>) -> Self {
        Self { name, path, folder, capabilities, directories: Directories::default(), stale: Stale::default(), skips }
    }

    /// A key, or a directory with or without `/` at its end, as the server names it.
    pub fn path(&self, key: &str) -> String {
        below(&self.path, key)
    }

    /// Puts the store's and the key's names into an error.
    pub fn named(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// Tells of something that a listing leaves out.
    pub fn skip(&self, path: String, why: WhySkipped) {
        if let Some(Skips(observer)) = &self.skips {
            observer(Skipped { path: path.into(), why });
        }
    }
}
