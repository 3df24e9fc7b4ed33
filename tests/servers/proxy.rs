//! A proxy in front of a real server that adds the faults of networks, and counts calls by method.
//!
//! It serves one request a connection, so that every request is seen; servers and clients are told to close.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status and these further header lines (each ending in CRLF), and never reaches the server.
    Answer(u16, String),
    /// As [`Fault::Answer`], with a body instead of headers.
    Say(u16, String),
    /// The connection ends after so many bytes of the request's body reached the server.
    CutRequest(usize),
    /// The connection ends after so many bytes of the answer, its head included.
    CutAnswer(usize),
    /// The server does what was asked, and its answer is lost.
    LoseAnswer,
    /// The server is asked with another line in the head of the request: this one becomes that one.
    Rewrite(&'static str, &'static str),
}

/// Which requests meet a fault: told the method, the whole head, and how many requests of that method came before.
pub type Rule = Box<dyn Fn(&str, &str, usize) -> Option<Fault> + Send + Sync>;

/// A running proxy; it ends with the value.
pub struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// `127.0.0.1:PORT`.
    server: String,
    rule: Rule,
    counts: Mutex<BTreeMap<String, usize>>,
    heads: Mutex<Vec<String>>,
    ended: AtomicBool,
}

impl Proxy {
    /// In front of `server` (`http://127.0.0.1:PORT`).
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn new(server: &str, rule: impl Fn(&str, &str, usize) -> Option<Fault> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let server = server.trim_start_matches("http://").to_owned();
        let state = Arc::new(State {
            server,
            rule: Box::new(rule),
            counts: Mutex::default(),
            heads: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is what this is for.
                thread::spawn(move || drop(serve(&shared, connection)));
            }
        });
        Self { url: format!("http://{address}"), address, state }
    }

    /// Requests so far, by method.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.state.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The heads of all requests so far.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(state: &State, mut client: TcpStream) -> io::Result<()> {
    let (head, rest) = head(&mut client)?;
    let method = head.split(' ').next().unwrap_or_default();
    let before = {
        let mut counts = state.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(method.to_owned()).or_default();
        *count += 1;
        *count - 1
    };
    state.heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    let fault = (state.rule)(method, &head, before);
    let said = match &fault {
        Some(Fault::Answer(status, headers)) => Some((status, headers.as_str(), "")),
        Some(Fault::Say(status, body)) => Some((status, "", body.as_str())),
        _ => None,
    };
    if let Some((status, headers, body)) = said {
        let length = body.len();
        write!(
            client,
            "HTTP/1.1 {status} Fault\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        )?;
        // What the client still sends is read, or it would not see the answer.
        client.shutdown(Shutdown::Write)?;
        return io::copy(&mut client, &mut io::sink()).map(drop);
    }
    let mut server = TcpStream::connect(&state.server)?;
    let kept: String =
        head.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).collect();
    let kept = match &fault {
        Some(Fault::Rewrite(from, to)) => kept.replace(from, to),
        _ => kept,
    };
    write!(server, "{}Connection: close\r\n\r\n", kept.strip_suffix("\r\n").unwrap_or(&kept))?;
    let limit = if let Some(Fault::CutRequest(limit)) = fault { limit } else { usize::MAX };
    let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
    let upload = thread::spawn(move || -> io::Result<bool> {
        let mut left = limit;
        let taken = rest.len().min(left);
        up_to.write_all(&rest[..taken])?;
        left -= taken;
        let mut buffer = [0; 16 * 1024];
        while left > 0 {
            let size = buffer.len().min(left);
            match up_from.read(&mut buffer[..size])? {
                0 => return Ok(false),
                read => up_to.write_all(&buffer[..read])?,
            };
            left = left.saturating_sub(size);
        }
        up_to.shutdown(Shutdown::Both)?;
        up_from.shutdown(Shutdown::Both)?;
        Ok(true)
    });
    let limit = match fault {
        Some(Fault::CutAnswer(limit)) => limit as u64,
        Some(Fault::LoseAnswer) => {
            io::copy(&mut server, &mut io::sink())?;
            0
        }
        _ => u64::MAX,
    };
    io::copy(&mut Read::by_ref(&mut server).take(limit), &mut client)?;
    client.shutdown(Shutdown::Both)?;
    drop(upload.join());
    Ok(())
}

/// The head of a request, with the empty line that ends it, and what came of the body along with it.
fn head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&seen).into_owned(), rest));
        }
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => seen.extend_from_slice(&buffer[..read]),
        }
    }
}
