//! Connections that are shared, so many at most: servers count them, by address, too.
//!
//! Reads, listings and all other calls have shares of their own: who holds a half-read object or listing waits for
//! somebody who may want to write, and must not keep the last connection from him.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    control::{Control, Data},
    reply::Reply,
    server::Server,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    web::patience::IDLE_TIMEOUT,
};

/// Listings that read a directory at once.
pub(super) const LISTINGS: usize = 3;
/// Servers hang up on who is silent for minutes, and do not always say so: after this a connection is tried before use.
const SILENT: Duration = Duration::from_secs(20);
/// How long that trial may take.
const TRIAL: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    Call,
    Read,
    List,
}

/// Connections to a server.
#[derive(Debug)]
pub(super) struct Pool {
    pub server: Server,
    idle: Mutex<Vec<Control>>,
    calls: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    lists: Arc<Semaphore>,
}

impl Pool {
    /// With so many connections for calls, and as many for reads.
    pub fn new(server: Server, connections: usize) -> Self {
        let share = |most| Arc::new(Semaphore::new(most));
        Self {
            server,
            idle: Mutex::default(),
            calls: share(connections),
            reads: share(connections),
            lists: share(LISTINGS),
        }
    }

    /// A connection: one that is free, or a new one.
    ///
    /// # Errors
    /// What stopped making it.
    pub async fn take(self: &Arc<Self>, operation: Operation, share: Share) -> Result<Lease> {
        let semaphore = match share {
            Share::Call => &self.calls,
            Share::Read => &self.reads,
            Share::List => &self.lists,
        };
        let permit = Arc::clone(semaphore).acquire_owned().await;
        let permit = permit.map_err(|closed| Error::new(ErrorKind::Cancelled, operation).because(closed))?;
        let control = self.free(operation).await?;
        Ok(Lease { control: Some(control), pool: Arc::clone(self), operation, _permit: permit })
    }

    async fn free(&self, operation: Operation) -> Result<Control> {
        loop {
            let free = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut free) = free else { return self.server.connect(operation).await };
            if free.used.elapsed() < SILENT || free.ask(operation, "NOOP", TRIAL).await.is_ok_and(|told| told.is_done())
            {
                return Ok(free);
            }
        }
    }
}

/// A connection in use. It goes back when this is dropped, unless something is still to come on it: then it is closed.
#[derive(Debug)]
pub(super) struct Lease {
    control: Option<Control>,
    pool: Arc<Pool>,
    pub operation: Operation,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    fn control(&mut self) -> Result<&mut Control> {
        let gone = || Error::new(ErrorKind::Unavailable, self.operation);
        self.control.as_mut().ok_or_else(gone)
    }

    /// A command and its reply, whatever it says.
    ///
    /// # Errors
    /// What broke the connection.
    pub async fn ask(&mut self, command: &str) -> Result<Reply> {
        self.ask_long(command, IDLE_TIMEOUT).await
    }

    /// As [`Lease::ask`], of what may take longer.
    ///
    /// # Errors
    /// As [`Lease::ask`].
    pub async fn ask_long(&mut self, command: &str, patience: Duration) -> Result<Reply> {
        let operation = self.operation;
        self.control()?.ask(operation, command, patience).await
    }

    /// A command that is to succeed.
    ///
    /// # Errors
    /// By the reply's code.
    pub async fn tell(&mut self, command: &str) -> Result<Reply> {
        self.ask(command).await?.done(self.operation)
    }

    /// See [`Control::transfer`].
    ///
    /// # Errors
    /// As there.
    pub async fn transfer(&mut self, command: &str, offset: u64) -> Result<Data> {
        let operation = self.operation;
        self.control()?.transfer(operation, command, offset).await
    }

    /// See [`Control::finish`].
    ///
    /// # Errors
    /// As there.
    pub async fn finish(&mut self) -> Result<()> {
        let operation = self.operation;
        self.control()?.finish(operation).await
    }

    /// See [`Control::settle`].
    pub async fn settle(&mut self) {
        let operation = self.operation;
        if let Some(control) = &mut self.control {
            control.settle(operation).await;
        }
    }

    /// Another connection in place of one that is of no more use.
    ///
    /// # Errors
    /// What stopped making it.
    pub async fn renew(&mut self) -> Result<()> {
        if self.control()?.is_busy {
            self.control = Some(self.pool.free(self.operation).await?);
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(control) = self.control.take().filter(|control| !control.is_busy) {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(control);
        }
    }
}
