//! One read, several destinations.
//!
//! Whoever needs a range of an object that others need as well takes part in one reading of it. What has been read is kept
//! until all have had it, within bounds: who is too slow to keep up reads on by himself.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use sterna_backends::{Body, Chunks, Entry, Error, Key, Operation, ReadRequest, Reader, Result, Store};
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore};

/// Bytes of one reading that are kept for those who come later; a part of an object fits in.
const KEPT: u64 = 20 * 1024 * 1024;

/// How long the others wait for one that is slow.
const PATIENCE: Duration = Duration::from_secs(5);

/// The readings of one run.
pub(super) struct Fan {
    /// In KiB.
    room: Arc<Semaphore>,
    flows: Mutex<HashMap<Subject, Arc<Flow>>>,
    /// Destinations that are through with an object.
    gone: Mutex<HashMap<Key, HashSet<usize>>>,
    /// How many may be at work at once.
    slots: usize,
    /// How many of them can do nothing before others come.
    stuck: AtomicUsize,
}

/// One of those at work who can do nothing before others come.
struct Stuck<'a>(&'a Fan);

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.stuck.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    key: Key,
    range: Option<Range<u64>>,
    if_match: Option<Arc<str>>,
    version: Option<Arc<str>>,
}

/// One reading under way.
struct Flow {
    state: Mutex<State>,
    changed: Notify,
    opened: OnceCell<Opened>,
    /// Room for what it keeps.
    room: OnceCell<OwnedSemaphorePermit>,
}

/// What the answer said before the bytes.
#[derive(Clone)]
struct Opened {
    entry: Entry,
    len: Option<u64>,
}

#[derive(Default)]
struct State {
    /// `None` while somebody waits for its next chunk.
    source: Option<Chunks>,
    chunks: VecDeque<Bytes>,
    /// Where the first of them begins, and the last ends.
    start: u64,
    end: u64,
    /// How far each that takes part has come, by destination.
    positions: HashMap<usize, u64>,
    /// Destinations that have come.
    joined: HashSet<usize>,
    /// Destinations that are to come.
    expected: usize,
    ended: bool,
    /// Nobody can go on with it.
    failed: Option<Arc<Error>>,
    lost: bool,
}

