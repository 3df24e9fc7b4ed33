//! A place on an SFTP server: what the contract of a tree asks for, in requests.

use std::sync::Arc;

use super::{
    control::{Abilities, Control, Handle},
    copy,
    facts::Facts,
    list::Members,
    pool::{Lease, Pool, Share},
    put, read,
    reply::Refused,
    wire::{Fields, Reply, Request, how, kind},
};
use crate::{
    body::Body,
    entry::{Digests, Entry, Key, Timestamp},
    error::{Error, Operation, Result},
    store::{PutRequest, ReadRequest, Reader},
    tree::{Member, Root, Tree},
};

/// A directory on a server.
#[derive(Debug)]
pub(super) struct Place {
    pub root: Root,
    pub pool: Arc<Pool>,
    pub fsync: bool,
    /// What the connection could over which this was opened.
    pub abilities: Abilities,
}

impl Place {
    /// # Errors
    /// What stopped making a connection.
    pub async fn call(&self, operation: Operation) -> Result<Lease> {
        self.pool.take(operation, Share::Call).await
    }

    /// # Errors
    /// As [`Place::call`].
    pub async fn body(&self, operation: Operation) -> Result<Lease> {
        self.pool.take(operation, Share::Body).await
    }

    /// A request that is answered with nothing but success.
    async fn tell(&self, operation: Operation, request: Request) -> Result<()> {
        self.call(operation).await?.control.call(operation, request).await?.done(operation)
    }
}

impl Tree for Place {
    type Facts = Facts;
    type Members = Members;

    /// What each costs is mostly the time its answers take to come.
    const LISTED_AT_ONCE: usize = 16;
    /// Over one connection.
    const DELETED_AT_ONCE: usize = 32;

    fn root(&self) -> &Root {
        &self.root
    }

    fn is_refusal(error: &Error) -> bool {
        Refused::of(error).is_some()
    }

