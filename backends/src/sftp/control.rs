//! One connection: an `ssh` process, and the requests under way on it. Any number may be; answers come in any order.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, Command},
    sync::{mpsc, oneshot},
};

use super::wire::{Fields, Reply, Request, VERSION, hello, kind};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    web::patience::{Activity, IDLE_TIMEOUT},
};

/// The longest packet that is believed: OpenSSH sends none above 256 KiB.
const LONGEST: usize = 1024 * 1024;
/// How much of what `ssh` says is kept.
const MOST_SAID: u64 = 4 * 1024;
/// Bytes that one read or write carries where the server does not say: every server takes these (section 3 of the draft).
const PIECE: u64 = 32 * 1024;
/// Bytes that one of them carries at most: more no longer pays.
const LARGEST: u64 = 255 * 1024;

/// What the server can beyond the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Abilities {
    pub posix_rename: bool,
    pub fsync: bool,
    pub copy_data: bool,
    pub statvfs: bool,
    limits: bool,
}

impl Abilities {
    /// The names and versions that follow the server's greeting.
    fn of(mut fields: Fields) -> Self {
        let mut abilities = Self::default();
        while let (Some(name), Some(version)) = (fields.bytes(), fields.bytes()) {
            match (&name[..], &version[..]) {
                (b"posix-rename@openssh.com", b"1") => abilities.posix_rename = true,
                (b"fsync@openssh.com", b"1") => abilities.fsync = true,
                (b"copy-data", b"1") => abilities.copy_data = true,
                (b"statvfs@openssh.com", b"2") => abilities.statvfs = true,
                (b"limits@openssh.com", b"1") => abilities.limits = true,
                _ => {}
            }
        }
        abilities
    }
}

/// Why no connection came about.
#[derive(Debug)]
pub(super) enum NotConnected {
    /// The program is not there, or cannot be run.
    NotRun(std::io::Error),
    /// It ended, or said something else than was expected; with what it said.
    Ended { said: String },
    /// It said nothing in time.
    Silent,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Control {
    requests: mpsc::UnboundedSender<(Bytes, Bytes)>,
    waiting: Arc<Waiting>,
    next: AtomicU32,
    activity: Activity,
    pub abilities: Abilities,
    /// Bytes of one read.
    pub read_piece: u64,
    /// Bytes of one write.
    pub write_piece: u64,
}

/// Who waits for an answer.
#[derive(Debug, Default)]
struct Waiting {
    by_id: Mutex<HashMap<u32, oneshot::Sender<Reply>>>,
    broken: AtomicBool,
}

impl Waiting {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<u32, oneshot::Sender<Reply>>) -> T) -> T {
        work(&mut self.by_id.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Nothing comes any more: who waits is told so by his sender's end.
    fn end(&self) {
        self.with(|waiting| {
            self.broken.store(true, Ordering::Relaxed);
            waiting.clear();
        });
    }
}

impl Control {
    /// Starts `command`, which is `ssh`, and greets the server behind it.
    ///
    /// # Errors
    /// Why that did not work.
    pub async fn connect(mut command: Command, patience: Duration) -> std::result::Result<Arc<Self>, NotConnected> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // What a terminal sends to end us is for us: what is under way is given up in order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(NotConnected::NotRun)?;
        let missing = || NotConnected::NotRun(std::io::Error::other("it has no input and output"));
        let (mut to, from) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let mut errors = child.stderr.take().ok_or_else(missing)?;
        let mut packets = Packets::new(from);
        let greeted = async {
            // Where it ended already, reading tells.
            let _ = to.write_all(&hello()).await;
            packets.next().await
        };
        let greeting = match tokio::time::timeout(patience, greeted).await {
            Err(_) => return Err(NotConnected::Silent),
            Ok(Ok(Some(packet))) => Some(packet),
            Ok(_) => None,
        };
        let Some(abilities) = greeting.and_then(greeted_by) else {
            drop(to);
            return Err(NotConnected::Ended { said: last_words(&mut child, &mut errors).await });
        };
        let (requests, outgoing) = mpsc::unbounded_channel();
        let (waiting, activity) = (Arc::new(Waiting::default()), Activity::new());
        tokio::spawn(send(to, outgoing, activity.clone(), Arc::clone(&waiting)));
        tokio::spawn(receive(packets, child, errors, activity.clone(), Arc::clone(&waiting), requests.downgrade()));
        let next = AtomicU32::new(0);
        let mut control = Self { requests, waiting, next, activity, abilities, read_piece: PIECE, write_piece: PIECE };
        if abilities.limits {
            control.learn_limits().await;
        }
        Ok(Arc::new(control))
    }

