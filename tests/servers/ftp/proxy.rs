//! A proxy in front of an FTP server that adds the faults of networks and of full disks, and counts commands.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What happens to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FtpFault {
    /// It is answered with this line, and never reaches the server.
    Answer(&'static str),
    /// The connection ends before it reaches the server.
    Drop,
    /// The server does it, and its first answer is lost, with the connection.
    LoseAnswer,
    /// The server is told this command instead.
    Rewrite(&'static str),
    /// The connection for data ends after so many bytes in either direction, and the server says so.
    CutData(u64),
    /// Both end then.
    CutBoth(u64),
    /// Of its answers, the one with this code is replaced by this line.
    Replace(&'static str, &'static str),
}

/// Which commands meet a fault: told the command and how many of that verb came before.
pub type FtpRule = Box<dyn Fn(&str, usize) -> Option<FtpFault> + Send + Sync>;

/// A running proxy; it ends with the value.
pub struct FtpProxy {
    /// Its port on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    server: u16,
    rule: FtpRule,
    counts: Mutex<BTreeMap<String, usize>>,
    ended: AtomicBool,
}

/// One client.
struct Session {
    state: Arc<State>,
    /// What the command that is under way meets.
    fault: Mutex<Option<FtpFault>>,
    /// Tells the connection for data that was opened last how it ends.
    data: Mutex<Option<Sender<Option<u64>>>>,
    client: TcpStream,
    server: TcpStream,
}

impl FtpProxy {
    /// In front of a server on 127.0.0.1.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn new(server: u16, rule: impl Fn(&str, usize) -> Option<FtpFault> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let state =
            Arc::new(State { server, rule: Box::new(rule), counts: Mutex::default(), ended: AtomicBool::new(false) });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is what this is for.
                thread::spawn(move || drop(serve(shared, client)));
            }
        });
        Self { port, state }
    }

    /// Commands so far, by verb; connections as `connect`.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.state.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FtpProxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))));
    }
}

impl State {
    fn counted(&self, what: &str) -> usize {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count - 1
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(state: Arc<State>, client: TcpStream) -> io::Result<()> {
    state.counted("connect");
    let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], state.server)))?;
    let session = Arc::new(Session { state, fault: Mutex::default(), data: Mutex::default(), client, server });
    let other = Arc::clone(&session);
    let replies = thread::spawn(move || {
        let ended = other.replies();
        other.close();
        ended
    });
    let ended = session.commands();
    session.close();
    drop(replies.join());
    ended
}

impl Session {
    fn close(&self) {
        // One that is closed already is what is wanted.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn commands(&self) -> io::Result<()> {
        let mut from = BufReader::new(self.client.try_clone()?);
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let command = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let before = self.state.counted(&verb);
            let fault = (self.state.rule)(&command, before);
            *lock(&self.fault) = fault;
            match fault {
                Some(FtpFault::Drop) => return Ok(()),
                Some(FtpFault::Answer(answer)) => {
                    write!(&self.client, "{answer}\r\n")?;
                    continue;
                }
                _ => {}
            }
            if !matches!(verb.as_str(), "EPSV" | "PASV")
                && let Some(data) = lock(&self.data).take()
            {
                let cut = match fault {
                    Some(FtpFault::CutData(after) | FtpFault::CutBoth(after)) => Some(after),
                    _ => None,
                };
                // A connection for data that nobody waits for any more.
                let _ = data.send(cut);
            }
            match fault {
                Some(FtpFault::Rewrite(command)) => write!(&self.server, "{command}\r\n")?,
                _ => (&self.server).write_all(&line)?,
            }
        }
    }

    fn replies(self: &Arc<Self>) -> io::Result<()> {
        let mut from = BufReader::new(self.server.try_clone()?);
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let mut text = String::from_utf8_lossy(&line).into_owned();
            let fault = *lock(&self.fault);
            match fault {
                Some(FtpFault::LoseAnswer) => return Ok(()),
                Some(FtpFault::CutData(_)) if text.starts_with('2') && port_of(&text).is_none() => {
                    text = "426 Connection closed; transfer aborted\r\n".to_owned();
                }
                Some(FtpFault::Replace(code, answer)) if text.starts_with(code) => {
                    text = format!("{answer}\r\n");
                }
                _ => {}
            }
            if let Some(port) = port_of(&text) {
                text = self.door(port, text.starts_with("229"))?;
                (&self.client).write_all(text.as_bytes())?;
            } else if text.as_bytes() == String::from_utf8_lossy(&line).as_bytes() {
                (&self.client).write_all(&line)?;
            } else {
                (&self.client).write_all(text.as_bytes())?;
            }
        }
    }

    /// A door of ours before the server's.
    fn door(self: &Arc<Self>, port: u16, extended: bool) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let ours = listener.local_addr()?.port();
        let (tell, told) = channel();
        *lock(&self.data) = Some(tell);
        let session = Arc::clone(self);
        thread::spawn(move || session.carry(&listener, port, &told));
        Ok(if extended {
            format!("229 Entering Extended Passive Mode (|||{ours}|)\r\n")
        } else {
            format!("227 Entering Passive Mode (127,0,0,1,{},{})\r\n", ours >> 8, ours & 255)
        })
    }

    fn carry(&self, listener: &TcpListener, port: u16, told: &Receiver<Option<u64>>) -> io::Result<()> {
        // The command decides; where none comes, the session has ended.
        let Ok(cut) = told.recv() else { return Ok(()) };
        let both = matches!(*lock(&self.fault), Some(FtpFault::CutBoth(_)));
        let (client, _) = listener.accept()?;
        let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
        let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
        let limit = cut.unwrap_or(u64::MAX);
        let up = thread::spawn(move || -> io::Result<u64> {
            let passed = io::copy(&mut Read::by_ref(&mut up_from).take(limit), &mut up_to)?;
            up_to.shutdown(Shutdown::Write)?;
            Ok(passed)
        });
        let mut from = server.try_clone()?;
        let passed = io::copy(&mut Read::by_ref(&mut from).take(limit), &mut &client)?;
        let cut_down = cut.is_some_and(|limit| passed >= limit);
        if both && cut_down {
            self.close();
        }
        client.shutdown(if cut_down { Shutdown::Both } else { Shutdown::Write })?;
        let uploaded = up.join().ok().and_then(Result::ok).unwrap_or(0);
        if both && uploaded >= limit {
            self.close();
        }
        if cut.is_some() { client.shutdown(Shutdown::Both) } else { Ok(()) }
    }
}

/// The port a reply opens.
fn port_of(reply: &str) -> Option<u16> {
    let inside = || Some(reply.split_once('(')?.1.split_once(')')?.0);
    if reply.starts_with("229 ") {
        return inside()?.split('|').nth(3)?.parse().ok();
    }
    let bytes: Vec<u16> =
        reply.strip_prefix("227 ").and_then(|_| inside())?.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    if let [_, _, _, _, high, low] = bytes[..] { Some(high << 8 | low) } else { None }
}