impl Fan {
    /// That keeps at most so many bytes, for so many who are at work at once.
    pub(super) fn new(memory: u64, slots: usize) -> Self {
        let units = usize::try_from(memory / 1024).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(units)),
            flows: Mutex::default(),
            gone: Mutex::default(),
            slots,
            stuck: AtomicUsize::new(0),
        }
    }

    /// Notes that somebody at work waits for others, who need a turn for that; and whether all who have one wait so: then
    /// nobody would ever come.
    fn stuck(&self) -> (Stuck<'_>, bool) {
        let stuck = self.stuck.fetch_add(1, Ordering::SeqCst) + 1;
        (Stuck(self), stuck >= self.slots)
    }

    /// Reads from `store` as destination `to`, one of `readers`.
    pub(super) async fn read(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        (key, request): (&Key, ReadRequest),
        (to, readers): (usize, usize),
    ) -> Result<Reader> {
        let subject = Subject {
            key: key.clone(),
            range: request.range.clone(),
            if_match: request.if_match.clone(),
            version: request.version.clone(),
        };
        let Some(flow) = self.join(&subject, to, readers) else { return store.read(key, request).await };
        let seat = Seat {
            fan: Arc::clone(self),
            flow: Arc::clone(&flow),
            subject,
            to,
            store: Arc::clone(store),
            at: AtomicU64::new(0),
        };
        let opened = flow
            .opened
            .get_or_try_init(|| async {
                let reader = store.read(key, request.clone()).await?;
                let len = reader.body.len();
                let units = u32::try_from(len.unwrap_or(KEPT).min(KEPT).div_ceil(1024)).unwrap_or(1).max(1);
                match self.room(units).await {
                    Some(room) => drop(flow.room.set(room)),
                    // No room for all: who comes later reads for himself.
                    None => locked(&flow.state).expected = 0,
                }
                locked(&flow.state).source = Some(reader.body.chunks());
                flow.changed.notify_waiters();
                Ok::<_, Error>(Opened { entry: reader.entry, len })
            })
            .await;
        // Where it could not be opened, the seat is given up, and whoever comes next tries for himself.
        let Opened { entry, len } = opened?.clone();
        Ok(Reader { entry, body: Body::stream(len, seat.chunks(request)) })
    }

    /// Room for what a reading keeps; `None` where none becomes free.
    async fn room(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(units) {
            return Some(room);
        }
        let (_stuck, hopeless) = self.stuck();
        if hopeless {
            return None;
        }
        let room = Arc::clone(&self.room).acquire_many_owned(units);
        tokio::time::timeout(PATIENCE, room).await.ok()?.ok()
    }

    /// A place in the reading, from its beginning; `None` where it has gone on too far.
    fn join(&self, subject: &Subject, to: usize, readers: usize) -> Option<Arc<Flow>> {
        let mut flows = locked(&self.flows);
        let gone = locked(&self.gone).get(&subject.key).map_or(0, HashSet::len);
        let flow = flows.entry(subject.clone()).or_insert_with(|| {
            let state = State { expected: readers.saturating_sub(gone), ..State::default() };
            Arc::new(Flow {
                state: Mutex::new(state),
                changed: Notify::new(),
                opened: OnceCell::new(),
                room: OnceCell::new(),
            })
        });
        let mut state = locked(&flow.state);
        let late = state.start > 0 || state.lost || state.failed.is_some() || state.expected == 0;
        if late || !state.joined.insert(to) {
            return None;
        }
        state.expected -= 1;
        state.positions.insert(to, 0);
        drop(state);
        Some(Arc::clone(flow))
    }

    /// Destination `to` needs nothing more of `key`, of which there are `readers`.
    pub(super) fn leave(&self, key: &Key, to: usize, readers: usize) {
        let mut flows = locked(&self.flows);
        let mut gone = locked(&self.gone);
        let through = gone.entry(key.clone()).or_default();
        if !through.insert(to) {
            return;
        }
        if through.len() >= readers {
            gone.remove(key);
        }
        flows.retain(|subject, flow| {
            if subject.key != *key {
                return true;
            }
            let mut state = locked(&flow.state);
            state.positions.remove(&to);
            if state.joined.insert(to) {
                state.expected = state.expected.saturating_sub(1);
            }
            state.trim();
            flow.changed.notify_waiters();
            !state.positions.is_empty() || state.expected > 0
        });
    }
}

impl State {
    /// Drops what all have had.
    fn trim(&mut self) {
        let least = if self.expected > 0 { 0 } else { self.positions.values().copied().min().unwrap_or(self.end) };
        while let Some(first) = self.chunks.front() {
            let next = self.start + first.len() as u64;
            if next > least {
                return;
            }
            self.start = next;
            self.chunks.pop_front();
        }
    }

    /// The bytes from `at` on, if they are there.
    fn chunk(&self, at: u64) -> Option<Bytes> {
        let mut begin = self.start;
        for chunk in &self.chunks {
            let end = begin + chunk.len() as u64;
            if at < end {
                let skip = usize::try_from(at.checked_sub(begin)?).ok()?;
                return Some(chunk.slice(skip..));
            }
            begin = end;
        }
        None
    }
}

/// One destination's part in a reading.
struct Seat {
    fan: Arc<Fan>,
    flow: Arc<Flow>,
    subject: Subject,
    to: usize,
    store: Arc<dyn Store>,
    /// How far it has come.
    at: AtomicU64,
}

enum Next {
    Chunk(Bytes),
    End,
    /// It goes on without this destination.
    Alone(u64),
}