    /// Of one that does not say, those that every server takes are used.
    async fn learn_limits(&mut self) {
        let asked = self.call(Operation::Open, Request::extended("limits@openssh.com")).await;
        if let Ok(Reply::Extended(mut fields)) = asked
            && let (Some(_packet), Some(read), Some(write)) = (fields.long(), fields.long(), fields.long())
        {
            let within = |limit: u64| if limit == 0 { PIECE } else { limit.min(LARGEST) };
            (self.read_piece, self.write_piece) = (within(read), within(write));
        }
    }

    /// Whether it is of no more use.
    pub fn is_broken(&self) -> bool {
        self.waiting.broken.load(Ordering::Relaxed)
    }

    /// Sends a request. Its answer is waited for later, or not at all.
    pub fn start(&self, request: Request) -> Pending {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.with(|waiting| {
            // Nobody would answer, and dropping the sender says so.
            if !self.is_broken() {
                waiting.insert(id, sender);
            }
        });
        let _broken_is_told_by_the_answer = self.requests.send(request.packet(id));
        Pending(answer)
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// `Unavailable` where the connection ended first; `Timeout` where nothing moved on it for a minute.
    pub async fn wait(&self, operation: Operation, pending: &mut Pending) -> Result<Reply> {
        match self.activity.unless_idle(IDLE_TIMEOUT, &mut pending.0).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => {
                Err(Error::new(ErrorKind::Unavailable, operation).because("the connection to the server ended"))
            }
            Err(idle) => {
                self.waiting.end();
                Err(Error::new(ErrorKind::Timeout, operation).because(idle))
            }
        }
    }

