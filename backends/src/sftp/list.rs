//! The members of a directory, as they arrive.

use super::{
    control::Handle,
    facts::Facts,
    place::{Place, look},
    wire::{self, Reply, Request, kind},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    skipped::WhySkipped,
    tree::{Facts as _, Member, What},
};

/// A directory that is open.
pub(super) struct Members {
    handle: Handle,
    operation: Operation,
    arrived: std::vec::IntoIter<wire::Member>,
}

impl Members {
    /// Of the directory at `path` on the server; `None` where it is not there any more.
    ///
    /// # Errors
    /// By code.
    pub async fn opened(place: &Place, operation: Operation, path: &str) -> Result<Option<Self>> {
        let lease = place.call(operation).await?;
        let request = Request::new(kind::OPENDIR).bytes(path.as_bytes());
        let opened = lease.control.call(operation, request).await?.handle(operation);
        match opened {
            Ok(handle) => {
                let handle = Handle::new(&lease.control, handle);
                Ok(Some(Self { handle, operation, arrived: Vec::new().into_iter() }))
            }
            // Servers call other troubles "not there", too: so that it is gone is believed when it is looked for.
            Err(error) if error.kind() == ErrorKind::NotFound => match look(&lease.control, operation, path).await? {
                None => Ok(None),
                Some(_) => Err(Error::new(ErrorKind::Other, operation).because(error)),
            },
            Err(error) => Err(error),
        }
    }

    /// The next one. That there is none is believed when the server says so.
    ///
    /// # Errors
    /// By code.
    pub async fn next(&mut self) -> Result<Option<Member<Facts>>> {
        loop {
            for member in self.arrived.by_ref() {
                match &member.name[..] {
                    b"." | b".." => {}
                    name if name.is_empty() || name.contains(&b'/') => {
                        let why = format!("a listing has the name '{}'", String::from_utf8_lossy(name));
                        return Err(Error::new(ErrorKind::Other, self.operation).because(why));
                    }
                    _ => return Ok(Some(told(member))),
                }
            }
            let asked = self.handle.control.call(self.operation, self.handle.request(kind::READDIR)).await?;
            match asked.until_end(self.operation)? {
                None => return Ok(None),
                Some(Reply::Names(members)) => self.arrived = members.into_iter(),
                Some(other) => return Err(other.unexpected(self.operation)),
            }
        }
    }
}

/// A name that is no text is part of no key.
fn told(member: wire::Member) -> Member<Facts> {
    let what = match std::str::from_utf8(&member.name) {
        Ok(_) => member.facts.what(),
        Err(_) => What::Other(WhySkipped::NotUtf8),
    };
    Member { name: String::from_utf8_lossy(&member.name).into_owned(), what, facts: member.facts }
}
