//! A directory on a server, and what is known of it.

use crate::{
    capability::Capabilities,
    directories::{Directories, named},
    entry::Key,
    error::{Error, Operation, Result},
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

    /// A directory inside the root, or the root, as the server names it.
    ///
    /// # Errors
    /// `Unsupported` for a name that no file can have.
    pub fn directory(&self, operation: Operation, path: &str) -> Result<String> {
        named(&self.capabilities.keys, operation, path).map(|path| self.path(path))
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

/// What lies at `key` below `root`, as the server names it; `root` itself for no key.
pub(super) fn below(root: &str, key: &str) -> String {
    let key = key.trim_end_matches('/');
    if key.is_empty() && !root.is_empty() { root.to_owned() } else { format!("{root}/{key}") }
}