    fn refuses(&self, path: &str) -> Option<&'static str> {
        path.contains('\0').then_some("a path ends where a zero is")
    }

    fn described(&self, key: Key, facts: &Facts) -> Entry {
        let mut entry = Entry::object(key, 0);
        entry.size = facts.size;
        entry.modified = facts.time();
        entry
    }

    fn sets_times(&self) -> bool {
        true
    }

    fn replaces(&self) -> bool {
        self.abilities.posix_rename
    }

    fn worked_on(_name: &str, facts: &Facts) -> Option<Timestamp> {
        facts.time()
    }

    async fn look(&self, operation: Operation, path: &str) -> Result<Option<Facts>> {
        let lease = self.call(operation).await?;
        // What is above the root is none of our business.
        match self.root.path.starts_with(path) {
            true => look_through(&lease.control, operation, path).await,
            false => look(&lease.control, operation, path).await,
        }
    }

    async fn members(&self, operation: Operation, path: &str) -> Result<Option<Members>> {
        Members::opened(self, operation, path).await
    }

    async fn next(members: &mut Members) -> Result<Option<Member<Facts>>> {
        members.next().await
    }

    async fn read(self: &Arc<Self>, key: &Key, path: &str, request: ReadRequest) -> Result<Reader> {
        read::read(self, key, path, request).await
    }

    async fn write(&self, path: &str, request: &PutRequest, body: Body) -> Result<(Digests, Facts)> {
        put::write(self, path, request, body).await
    }

    fn flushes(&self) -> bool {
        self.fsync && self.abilities.fsync
    }

    async fn create(&self, operation: Operation, path: &str) -> Result<()> {
        create(&self.call(operation).await?.control, operation, path).await.map(drop)
    }

    async fn write_at(
        &self,
        operation: Operation,
        path: &str,
        offset: u64,
        digests: &Digests,
        body: Body,
    ) -> Result<(u64, Digests)> {
        put::write_at(self, operation, path, offset, digests, body).await
    }

    async fn finish(&self, operation: Operation, path: &str, modified: Option<Timestamp>, len: u64) -> Result<Facts> {
        let lease = self.call(operation).await?;
        let handle = open_to_write(&lease.control, operation, path, 0).await?;
        put::finished(self, operation, handle, modified, len).await
    }

    async fn duplicate(&self, from: &str, there: &Facts, to: &str, modified: Option<Timestamp>) -> Result<Facts> {
        copy::duplicate(self, from, there, to, modified).await
    }

    async fn touch(&self, operation: Operation, path: &str, time: Timestamp) -> Result<()> {
        self.tell(operation, Request::new(kind::SETSTAT).bytes(path.as_bytes()).facts(&Facts::of_time(time))).await
    }

    /// Over what is there where the server can do that in one step.
    async fn rename(&self, operation: Operation, from: &str, to: &str) -> Result<()> {
        let request = match self.abilities.posix_rename {
            true => Request::extended("posix-rename@openssh.com"),
            false => Request::new(kind::RENAME),
        };
        self.tell(operation, request.bytes(from.as_bytes()).bytes(to.as_bytes())).await
    }

    async fn remove(&self, operation: Operation, path: &str) -> Result<()> {
        self.tell(operation, Request::new(kind::REMOVE).bytes(path.as_bytes())).await
    }

    async fn make(&self, operation: Operation, path: &str) -> Result<()> {
        self.tell(operation, Request::new(kind::MKDIR).bytes(path.as_bytes()).facts(&Facts::default())).await
    }

    async fn remove_empty(&self, path: &str) -> Result<()> {
        self.tell(Operation::Delete, Request::new(kind::RMDIR).bytes(path.as_bytes())).await
    }

    /// Whether no block is left for us (`statvfs@openssh.com`: of eleven numbers the fifth).
    async fn is_full(&self, operation: Operation, path: &str) -> Result<bool> {
        if !self.abilities.statvfs {
            return Ok(false);
        }
        let request = Request::extended("statvfs@openssh.com").bytes(path.as_bytes());
        let lease = self.call(operation).await?;
        let Reply::Extended(mut fields) = lease.control.call(operation, request).await? else { return Ok(false) };
        let free = |fields: &mut Fields| {
            for _size_and_totals in 0..4 {
                fields.long()?;
            }
            fields.long()
        };
        Ok(free(&mut fields) == Some(0))
    }
}

/// What lies at a path of the server, if something does; a link itself, not what it points at.
///
/// # Errors
/// What stopped the call.
pub(super) async fn look(control: &Control, operation: Operation, path: &str) -> Result<Option<Facts>> {
    let asked = control.call(operation, Request::new(kind::LSTAT).bytes(path.as_bytes())).await?;
    asked.facts_if_there(operation)
}

/// As [`look`], of what a link points at.
///
/// # Errors
/// As there.
pub(super) async fn look_through(control: &Control, operation: Operation, path: &str) -> Result<Option<Facts>> {
    let asked = control.call(operation, Request::new(kind::STAT).bytes(path.as_bytes())).await?;
    asked.facts_if_there(operation)
}

/// Opens a file for reading.
pub(super) fn open_to_read(path: &str) -> Request {
    Request::new(kind::OPEN).bytes(path.as_bytes()).number(how::READ).facts(&Facts::default())
}

/// Makes a file that is not there, and opens it for writing.
///
/// # Errors
/// By code.
pub(super) async fn create(control: &Arc<Control>, operation: Operation, path: &str) -> Result<Handle> {
    open_to_write(control, operation, path, how::CREATE | how::EXCLUSIVE).await
}

/// Opens a file for writing, which is there unless `how` says otherwise.
///
/// # Errors
/// By code.
pub(super) async fn open_to_write(
    control: &Arc<Control>,
    operation: Operation,
    path: &str,
    how: u32,
) -> Result<Handle> {
    let request = Request::new(kind::OPEN).bytes(path.as_bytes()).number(how::WRITE | how).facts(&Facts::default());
    let opened = control.call(operation, request).await?.handle(operation)?;
    Ok(Handle::new(control, opened))
}
