//! What a family of trees brings.

use std::{fmt, sync::Arc};

use super::root::Root;
use crate::{
    body::Body,
    entry::{Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    skipped::WhySkipped,
    store::{PutRequest, ReadRequest, Reader, Whereabouts},
    unfinished::is_unfinished,
};

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    File,
    Directory,
    /// The server does not say; of what was looked at it may be either.
    Unknown,
    /// Nothing that a key names.
    Other(WhySkipped),
}

impl What {
    pub fn may_be_file(self) -> bool {
        matches!(self, Self::File | Self::Unknown)
    }

    pub fn may_be_directory(self) -> bool {
        matches!(self, Self::Directory | Self::Unknown)
    }
}

/// What a server tells of one path. What tells the same was not written to in between.
pub(crate) trait Facts: Clone + fmt::Debug + PartialEq + Send + Sync {
    fn what(&self) -> What;
}

/// What a directory names.
pub(crate) struct Member<Facts> {
    /// One segment; of a name that is not UTF-8 what can be shown of it.
    pub name: String,
    pub what: What,
    pub facts: Facts,
}

/// A server of files, and a place on it. Each call is one attempt: nothing is tried again, and no error is named.
pub(crate) trait Tree: Sized + fmt::Debug + Send + Sync + 'static {
    type Facts: Facts;
    /// A directory that is being listed.
    type Members: Send;

    /// Directories listed at once.
    const LISTED_AT_ONCE: usize;
    /// Objects deleted at once.
    const DELETED_AT_ONCE: usize;

    fn root(&self) -> &Root;

    /// Whether `error` is what the server answered, and not the lack of an answer. A refusal hardly says why: who wants to
    /// know looks.
    fn is_refusal(error: &Error) -> bool;

    /// Why no object can lie at `path`, beyond what the key rules say.
    fn refuses(&self, _path: &str) -> Option<&'static str> {
        None
    }

    /// An object as the server tells of it.
    fn described(&self, key: Key, facts: &Self::Facts) -> Entry;

    /// See [`Store::whereabouts`](crate::Store::whereabouts).
    fn whereabouts(&self) -> Option<Whereabouts> {
        None
    }

    /// Whether the time of what lies there can be set.
    fn sets_times(&self) -> bool;

    /// Whether a rename replaces a file, in one step: then one that is refused is refused for another reason.
    fn replaces(&self) -> bool {
        false
    }

    /// What a file on its way to `name` is called after.
    fn working_name(name: &str) -> String {
        name.to_owned()
    }

    /// About when the file on its way called `name` was last worked on.
    fn worked_on(name: &str, facts: &Self::Facts) -> Option<Timestamp>;

    /// What lies at `path`, if something does. The root may be a link; below it none is followed.
    fn look(&self, operation: Operation, path: &str) -> impl Future<Output = Result<Option<Self::Facts>>> + Send;

    /// Whether `directory` (empty, or ending in `/`) is there and can be listed.
    fn is_there(&self, directory: &str) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let found = self.look(Operation::List, &self.root().path(directory)).await?;
            Ok(found.is_some_and(|found| found.what().may_be_directory()))
        }
    }

    /// Begins to list the directory at `path`; `None` where it is not there any more.
    fn members(&self, operation: Operation, path: &str) -> impl Future<Output = Result<Option<Self::Members>>> + Send;

    /// The next member, none of them the directory itself or what is above it. That there is none is believed when the
    /// server says so.
    fn next(members: &mut Self::Members) -> impl Future<Output = Result<Option<Member<Self::Facts>>>> + Send;

    /// See [`Store::read`](crate::Store::read), of a key that can be.
    fn read(
        self: &Arc<Self>,
        key: &Key,
        path: &str,
        request: ReadRequest,
    ) -> impl Future<Output = Result<Reader>> + Send;

    /// Writes all of `body` to a new file at `path` and sets its time: what was computed of the bytes on the way, and what
    /// lies there.
    ///
    /// # Errors
    /// `Integrity` where the body is not what the request says, or what lies there not what was sent.
    fn write(
        &self,
        path: &str,
        request: &PutRequest,
        body: Body,
    ) -> impl Future<Output = Result<(Digests, Self::Facts)>> + Send;

    /// Whether what was written is known to be on the server's disk.
    fn flushes(&self) -> bool {
        false
    }

    /// Makes an empty file where nothing is.
    fn create(&self, operation: Operation, _path: &str) -> impl Future<Output = Result<()>> + Send {
        async move { Err(Error::unsupported(operation, "no uploads in parts")) }
    }

    /// Writes all of `body` from `offset` on into the file at `path`, which is there, and has the server's disk take it where
    /// it [flushes](Tree::flushes): the bytes that were, and what was computed of them, their CRC-32C among it.
    ///
    /// # Errors
    /// `NotFound` where no file is there; `Integrity` where the body is not what the `digests` say.
    fn write_at(
        &self,
        operation: Operation,
        _path: &str,
        _offset: u64,
        _digests: &Digests,
        _body: Body,
    ) -> impl Future<Output = Result<(u64, Digests)>> + Send {
        async move { Err(Error::unsupported(operation, "no uploads in parts")) }
    }

    /// Sets the time of the file at `path`, which is written.
    ///
    /// # Errors
    /// `Integrity` where it is not of `len` bytes.
    fn finish(
        &self,
        operation: Operation,
        _path: &str,
        _modified: Option<Timestamp>,
        _len: u64,
    ) -> impl Future<Output = Result<Self::Facts>> + Send {
        async move { Err(Error::unsupported(operation, "no uploads in parts")) }
    }

    /// Copies the file at `from`, of which `there` was told, to `to` without a byte through us, and gives it the time
    /// `modified`, else its own.
    ///
    /// # Errors
    /// `Precondition` where it is no longer what was told.
    fn duplicate(
        &self,
        _from: &str,
        _there: &Self::Facts,
        _to: &str,
        _modified: Option<Timestamp>,
    ) -> impl Future<Output = Result<Self::Facts>> + Send {
        async { Err(Error::unsupported(Operation::Copy, "the server makes no copies")) }
    }

    fn touch(&self, operation: Operation, path: &str, time: Timestamp) -> impl Future<Output = Result<()>> + Send;

    fn rename(&self, operation: Operation, from: &str, to: &str) -> impl Future<Output = Result<()>> + Send;

    /// Gives a file on its way its name, over what is there. A rename whose answer was lost is seen by its result.
    fn settle(
        &self,
        operation: Operation,
        draft: &str,
        path: &str,
        stored: &Self::Facts,
    ) -> impl Future<Output = Result<()>> + Send {
        super::put::settle(self, operation, draft, path, stored)
    }

    /// Removes a file; a directory is refused.
    fn remove(&self, operation: Operation, path: &str) -> impl Future<Output = Result<()>> + Send;

    /// Makes one directory. What is above it may be missing, and it may be there: both are refused.
    fn make(&self, operation: Operation, path: &str) -> impl Future<Output = Result<()>> + Send;

    /// Removes a directory that is empty; another is refused.
    fn remove_empty(&self, path: &str) -> impl Future<Output = Result<()>> + Send;

    /// Whether the disk below the directory at `path` has no room left, as far as the server says.
    fn is_full(&self, _operation: Operation, _path: &str) -> impl Future<Output = Result<bool>> + Send {
        async { Ok(false) }
    }

    /// # Errors
    /// `Unsupported` for a key that no file can have, and for names that are our own.
    fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        let root = self.root();
        if let Some(why) = root.capabilities.keys.refuse(key).or_else(|| self.refuses(&root.path(key))) {
            return Err(Error::unsupported(operation, why));
        }
        if is_unfinished(key) {
            return Err(Error::unsupported(operation, "files on their way are called so"));
        }
        Ok(())
    }

    /// The facts of an object.
    ///
    /// # Errors
    /// `NotFound`, of directories and links, too.
    fn look_at_object(&self, operation: Operation, key: &Key) -> impl Future<Output = Result<Self::Facts>> + Send {
        async move {
            let missing = || Error::new(ErrorKind::NotFound, operation);
            if self.accepts(operation, key).is_err() {
                return Err(missing());
            }
            let found = self.look(operation, &self.root().path(key)).await?;
            found.filter(|found| found.what().may_be_file()).ok_or_else(missing)
        }
    }
}
