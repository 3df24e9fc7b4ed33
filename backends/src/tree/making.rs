//! How the directories of a tree are made and removed.

use super::family::{Facts, Tree};
use crate::{
    directories::{Directories, Makes, in_the_way},
    error::{Error, Operation, Result},
};

impl<T: Tree> Makes for T {
    fn directories(&self) -> &Directories {
        &Tree::root(self).directories
    }

    fn root(&self) -> &str {
        &Tree::root(self).path
    }

    /// Servers refuse to make what is there, and what has nothing above it, in the same words.
    async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
        if path.is_empty() {
            return Ok(None);
        }
        let refused = match self.make(operation, path).await {
            Ok(()) => return Ok(None),
            Err(error) if !T::is_refusal(&error) => return Err(error),
            Err(error) => error,
        };
        match self.look(operation, path).await? {
            Some(found) if found.what().may_be_directory() => Ok(None),
            Some(_) => Err(in_the_way(operation, path)),
            None => Ok(Some(refused)),
        }
    }

    async fn remove_empty(&self, path: &str) -> Result<()> {
        self.directories().forget(path);
        Tree::remove_empty(self, path).await
    }
}
