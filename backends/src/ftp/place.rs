//! A place on an FTP server: what the contract of a tree asks for, in commands.

use std::sync::Arc;

use super::{
    control::LONG_WORK,
    facts::{Found, What, of_facts, time, written},
    list::Members,
    pool::{LISTINGS, Lease, Pool, Share},
    put, read,
    reply::Refused,
    server::Abilities,
};
use crate::{
    body::Body,
    entry::{Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{PutRequest, ReadRequest, Reader},
    tree::{self, Facts as _, Member, Root, Tree},
};

/// How times are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// `MFMT` (<https://datatracker.ietf.org/doc/html/draft-somers-ftp-mfxx-04>).
    Mfmt,
    /// `MDTM` with a time before the name, as vsftpd takes it.
    Mdtm,
    /// The server's own are trusted.
    Kept,
    /// Not at all.
    Ignored,
}

/// A directory on a server.
#[derive(Debug)]
pub(super) struct Place {
    pub root: Root,
    pub pool: Arc<Pool>,
    pub abilities: Abilities,
    /// Listings are those with facts.
    pub lists_facts: bool,
    pub times: Times,
}

impl Place {
    /// # Errors
    /// What stopped making a connection.
    pub async fn call(&self, operation: Operation) -> Result<Lease> {
        self.pool.take(operation, Share::Call).await
    }

    /// What lies at a path of the server, if something does. A server does not say whether it is nobody's business or
    /// nobody's file.
    ///
    /// # Errors
    /// What stopped the call; `Unsupported` where the server tells nothing of files.
    pub async fn look_with(&self, lease: &mut Lease, path: &str) -> Result<Option<Found>> {
        if self.abilities.facts {
            let told = lease.ask(&format!("MLST {path}")).await?;
            return found(told.done(lease.operation)).and_then(|told| {
                let Some(told) = told else { return Ok(None) };
                let line = told.lines.iter().skip(1).find_map(|line| of_facts(line.strip_prefix(' ')?));
                let unreadable = || Error::new(ErrorKind::Other, lease.operation).because("the facts cannot be read");
                line.map(|(found, _)| Some(found)).ok_or_else(unreadable)
            });
        }
        let Some(size) = found(lease.ask(&format!("SIZE {path}")).await?.done(lease.operation))? else {
            let entered = lease.ask(&format!("CWD {path}")).await?;
            return Ok(found(entered.done(lease.operation))?.map(|_| Found::of(What::Directory)));
        };
        let mut file = Found::of(What::File);
        file.size = size.lines.last().and_then(|text| text.trim().parse().ok());
        let modified = lease.ask(&format!("MDTM {path}")).await?;
        file.modified = modified.lines.last().filter(|_| modified.is_done()).and_then(|text| time(text.trim()));
        Ok(Some(file))
    }

    /// The facts of the object at `path`.
    ///
    /// # Errors
    /// `NotFound`, for directories, too.
    pub async fn look_at_file(&self, lease: &mut Lease, path: &str) -> Result<Found> {
        let found = self.look_with(lease, path).await?.filter(|found| found.what == What::File);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, lease.operation))
    }

    /// Sets the time of what lies at `path`. Where times are not set by us, nothing is done.
    ///
    /// # Errors
    /// `Unsupported` where the server refuses what it said it can.
    pub async fn touch_with(&self, lease: &mut Lease, path: &str, time: Timestamp) -> Result<()> {
        let command = match self.times {
            Times::Mfmt => "MFMT",
            Times::Mdtm => "MDTM",
            Times::Kept | Times::Ignored => return Ok(()),
        };
        let told = lease.ask(&format!("{command} {} {path}", written(time))).await?;
        told.done(lease.operation).map(drop).map_err(|error| match Refused::of(&error) {
            Some(_) if !error.is_retryable() => {
                let why = format!("the server does not set the time ({error}); 'times = \"none\"' does without");
                Error::unsupported(lease.operation, why)
            }
            _ => error,
        })
    }
}

impl Tree for Place {
    type Facts = Found;
    type Members = Members;

    const LISTED_AT_ONCE: usize = LISTINGS;
    const DELETED_AT_ONCE: usize = 4;

    fn root(&self) -> &Root {
        &self.root
    }

    fn is_refusal(error: &Error) -> bool {
        Refused::of(error).is_some()
    }