impl Seat {
    /// The bytes, from the common reading as long as it keeps up.
    fn chunks(self, request: ReadRequest) -> Chunks {
        let size = self.flow.opened.get().and_then(|opened| opened.entry.size).unwrap_or(ReadRequest::FAR);
        let Range { start: from, end } = request.range.clone().unwrap_or(0..size);
        let together = stream::try_unfold(Some(self), move |seat| {
            let request = request.clone();
            async move {
                let Some(seat) = seat else { return Ok(None) };
                match seat.next().await? {
                    Next::Chunk(chunk) => Ok(Some((stream::once(async { Ok(chunk) }).boxed(), Some(seat)))),
                    Next::End => Ok(None),
                    Next::Alone(at) => {
                        let rest = ReadRequest { range: Some(from + at..end), ..request };
                        let reader = seat.store.read(&seat.subject.key, rest).await?;
                        Ok(Some((reader.body.chunks(), None)))
                    }
                }
            }
        });
        together.try_flatten().boxed()
    }

    async fn next(&self) -> Result<Next> {
        loop {
            let waiting = self.flow.changed.notified();
            let mut waiting = std::pin::pin!(waiting);
            waiting.as_mut().enable();
            let (source, full) = {
                let mut state = locked(&self.flow.state);
                let Some(at) = state.positions.get(&self.to).copied() else {
                    return Ok(Next::Alone(self.at.load(Ordering::Relaxed)));
                };
                if let Some(chunk) = state.chunk(at) {
                    state.positions.insert(self.to, at + chunk.len() as u64);
                    state.trim();
                    drop(state);
                    self.flow.changed.notify_waiters();
                    self.at.store(at + chunk.len() as u64, Ordering::Relaxed);
                    return Ok(Next::Chunk(chunk));
                }
                if let Some(error) = &state.failed {
                    return Err(Error::new(error.kind(), Operation::Read).because(Arc::clone(error)));
                }
                if state.lost {
                    return Ok(Next::Alone(at));
                }
                if state.ended {
                    return Ok(Next::End);
                }
                let full = state.end - state.start >= KEPT;
                (if full { None } else { state.source.take() }, full)
            };
            match source {
                Some(source) => self.pull(source).await,
                None => {
                    // Who waits for one that reads waits for somebody at work.
                    let stuck = full.then(|| self.fan.stuck());
                    let hopeless = stuck.as_ref().is_some_and(|(_, hopeless)| *hopeless);
                    if hopeless || tokio::time::timeout(PATIENCE, waiting).await.is_err() {
                        self.go_on();
                    }
                }
            }
        }
    }

    /// Reads the next chunk for everybody.
    async fn pull(&self, mut source: Chunks) {
        // Who is dropped while the chunk is on its way takes it along: the others read on by themselves.
        let mut guard = Pulling { flow: &self.flow, done: false };
        let chunk = source.next().await;
        guard.done = true;
        let mut state = locked(&self.flow.state);
        match chunk {
            Some(Ok(chunk)) => {
                state.end += chunk.len() as u64;
                state.chunks.push_back(chunk);
                state.source = Some(source);
            }
            Some(Err(error)) => state.failed = Some(Arc::new(error)),
            None => state.ended = true,
        }
        drop(state);
        self.flow.changed.notify_waiters();
    }

    /// Leaves those behind who hold the others up.
    fn go_on(&self) {
        let mut state = locked(&self.flow.state);
        if state.end - state.start < KEPT {
            return;
        }
        state.expected = 0;
        let start = state.start;
        state.positions.retain(|to, at| *to == self.to || *at > start);
        state.trim();
        drop(state);
        self.flow.changed.notify_waiters();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut flows = locked(&self.fan.flows);
        let mut state = locked(&self.flow.state);
        state.positions.remove(&self.to);
        state.trim();
        if state.positions.is_empty() && state.expected == 0 {
            flows.remove(&self.subject);
        }
        drop(state);
        self.flow.changed.notify_waiters();
    }
}

/// Somebody waits for the next chunk of all.
struct Pulling<'a> {
    flow: &'a Flow,
    done: bool,
}

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        if !self.done {
            locked(&self.flow.state).lost = true;
            self.flow.changed.notify_waiters();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
