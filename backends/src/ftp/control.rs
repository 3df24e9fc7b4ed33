//! One connection for commands, and the one beside it that carries bytes.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{
    reply::{self, Reply},
    tls::{Session, Stream, untrusted},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    web::patience::{CONNECT_TIMEOUT, IDLE_TIMEOUT},
};

/// How long a server may take over what it does with a whole object: taking in its last bytes, renaming it.
pub(super) const LONG_WORK: Duration = Duration::from_secs(300);
/// How long the end of what was given up may take; after that the connection is closed.
const SHORT: Duration = Duration::from_secs(10);
/// Bytes read at once.
const CHUNK: usize = 128 * 1024;
/// Replies that may stand between giving up and the answer to what came after.
const LATE_REPLIES: usize = 4;

/// How connections for data are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passive {
    /// RFC 2428.
    Extended,
    /// RFC 959. The address it tells is not used: behind a translation of addresses it is wrong, and elsewhere it could
    /// send us to somebody else.
    Plain,
}

/// A connection on which one is signed in.
#[derive(Debug)]
pub(super) struct Control {
    stream: BufReader<Stream>,
    session: Option<Session>,
    pub passive: Passive,
    /// A command was sent whose last reply was not read, or the server said goodbye: of no more use.
    pub is_busy: bool,
    pub used: Instant,
}

impl Control {
    /// Over a connection that was just made.
    pub fn new(stream: TcpStream) -> Self {
        let stream = BufReader::new(Stream::Plain(stream));
        Self { stream, session: None, passive: Passive::Plain, is_busy: false, used: Instant::now() }
    }

    /// From now on under TLS.
    ///
    /// # Errors
    /// `Config` where the server is not trusted; what broke the connection.
    pub async fn secure(mut self, operation: Operation, session: Session) -> Result<Self> {
        // What came before the handshake was said by nobody knows whom.
        if !self.stream.buffer().is_empty() {
            return Err(Error::new(ErrorKind::Integrity, operation).retryable(false).because("replies before TLS"));
        }
        let Some(plain) = self.stream.into_inner().into_plain() else {
            return Err(Error::new(ErrorKind::Other, operation).because("TLS within TLS"));
        };
        let secured = patiently(CONNECT_TIMEOUT, operation, session.secure(plain)).await?;
        self.stream = BufReader::new(secured);
        self.session = Some(session);
        Ok(self)
    }

    /// The next reply.
    ///
    /// # Errors
    /// `Timeout`; what broke the connection.
    pub async fn reply(&mut self, operation: Operation, patience: Duration) -> Result<Reply> {
        let reply = timeout(patience, reply::read(&mut self.stream, operation)).await;
        let reply = reply.unwrap_or_else(|_| Err(timed_out(operation, patience)))?;
        self.used = Instant::now();
        Ok(reply)
    }

    async fn say(&mut self, operation: Operation, command: &str) -> Result<()> {
        // A line break would make two commands of one.
        if command.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Error::unsupported(operation, "FTP cannot carry line breaks in names"));
        }
        self.is_busy = true;
        let line = format!("{command}\r\n");
        let stream = self.stream.get_mut();
        patiently(IDLE_TIMEOUT, operation, async {
            stream.write_all(line.as_bytes()).await?;
            stream.flush().await
        })
        .await
    }

    /// A command and its reply, whatever it says.
    ///
    /// # Errors
    /// As [`Control::reply`].
    pub async fn ask(&mut self, operation: Operation, command: &str, patience: Duration) -> Result<Reply> {
        self.say(operation, command).await?;
        let reply = self.reply(operation, patience).await?;
        // After 421 the server closes (RFC 959, 4.2.1).
        self.is_busy = reply.code == 421 || reply.is_preliminary();
        Ok(reply)
    }

    /// Where the server waits for a connection for data. It is always the server that is spoken to already.
    async fn door(&mut self, operation: Operation) -> Result<SocketAddr> {
        let command = match self.passive {
            Passive::Extended => "EPSV",
            Passive::Plain => "PASV",
        };
        let reply = self.ask(operation, command, IDLE_TIMEOUT).await?.done(operation)?;
        let said = reply.lines.concat();
        let port = match self.passive {
            Passive::Extended => extended_port(&said),
            Passive::Plain => plain_port(&said),
        };
        let mut address = self.stream.get_ref().tcp().peer_addr().map_err(|error| Error::io(operation, error))?;
        let no_port = || Error::new(ErrorKind::Other, operation).because(format!("no port in the reply '{said}'"));
        address.set_port(port.ok_or_else(no_port)?);
        Ok(address)
    }

    /// Sends a command whose bytes travel on a connection of their own, and makes that. A refusal may come instead of
    /// the handshake, so neither is waited for alone. `offset` is where a read starts; the command for it has to be the
    /// last one before (RFC 3659, 5.1).
    ///
    /// # Errors
    /// By the reply's code; what broke either connection.
    pub async fn transfer(&mut self, operation: Operation, command: &str, offset: u64) -> Result<Data> {
        let address = self.door(operation).await?;
        if offset > 0 {
            let told = self.ask(operation, &format!("REST {offset}"), IDLE_TIMEOUT).await?;
            if told.code != 350 {
                return Err(told.refusal(operation));
            }
        }
        let session = self.session.clone();
        self.say(operation, command).await?;
        let opening = async move {
            let stream = patiently(CONNECT_TIMEOUT, operation, TcpStream::connect(address)).await?;
            let _slower = stream.set_nodelay(true);
            match session {
                Some(session) => patiently(IDLE_TIMEOUT, operation, session.secure(stream)).await.map_err(untrusted),
                None => Ok(Stream::Plain(stream)),
            }
        };
        let (reply, stream) = {
            let reply = pin!(self.reply(operation, IDLE_TIMEOUT));
            match select(reply, pin!(opening)).await {
                Either::Left((Ok(reply), opening)) if reply.is_preliminary() => (reply, opening.await),
                Either::Left((reply, _)) => (reply?, Err(Error::new(ErrorKind::Unavailable, operation))),
                Either::Right((stream, reply)) => (reply.await?, stream),
            }
        };
        if !reply.is_preliminary() {
            self.is_busy = reply.code == 421;
            return Err(match reply.is_done() {
                true => Error::new(ErrorKind::Other, operation).because("the server was done before it began"),
                false => reply.refusal(operation),
            });
        }
        Ok(Data { stream: stream?, operation })
    }

    /// The reply that ends a transfer whose bytes have all passed.
    ///
    /// # Errors
    /// By its code.
    pub async fn finish(&mut self, operation: Operation) -> Result<()> {
        let reply = self.reply(operation, LONG_WORK).await?;
        self.is_busy = reply.code == 421;
        reply.done(operation).map(drop)
    }

    /// After a transfer was cut off by us: the server says how it ended, some of them twice. So the reply to a command
    /// that does nothing marks the end of it, which is sent only then, as servers may answer it before they notice the
    /// cut. Where no such end comes, the connection stays busy and is closed.
    pub async fn settle(&mut self, operation: Operation) {
        let settled = timeout(SHORT, async {
            self.reply(operation, SHORT).await?;
            self.say(operation, "NOOP").await?;
            for _ in 0..LATE_REPLIES {
                if self.reply(operation, SHORT).await?.code == 200 {
                    self.is_busy = false;
                    break;
                }
            }
            Ok::<_, Error>(())
        });
        let _closed_where_it_failed = settled.await;
    }
}

