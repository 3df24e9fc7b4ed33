//! TLS for commands and for data (RFC 4217).
//!
//! Servers may want the connections for data to resume the session of the one for commands, as proof that both are the
//! same client's (vsftpd and ProFTPD do, unless told otherwise). So each connection for commands has its own sessions.
//!
//! A session of TLS 1.2 is resumed as often as one likes. The tickets of 1.3 are for one use each, and after uploads
//! ProFTPD (1.3.8) gives no new ones: the third upload or so of a connection would be refused. So 1.2 is what is offered,
//! and 1.3 only to servers that insist on it.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use rustls::{AlertDescription, client::Resumption};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    error::{Error, ErrorKind, Result},
    registry::Remote,
    web::tls::{NoCertificates, of_versions, trusted},
};

/// Sessions that are remembered for one connection and those for data beside it.
const SESSIONS: usize = 32;

/// Whom to trust, and under which name the server has to show itself.
#[derive(Debug)]
pub(super) struct Trust {
    /// TLS 1.2.
    resumable: rustls::ClientConfig,
    /// TLS 1.3.
    modern: rustls::ClientConfig,
    insists: AtomicBool,
    name: ServerName<'static>,
}

impl Trust {
    /// # Errors
    /// `Config` for certificates that cannot be read, and for a host that can have none.
    pub fn new(remote: &Remote, host: &str, ca_file: Option<&str>) -> Result<Self> {
        let wrong = |error: NoCertificates| remote.wrong(error.to_string());
        let roots = Arc::new(trusted(true, ca_file.map(Path::new)).map_err(wrong)?);
        let of = |version| of_versions(Arc::clone(&roots), &[version]).map_err(wrong);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| remote.wrong(format!("'{host}': {error}")))?;
        let (resumable, modern) = (of(&rustls::version::TLS12)?, of(&rustls::version::TLS13)?);
        Ok(Self { resumable, modern, insists: AtomicBool::new(false), name })
    }

    /// For one connection for commands, and those for data beside it.
    pub fn session(&self) -> Session {
        let insists = self.insists.load(Ordering::Relaxed);
        let mut config = if insists { self.modern.clone() } else { self.resumable.clone() };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Session { connector: TlsConnector::from(Arc::new(config)), name: self.name.clone() }
    }

    /// Whether a handshake that failed may succeed with the other version, which is the one from now on.
    pub fn learns(&self, failed: &Error) -> bool {
        let version = matches!(
            of_tls(failed),
            Some(
                rustls::Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
                    | rustls::Error::PeerIncompatible(_)
            )
        );
        version && !self.insists.swap(true, Ordering::Relaxed)
    }
}

/// What TLS said, where it was TLS that failed.
fn of_tls(error: &Error) -> Option<&rustls::Error> {
    error.cause::<io::Error>()?.get_ref()?.downcast_ref()
}

/// A server whose certificate is not trusted is not trusted the next time either.
pub(super) fn untrusted(error: Error) -> Error {
    match of_tls(&error) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::new(ErrorKind::Config, error.operation()).because(error),
        _ => error,
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
