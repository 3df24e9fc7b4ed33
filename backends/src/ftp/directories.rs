//! How directories are made and removed; `crate::directories` knows when.

use super::{facts::What, place::Place, pool::Lease, reply::Refused};
use crate::{
    directories::{Directories, Makes},
    error::{Error, ErrorKind, Operation, Result},
};

impl Makes for Place {
    fn directories(&self) -> &Directories {
        &self.directories
    }

    fn root(&self) -> &str {
        &self.root
    }

    /// Servers refuse to make what is there, and what has nothing above it, with the same code.
    async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
        let mut lease = self.call(operation).await?;
        let refused = match lease.tell(&format!("MKD {path}")).await {
            Ok(_) => return Ok(None),
            Err(error) if Refused::of(&error).is_none() => return Err(error),
            Err(error) => error,
        };
        match self.look(&mut lease, path).await? {
            Some(found) if found.what == What::Directory || found.what == What::Dot => Ok(None),
            Some(_) => Err(in_the_way(&lease, path)),
            None => Ok(Some(refused)),
        }
    }

    async fn remove_empty(&self, path: &str) -> Result<()> {
        self.call(Operation::Delete).await?.tell(&format!("RMD {path}")).await.map(drop)
    }
}

/// An object has the name of a directory.
pub(super) fn in_the_way(lease: &Lease, path: &str) -> Error {
    Error::new(ErrorKind::Exists, lease.operation).because(format!("'{path}' is no directory"))
}