/// A connection for data.
#[derive(Debug)]
pub(super) struct Data {
    stream: Stream,
    operation: Operation,
}

impl Data {
    /// Sends a chunk.
    ///
    /// # Errors
    /// `Timeout` where nothing moves; what broke the connection.
    pub async fn send(&mut self, chunk: &[u8]) -> Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            match patiently(IDLE_TIMEOUT, self.operation, self.stream.write(rest)).await? {
                0 => return Err(Error::io(self.operation, io::ErrorKind::BrokenPipe.into())),
                sent => rest = &rest[sent..],
            }
        }
        Ok(())
    }

    /// All was sent. The server's own end is waited for: under TLS it brings what the next session is resumed with.
    ///
    /// # Errors
    /// As [`Data::send`].
    pub async fn end(mut self) -> Result<()> {
        patiently(LONG_WORK, self.operation, async {
            self.stream.flush().await?;
            self.stream.shutdown().await
        })
        .await?;
        if matches!(self.stream, Stream::Secured(_)) {
            let mut rest = [0; 256];
            let _ends_as_it_likes =
                timeout(SHORT, async { while matches!(self.stream.read(&mut rest).await, Ok(1..)) {} }).await;
        }
        Ok(())
    }

    /// The next bytes; `None` at the end. Servers end TLS without saying so; whether all came, the reply says.
    ///
    /// # Errors
    /// As [`Data::send`].
    pub async fn receive(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = timeout(IDLE_TIMEOUT, self.stream.read_buf(&mut chunk)).await;
        match read.map_err(|_| timed_out(self.operation, IDLE_TIMEOUT))? {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(chunk.freeze())),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(broken(self.operation, error)),
        }
    }
}

fn timed_out(operation: Operation, patience: Duration) -> Error {
    Error::new(ErrorKind::Timeout, operation).because(format!("nothing came within {} s", patience.as_secs()))
}

/// A connection that failed: whatever the system calls it, another one may do better.
pub(super) fn broken(operation: Operation, error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::TimedOut { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    Error::new(kind, operation).because(error)
}

/// # Errors
/// `Timeout`; what the system says.
pub(super) async fn patiently<T>(
    patience: Duration,
    operation: Operation,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T> {
    match timeout(patience, work).await {
        Ok(done) => done.map_err(|error| broken(operation, error)),
        Err(_) => Err(timed_out(operation, patience)),
    }
}

/// Of `229 Entering Extended Passive Mode (|||6446|)`; any character may stand for the `|` (RFC 2428, 3).
fn extended_port(said: &str) -> Option<u16> {
    let inside = said.split_once('(')?.1.split_once(')')?.0;
    let mark = inside.chars().next()?;
    inside.split(mark).nth(3)?.parse().ok().filter(|port| *port != 0)
}

/// Of `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)`; the brackets are not always there (RFC 1123, 4.1.2.6).
fn plain_port(said: &str) -> Option<u16> {
    let numbers = said.split(|letter: char| !letter.is_ascii_digit() && letter != ',').find(|run| run.contains(','))?;
    let bytes: Vec<u8> = numbers.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [_, _, _, _, high, low] = bytes[..] else { return None };
    Some(u16::from_be_bytes([high, low])).filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        assert_eq!(extended_port("Entering Extended Passive Mode (|||6446|)"), Some(6446));
        assert_eq!(extended_port("ok (!!!1!)."), Some(1));
        assert_eq!(plain_port("Entering Passive Mode (10,0,0,1,4,1)."), Some(1025));
        assert_eq!(plain_port("Entering Passive Mode 10,0,0,1,4,0"), Some(1024));
        for nonsense in ["", "(|||0|)", "(|||x|)", "(1,2,3,4,5)", "(1,2,3,4,256,0)", "(1,2,3,4,0,0)"] {
            assert_eq!((extended_port(nonsense), plain_port(nonsense)), (None, None), "{nonsense}");
        }
    }
}
