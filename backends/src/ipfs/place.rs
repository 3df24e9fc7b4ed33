//! A place on a node: what the contract of a tree asks for, in calls.

use std::{sync::Arc, time::Duration};

use super::{
    put::{self, worked_on},
    read,
    rpc::{Found, Listed, Refused, Rpc},
    times::{self, Times},
};
use crate::{
    body::Body,
    directories::{above, in_the_way},
    entry::{Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{PutRequest, ReadRequest, Reader, Whereabouts},
    tree::{Facts as _, Member, Root, Tree},
};

/// Paths that begin so are not files of the node but contents of the whole network.
const ELSEWHERE: [&str; 2] = ["/ipfs", "/ipns"];

/// A directory of a node's files.
#[derive(Debug)]
pub(super) struct Place {
    pub root: Root,
    pub rpc: Rpc,
    /// Nodes of one address copy from one another.
    pub domain: String,
    pub times: Times,
}

impl Place {
    /// The facts of a path.
    ///
    /// # Errors
    /// [`Refused`] as the cause, where nothing lies there and for every other reason.
    pub async fn stat(&self, operation: Operation, path: &str) -> Result<Found> {
        self.rpc.ask(operation, "files/stat", at(path), &[]).await
    }

    /// What lies in the directory at `path`; of a file, itself.
    ///
    /// # Errors
    /// As [`Place::stat`].
    pub async fn names(&self, operation: Operation, path: &str, long: bool) -> Result<Vec<Found>> {
        let long = if long { "true" } else { "false" };
        let listed: Listed = self.rpc.ask(operation, "files/ls", at(path), &[("long", long)]).await?;
        Ok(listed.entries.unwrap_or_default())
    }

    /// Whether a directory that can be listed, the nearest above `path`, does not name what leads there.
    async fn is_missing(&self, operation: Operation, path: &str) -> Result<bool> {
        let mut inner = path;
        loop {
            let outer = above(inner);
            match self.names(operation, outer, false).await {
                Ok(members) => {
                    let name = &inner[inner.len().min(outer.len() + 1)..];
                    let named = members.iter().any(|member| member.name == name);
                    // A file tells itself, whose name may be this one.
                    return Ok(!named || self.stat(operation, outer).await?.is_file());
                }
                Err(error) if !Refused::is(&error) || outer.is_empty() => return Err(error),
                Err(_) => inner = outer,
            }
        }
    }
}

impl Tree for Place {
    type Facts = Found;
    type Members = std::vec::IntoIter<Found>;

    const LISTED_AT_ONCE: usize = 4;
    const DELETED_AT_ONCE: usize = 4;

    fn root(&self) -> &Root {
        &self.root
    }

    fn is_refusal(error: &Error) -> bool {
        Refused::is(error)
    }

    fn refuses(&self, path: &str) -> Option<&'static str> {
        let is_below = |top: &str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_elsewhere = ELSEWHERE.into_iter().any(is_below);
        is_elsewhere.then_some("a node takes paths that begin with /ipfs or /ipns for addresses")
    }

    fn described(&self, key: Key, found: &Found) -> Entry {
        let mut entry = Entry::object(key, found.size);
        entry.etag = Some(found.cid.as_str().into());
        entry.modified = found.modified().filter(|_| self.sets_times());
        super::cid::sha256(&found.cid).into_iter().for_each(|digest| entry.digests.set(digest));
        entry
    }

    /// Another content or time has another CID, at once.
    fn whereabouts(&self) -> Option<Whereabouts> {
        let base = format!("{}/", self.root.path);
        Some(Whereabouts { base, ..Whereabouts::new(self.domain.clone(), Duration::ZERO) })
    }

    fn sets_times(&self) -> bool {
        self.times != Times::Ignored
    }

    fn working_name(name: &str) -> String {
        put::working_name(name)
    }

    fn worked_on(name: &str, _found: &Found) -> Option<Timestamp> {
        worked_on(name)
    }

    /// What lies at a path, if something does.
    ///
    /// # Errors
    /// What stopped the calls; the node's refusal, where something lies there and cannot be looked at.
    async fn look(&self, operation: Operation, path: &str) -> Result<Option<Found>> {
        match self.stat(operation, path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if Refused::is(&error) => {
                if self.is_missing(operation, path).await? {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn members(&self, operation: Operation, path: &str) -> Result<Option<Self::Members>> {
        Ok(Some(self.names(operation, path, true).await?.into_iter()))
    }

    async fn next(members: &mut Self::Members) -> Result<Option<Member<Found>>> {
        let member = members.next();
        Ok(member.map(|facts| Member { name: facts.name.clone(), what: facts.what(), facts }))
    }

    async fn read(self: &Arc<Self>, key: &Key, path: &str, request: ReadRequest) -> Result<Reader> {
        read::read(self, key, path, request).await
    }

    async fn write(&self, path: &str, request: &PutRequest, body: Body) -> Result<(Digests, Found)> {
        put::write(self, path, request, body).await
    }

    /// Its CID gets one more name, and no byte moves.
    async fn duplicate(&self, _: &str, there: &Found, to: &str, modified: Option<Timestamp>) -> Result<Found> {
        let operation = Operation::Copy;
        let content = format!("/ipfs/{}", there.cid);
        self.rpc.tell(operation, "files/cp", &[&content, to], &VERSION).await?;
        let stored = self.stat(operation, to).await?;
        match modified.filter(|_| self.sets_times()) {
            Some(time) if stored.modified() != Some(time) => {
                self.touch(operation, to, time).await?;
                self.stat(operation, to).await
            }
            _ => Ok(stored),
        }
    }

    async fn touch(&self, operation: Operation, path: &str, time: Timestamp) -> Result<()> {
        times::touch(self, operation, path, time).await
    }

    /// Onto a file Kubo replaces it, and js-ipfs refuses; onto a directory both move into it.
    async fn rename(&self, operation: Operation, from: &str, to: &str) -> Result<()> {
        self.rpc.tell(operation, "files/mv", &[from, to], &VERSION).await
    }

    async fn settle(&self, operation: Operation, draft: &str, path: &str, stored: &Found) -> Result<()> {
        put::settle(self, operation, draft, path, stored).await
    }

    async fn remove(&self, operation: Operation, path: &str) -> Result<()> {
        self.rpc.tell(operation, "files/rm", &[path], &VERSION).await
    }

    /// js-ipfs (0.18.1) makes a directory below a file by writing into the file's own tree, which changes its CID and time. So
    /// what lies above is looked at before.
    async fn make(&self, operation: Operation, path: &str) -> Result<()> {
        let outer = above(path);
        if !outer.is_empty() && !self.root.directories.knows(outer) {
            match self.look(operation, outer).await? {
                None => return Err(Error::new(ErrorKind::NotFound, operation).because(Refused::nothing_above())),
                Some(found) if found.is_file() => return Err(in_the_way(operation, outer)),
                Some(_) => self.root.directories.saw(outer),
            }
        }
        self.rpc.tell(operation, "files/mkdir", &[path], &VERSION).await
    }

    /// A node removes a directory with all that is in it or not at all, so it is looked into first.
    async fn remove_empty(&self, path: &str) -> Result<()> {
        let operation = Operation::Delete;
        if !self.names(operation, path, false).await?.is_empty() {
            return Err(Error::new(ErrorKind::Exists, operation).because("it is not empty"));
        }
        self.rpc.tell(operation, "files/rm", &[path], &[("recursive", "true"), VERSION[0]]).await
    }
}

/// js-ipfs writes directories anew with every change, as version 0 if it is not told otherwise.
pub(super) const VERSION: [(&str, &str); 1] = [("cid-version", "1")];

/// The path of the top has a name, which ours have not.
pub(super) fn at(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
