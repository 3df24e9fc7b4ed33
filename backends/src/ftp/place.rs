//! What every call of one store shares.

use std::sync::Arc;

use super::{
    control::LONG_WORK,
    facts::{Found, What, of_facts, time, written},
    pool::{Lease, Pool, Share},
    reply::Refused,
    server::Abilities,
};
use crate::{
    capability::Capabilities,
    directories::{Directories, below},
    entry::{Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    unfinished::{Stale, is_unfinished},
};

pub(super) type Shared = Arc<Place>;

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
    pub name: String,
    pub pool: Arc<Pool>,
    /// An absolute path without `/` at its end.
    pub root: String,
    /// The directory below it that was named when this was opened: empty, or ending in `/`.
    pub folder: String,
    pub abilities: Abilities,
    /// Listings are those with facts.
    pub lists_facts: bool,
    pub times: Times,
    pub capabilities: Capabilities,
    pub directories: Directories,
    /// What killed runs left, as a listing showed it.
    pub stale: Stale,
}

impl Place {
    /// Puts the store's and the key's names into an error.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that FTP cannot carry, and for names that are our own.
    pub fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        if let Some(why) = self.capabilities.keys.refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        if is_unfinished(key) {
            return Err(Error::unsupported(operation, "files on their way are called so"));
        }
        Ok(())
    }

    /// A key, or a directory with or without `/` at its end, as the server names it.
    pub fn path(&self, key: &str) -> String {
        below(&self.root, key)
    }

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
    pub async fn look(&self, lease: &mut Lease, path: &str) -> Result<Option<Found>> {
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

    /// The facts of an object.
    ///
    /// # Errors
    /// `NotFound`, for directories, too.
    pub async fn look_at_object(&self, lease: &mut Lease, key: &Key) -> Result<Found> {
        let missing = || Error::new(ErrorKind::NotFound, lease.operation);
        if self.accepts(lease.operation, key).is_err() {
            return Err(missing());
        }
        match self.look(lease, &self.path(key)).await? {
            Some(found) if found.what == What::File => Ok(found),
            _ => Err(Error::new(ErrorKind::NotFound, lease.operation)),
        }
    }

    /// An object as the server tells of it.
    pub fn described(&self, key: Key, found: &Found) -> Entry {
        let mut entry = Entry::object(key, 0);
        entry.size = found.size;
        entry.stored = found.modified;
        entry.modified = found.modified.filter(|_| self.capabilities.modified.is_some());
        // Files that are replaced get another number; one that was freed is given anew, hence the rest.
        if let (Some(unique), Some(size), Some(modified)) = (&found.unique, found.size, found.modified) {
            entry.etag = Some(format!("{unique}-{size}-{}", modified.as_nanos()).into());
        }
        entry
    }

    /// Sets the time of what lies at `path`. Where times are not set by us, nothing is done.
    ///
    /// # Errors
    /// `Unsupported` where the server refuses what it said it can.
    pub async fn touch(&self, lease: &mut Lease, path: &str, time: Timestamp) -> Result<()> {
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

    /// Renames, which replaces a file on most servers.
    ///
    /// # Errors
    /// By code; what broke the connection.
    pub async fn rename(&self, lease: &mut Lease, from: &str, to: &str) -> Result<()> {
        let told = lease.ask(&format!("RNFR {from}")).await?;
        if told.code != 350 {
            return Err(told.refusal(lease.operation));
        }
        lease.ask_long(&format!("RNTO {to}"), LONG_WORK).await?.done(lease.operation).map(drop)
    }

    /// Removes what listings saw and nobody works on. Only who writes may, so a listing does not. Its time is looked at
    /// once more: lines for people tell it roughly.
    pub async fn sweep(&self) {
        for path in self.stale.take() {
            let removed = async {
                let mut lease = self.call(Operation::Delete).await?;
                if self.look(&mut lease, &path).await?.is_some_and(|found| {
                    let is_old = |written| crate::unfinished::is_stale(written, Timestamp::now());
                    found.what == What::File && found.modified.is_some_and(is_old)
                }) {
                    lease.tell(&format!("DELE {path}")).await?;
                }
                Ok::<_, Error>(())
            };
            let _best_effort = removed.await;
        }
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
