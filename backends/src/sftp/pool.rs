//! Connections that are shared. One carries everything; contents get more of them, so that they do not wait for each other.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{control::Control, server::Server};
use crate::error::{Error, ErrorKind, Operation, Result};

/// Connections at most. A server takes ten at once that have not signed in yet, if nobody told it otherwise
/// (`MaxStartups` in sshd_config(5)).
const MOST: usize = 4;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// A short call.
    Call,
    /// The bytes of an object.
    Body,
}

/// Connections to a server.
#[derive(Debug)]
pub(super) struct Pool {
    pub server: Server,
    open: Mutex<Open>,
    /// One is made at a time.
    making: Semaphore,
}

#[derive(Debug)]
struct Open {
    connections: Vec<Connection>,
    most: usize,
}

#[derive(Clone, Debug)]
struct Connection {
    control: Arc<Control>,
    /// Shared by the bodies on it.
    bodies: Arc<()>,
}

impl Connection {
    fn load(&self) -> usize {
        Arc::strong_count(&self.bodies)
    }
}

/// A connection in use.
#[derive(Debug)]
pub(super) struct Lease {
    pub control: Arc<Control>,
    _body: Option<Arc<()>>,
}

impl Pool {
    /// With at most so many connections.
    pub fn new(server: Server, most: usize) -> Self {
        let open = Open { connections: Vec::new(), most: most.clamp(1, MOST) };
        Self { server, open: Mutex::new(open), making: Semaphore::new(1) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Open) -> T) -> T {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection with the fewest bodies on it, and whether one more should be made.
    fn idlest(&self) -> Option<(Connection, bool)> {
        self.with(|open| {
            open.connections.retain(|connection| !connection.control.is_broken());
            let idlest = open.connections.iter().min_by_key(|connection| connection.load())?.clone();
            // The list's own count, and this one's.
            let busy = idlest.load() > 2;
            Some((idlest, busy && open.connections.len() < open.most))
        })
    }

    /// A connection that works, as far as is known.
    ///
    /// # Errors
    /// What stopped making one where there is none.
    pub async fn take(self: &Arc<Self>, operation: Operation, share: Share) -> Result<Lease> {
        loop {
            if let Some((connection, wanting)) = self.idlest() {
                if share == Share::Body && wanting {
                    self.make_another();
                }
                let body = (share == Share::Body).then_some(connection.bodies);
                return Ok(Lease { control: connection.control, _body: body });
            }
            let making = self.making.acquire().await;
            let _making = making.map_err(|closed| Error::new(ErrorKind::Cancelled, operation).because(closed))?;
            // Another may have made one meanwhile.
            if self.idlest().is_none() {
                let control = self.server.connect(operation).await?;
                self.with(|open| open.connections.push(Connection { control, bodies: Arc::default() }));
            }
        }
    }

    /// Makes another connection beside those that work. Where the server takes no more, it is not asked again.
    fn make_another(self: &Arc<Self>) {
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(_making) = pool.making.try_acquire() else { return };
            let made = pool.server.connect(Operation::Open).await;
            pool.with(|open| match made {
                Ok(control) => open.connections.push(Connection { control, bodies: Arc::default() }),
                Err(_) => open.most = open.connections.len().max(1),
            });
        });
    }
}