    /// A request and its answer.
    ///
    /// # Errors
    /// As [`Control::wait`].
    pub async fn call(&self, operation: Operation, request: Request) -> Result<Reply> {
        let mut pending = self.start(request);
        self.wait(operation, &mut pending).await
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Pending(oneshot::Receiver<Reply>);

/// What the server can, if that is a greeting and of the version that is spoken here.
fn greeted_by(packet: Bytes) -> Option<Abilities> {
    let mut fields = Fields(packet);
    let greets = fields.byte() == Some(kind::VERSION) && fields.number()? >= VERSION;
    greets.then(|| Abilities::of(fields))
}

/// What a program that ended said to people.
async fn last_words(child: &mut Child, errors: &mut ChildStderr) -> String {
    let mut said = Vec::new();
    let reading = async {
        let _as_far_as_it_goes = errors.take(MOST_SAID).read_to_end(&mut said).await;
        let _ended = child.wait().await;
    };
    // One that sends something else than SFTP does not end by itself.
    if tokio::time::timeout(Duration::from_secs(2), reading).await.is_err() {
        let _ended_meanwhile = child.start_kill();
    }
    String::from_utf8_lossy(&said).trim().replace("\r\n", "; ").replace('\n', "; ")
}

/// Packets out of a stream.
struct Packets<From> {
    from: From,
    buffer: BytesMut,
}

impl<From: AsyncRead + Unpin> Packets<From> {
    fn new(from: From) -> Self {
        Self { from, buffer: BytesMut::new() }
    }

    /// The next one, without its length; `None` at the end.
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            let mut wanted = 4;
            if let Some(head) = self.buffer.first_chunk::<4>() {
                wanted = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
                if wanted > LONGEST {
                    return Err(std::io::Error::other("what came is no packet of SFTP"));
                }
                if self.buffer.len() >= 4 + wanted {
                    self.buffer.advance(4);
                    return Ok(Some(self.buffer.split_to(wanted).freeze()));
                }
                wanted = 4 + wanted - self.buffer.len();
            }
            self.buffer.reserve(wanted.max(16 * 1024));
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Writes requests until nobody makes any: then the program's input ends, and with it the program.
async fn send(
    mut to: ChildStdin,
    mut requests: mpsc::UnboundedReceiver<(Bytes, Bytes)>,
    activity: Activity,
    waiting: Arc<Waiting>,
) {
    while let Some((head, data)) = requests.recv().await {
        if to.write_all_buf(&mut head.chain(data)).await.is_err() {
            waiting.end();
            return;
        }
        activity.mark();
    }
}

/// Hands answers to those who wait for them.
async fn receive(
    mut packets: Packets<impl AsyncRead + Unpin>,
    mut child: Child,
    mut errors: ChildStderr,
    activity: Activity,
    waiting: Arc<Waiting>,
    requests: mpsc::WeakUnboundedSender<(Bytes, Bytes)>,
) {
    let _end = End(&waiting);
    // What it says to people once it works is nobody's; it must not wait for a reader.
    tokio::spawn(async move { tokio::io::copy(&mut errors, &mut tokio::io::sink()).await });
    while let Ok(Some(packet)) = packets.next().await {
        activity.mark();
        let Some((id, reply)) = Reply::read(packet) else { break };
        let waits = waiting.with(|waiting| waiting.remove(&id));
        let undelivered = match waits {
            Some(waits) => waits.send(reply).err(),
            None => None,
        };
        // Who opened it has gone meanwhile; the server keeps it open else.
        if let Some(Reply::Handle(handle)) = undelivered
            && let Some(requests) = requests.upgrade()
        {
            let _broken_closes_it = requests.send(close(&handle).packet(u32::MAX));
        }
        if waiting.broken.load(Ordering::Relaxed) {
            break;
        }
    }
    waiting.end();
    let _ended_already = child.start_kill();
    let _ended = child.wait().await;
}

/// However this ends, nobody waits on.
struct End<'a>(&'a Waiting);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn close(handle: &[u8]) -> Request {
    Request::new(kind::CLOSE).bytes(handle)
}

/// Something open on the server. It is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    pub control: Arc<Control>,
    handle: Bytes,
}

impl Handle {
    pub fn new(control: &Arc<Control>, handle: Bytes) -> Self {
        Self { control: Arc::clone(control), handle }
    }

    /// A request that begins with this handle.
    pub fn request(&self, kind: u8) -> Request {
        Request::new(kind).bytes(&self.handle)
    }

    /// The handle, for requests that name it elsewhere.
    pub fn name(&self) -> &[u8] {
        &self.handle
    }

    /// Closes it, behind all that was asked of it before. What the server says to that is worth waiting for.
    pub fn start_close(mut self) -> Pending {
        let request = close(&std::mem::take(&mut self.handle));
        self.control.start(request)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.handle.is_empty() {
            drop(self.control.start(close(&self.handle)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_understood() {
        let packet = |text: &'static [u8]| greeted_by(Bytes::from_static(text));
        let known = packet(b"\x02\0\0\0\x03\0\0\0\x18posix-rename@openssh.com\0\0\0\x011\0\0\0\x01x\0\0\0\x01y");
        assert_eq!(known, Some(Abilities { posix_rename: true, ..Abilities::default() }));
        assert_eq!(packet(b"\x02\0\0\0\x03"), Some(Abilities::default()));
        assert_eq!(packet(b"\x02\0\0\0\x02"), None);
        assert_eq!(packet(b"Welcome to the server"), None);
    }

    #[tokio::test]
    async fn packets_are_put_together() {
        let mut packets = Packets::new(&b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c\0\0\0\x09cut"[..]);
        for wanted in [Some("ab"), Some(""), Some("c"), None] {
            assert_eq!(packets.next().await.unwrap(), wanted.map(Bytes::from));
        }
        assert!(Packets::new(&b"Welcome"[..]).next().await.is_err());
    }
}