    fn described(&self, key: Key, found: &Found) -> Entry {
        let mut entry = Entry::object(key, 0);
        entry.size = found.size;
        entry.stored = found.modified;
        entry.modified = found.modified.filter(|_| self.times != Times::Ignored);
        // Files that are replaced get another number; one that was freed is given anew, hence the rest.
        if let (Some(unique), Some(size), Some(modified)) = (&found.unique, found.size, found.modified) {
            entry.etag = Some(format!("{unique}-{size}-{}", modified.as_nanos()).into());
        }
        entry
    }

    fn sets_times(&self) -> bool {
        matches!(self.times, Times::Mfmt | Times::Mdtm)
    }

    fn worked_on(_name: &str, found: &Found) -> Option<Timestamp> {
        found.modified.or(found.about)
    }

    async fn look(&self, operation: Operation, path: &str) -> Result<Option<Found>> {
        self.look_with(&mut self.call(operation).await?, path).await
    }

    /// A server refuses what is missing and what is hidden from us in the same words; so what counts as missing is only
    /// what the directories above, listed, do not name.
    async fn is_there(&self, directory: &str) -> Result<bool> {
        let operation = Operation::List;
        match self.look(operation, &self.root.path(directory)).await? {
            Some(found) => return Ok(found.what().may_be_directory()),
            None if directory.is_empty() => return Err(Error::new(ErrorKind::NoSuchContainer, operation)),
            None => {}
        }
        let mut above = String::new();
        for segment in directory.trim_end_matches('/').split('/') {
            let listed = Members::opened(self, operation, &self.root.path(&above)).await;
            let mut members = listed.map_err(|error| match Refused::of(&error) {
                Some(_) if above.is_empty() => Error::new(ErrorKind::NoSuchContainer, operation).because(error),
                _ => error,
            })?;
            let mut named = false;
            while let Some(member) = members.next().await? {
                named = named || member.name == segment && member.what != tree::What::File;
            }
            if !named {
                return Ok(false);
            }
            above = format!("{above}{segment}/");
        }
        Err(Error::new(ErrorKind::Denied, operation).because(format!("'{directory}' is there and cannot be looked at")))
    }

    async fn members(&self, operation: Operation, path: &str) -> Result<Option<Members>> {
        Members::opened(self, operation, path).await.map(Some)
    }

    async fn next(members: &mut Members) -> Result<Option<Member<Found>>> {
        members.next().await
    }

    async fn read(self: &Arc<Self>, key: &Key, path: &str, request: ReadRequest) -> Result<Reader> {
        read::read(self, key, path, request).await
    }

    async fn write(&self, path: &str, request: &PutRequest, body: Body) -> Result<(Digests, Found)> {
        put::write(self, path, request, body).await
    }

    async fn touch(&self, operation: Operation, path: &str, time: Timestamp) -> Result<()> {
        self.touch_with(&mut self.call(operation).await?, path, time).await
    }

    /// On most servers this replaces a file.
    async fn rename(&self, operation: Operation, from: &str, to: &str) -> Result<()> {
        let mut lease = self.call(operation).await?;
        let told = lease.ask(&format!("RNFR {from}")).await?;
        if told.code != 350 {
            return Err(told.refusal(operation));
        }
        lease.ask_long(&format!("RNTO {to}"), LONG_WORK).await?.done(operation).map(drop)
    }

    async fn remove(&self, operation: Operation, path: &str) -> Result<()> {
        self.call(operation).await?.tell(&format!("DELE {path}")).await.map(drop)
    }

    async fn make(&self, operation: Operation, path: &str) -> Result<()> {
        self.call(operation).await?.tell(&format!("MKD {path}")).await.map(drop)
    }

    async fn remove_empty(&self, path: &str) -> Result<()> {
        self.call(Operation::Delete).await?.tell(&format!("RMD {path}")).await.map(drop)
    }
}

/// What a server says of what is not there: any refusal that will stay one. A server that does not know the command says
/// nothing at all.
fn found<T>(told: Result<T>) -> Result<Option<T>> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(error) if Refused::of(&error).is_none() || Refused::is_unknown_command(&error) => Err(error),
        // 450 stands for "not there" as well as for "not now" (RFC 959, 4.2.2).
        Err(error) if Refused::of(&error).is_some_and(|refused| matches!(refused.code, 450 | 500..)) => Ok(None),
        Err(error) => Err(error),
    }
}
