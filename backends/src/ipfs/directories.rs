//! How directories are made and removed; `crate::directories` knows when.

use super::{
    place::{Place, VERSION},
    rpc::Refused,
};
use crate::{
    directories::{Directories, Makes, above},
    error::{Error, ErrorKind, Operation, Result},
};

impl Makes for Place {
    fn directories(&self) -> &Directories {
        &self.directories
    }

    fn root(&self) -> &str {
        &self.root
    }

    /// js-ipfs (0.18.1) makes a directory below a file by writing into the file's own tree, which changes its CID and time. So
    /// what lies above is looked at before.
    async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
        let outer = above(path);
        if !outer.is_empty() && !self.directories.knows(outer) {
            match self.look(operation, outer).await? {
                None => return Ok(Some(Error::new(ErrorKind::NotFound, operation))),
                Some(found) if found.is_file() => return Err(in_the_way(operation, outer)),
                Some(_) => self.directories.saw(outer),
            }
        }
        match self.rpc.tell(operation, "files/mkdir", &[path], &VERSION).await {
            Ok(()) => Ok(None),
            Err(error) if !Refused::is(&error) => Err(error),
            Err(refused) => match self.look(operation, path).await? {
                Some(found) if found.is_file() => Err(in_the_way(operation, path)),
                Some(_) => Ok(None),
                None => Ok(Some(refused)),
            },
        }
    }

    /// A node removes a directory with all that is in it or not at all, so it is looked into first.
    async fn remove_empty(&self, path: &str) -> Result<()> {
        let operation = Operation::Delete;
        if !self.members(operation, path, false).await?.is_empty() {
            return Err(Error::new(ErrorKind::Exists, operation).because("it is not empty"));
        }
        self.rpc.tell(operation, "files/rm", &[path], &[("recursive", "true"), VERSION[0]]).await
    }
}

/// An object has the name of a directory.
fn in_the_way(operation: Operation, path: &str) -> Error {
    Error::new(ErrorKind::Exists, operation).because(format!("'{path}' is no directory"))
}
