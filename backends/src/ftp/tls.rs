//! TLS for commands and for data (RFC 4217).
//!
//! Servers may want the connections for data to resume the session of the one for commands, as proof that both are the
//! same client's (vsftpd and ProFTPD do, unless told otherwise). So each connection for commands has its own sessions.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{error::Result, registry::Remote, web::tls::tls_config};

/// Sessions that are remembered for one connection and those for data beside it.
const SESSIONS: usize = 32;

/// Whom to trust, and under which name the server has to show itself.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    config: rustls::ClientConfig,
    name: ServerName<'static>,
}

impl Trust {
    /// # Errors
    /// `Config` for certificates that cannot be read, and for a host that can have none.
    pub fn new(remote: &Remote, host: &str, ca_file: Option<&str>) -> Result<Self> {
        let config = tls_config(true, ca_file.map(Path::new)).map_err(|error| remote.wrong(error.to_string()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| remote.wrong(format!("'{host}': {error}")))?;
        Ok(Self { config, name })
    }

    /// For one connection for commands, and those for data beside it.
    pub fn session(&self) -> Session {
        let mut config = self.config.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Session { connector: TlsConnector::from(Arc::new(config)), name: self.name.clone() }
    }
}

/// See [`Trust::session`].
#[derive(Clone)]
pub(super) struct Session {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?})", self.name)
    }
}

impl Session {
    /// Shakes hands over `stream`.
    ///
    /// # Errors
    /// What TLS says, as the cause of `InvalidData`; what broke the connection.
    pub async fn secure(&self, stream: TcpStream) -> io::Result<Stream> {
        let secured = self.connector.connect(self.name.clone(), stream).await?;
        Ok(Stream::Secured(Box::new(secured)))
    }
}

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The connection below.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secured(stream) => stream.get_ref().0,
        }
    }

    /// The connection itself, before TLS; `None` after.
    pub fn into_plain(self) -> Option<TcpStream> {
        if let Self::Plain(stream) = self { Some(stream) } else { None }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secured(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secured(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secured(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secured(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
