//! Adding a snapshot: what the archive lacks is carried there, then the manifest appears.

use std::sync::Arc;

use futures::{
    SinkExt, Stream, StreamExt, TryStreamExt,
    channel::mpsc::{self, Sender},
    future::join,
    stream,
};
use serde::Serialize;
use sterna_backends::{
    Algorithm, Body, Digest, Entry, Error, ErrorKind, Key, Metadata, Operation, PutRequest, Result, Store, StoreExt,
    Timestamp,
};

use super::{
    Archive, Content, Header, Line, Manifest, Name, Seen, SnapshotId, chunk,
    contents::{Contents, Known},
    layout::{CREATE, LEASES, PRUNE, Shape},
    manifest::{Draft, VERSION, Written},
    present::Present,
};
use crate::{
    compare::{Policy, Reason},
    event::{Deed, Event, Observers},
    index::{self, Index, Shelf},
    lease::Shared,
    list::{Listing, Scope},
    plan::{self, Action, Item},
    transfer::{self, Outcome, Records, Settings, Stop, Work},
};

/// Actions that may wait for transfer.
const AHEAD: usize = 256;

/// How long between two looks whether somebody has ended his deleting.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// What a snapshot is to be made of.
pub struct Creation {
    /// The place.
    pub source: Arc<dyn Store>,
    /// The place as people write it.
    pub written: String,
    /// What of it.
    pub scope: Scope,
    /// What the snapshot is called.
    pub name: Option<Name>,
    /// Keep large objects in pieces that they share with others.
    pub chunk: bool,
    /// Objects whose contents are found out at once.
    pub checkers: usize,
    /// What is known from earlier runs, and for later ones.
    pub index: Option<Index>,
    /// Budgets and choices.
    pub settings: Settings,
    /// Uploads that outlive the process.
    pub records: Records,
    /// Who wants to know.
    pub observer: Observers,
    /// Ends the run cleanly, without a snapshot.
    pub stop: Stop,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Created {
    /// The snapshot; `None` where something failed or the run was stopped: then there is none.
    #[serde(serialize_with = "as_text")]
    pub id: Option<SnapshotId>,
    /// Objects of the snapshot.
    pub objects: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Of those: objects known to be the same as in an earlier snapshot, which nobody looked into.
    pub unchanged: u64,
    /// Contents that the archive did not have.
    pub added: u64,
    /// Their bytes.
    pub added_bytes: u64,
    /// What was cut.
    pub cut: Cut,
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// What was carried.
    pub outcome: Outcome,
}

/// What came of cutting large objects into pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Objects that were cut.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of those: bytes of pieces that the archive did not have.
    pub added_bytes: u64,
    /// Whether there was an earlier snapshot of the place to have pieces in common with.
    pub compared: bool,
}

impl Cut {
    /// Whether cutting was of no use: of what was there to be shared less than a tenth is.
    #[must_use]
    pub fn gained_nothing(&self) -> bool {
        self.compared && self.objects > 0 && self.added_bytes > self.bytes / 10 * 9
    }
}

fn as_text<S: serde::Serializer>(id: &Option<SnapshotId>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    id.as_ref().map(ToString::to_string).serialize(serializer)
}

/// Adds a snapshot of a place.
///
/// # Errors
/// `Exists` where there is one of that name; `Unavailable` where somebody took this run for dead and deletes contents, or
/// does so for too long; what ended a listing; an object that could not be read. Contents that could not be written are
/// in [`Created::outcome`]. In no case a manifest is left that names what is not there.
pub async fn create(archive: &Archive, creation: Creation) -> Result<Created> {
    if let Some(name) = &creation.name {
        archive.free(name).await?;
    }
    let lease = Shared::take(&archive.store, archive.terms, (LEASES, CREATE), b"{}\n".to_vec()).await?;
    let created = add(archive, &lease, creation).await;
    let released = lease.release().await;
    let created = created?;
    released.map(|()| created)
}

async fn add(archive: &Archive, lease: &Shared, creation: Creation) -> Result<Created> {
    alone(lease).await?;
    let header = header(&creation);
    let before = previous(archive, &header).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let contents = Arc::new(Contents::new(&creation.source));
    let work = work(archive, &creation, &contents);
    let mut gathering = Gathering {
        present: Present::new(&archive.store, Shape::Whole),
        pieces: Present::new(&archive.store, Shape::Piece),
        cut: Cut { compared: before.is_some(), ..Cut::default() },
        draft: Draft::new(&header)?,
        contents,
        copies: copies(&creation, archive),
        observer: Arc::clone(&creation.observer),
        unchanged: 0,
        added: (0, 0),
    };
    let gather = async {
        let mut out: Sender<Result<Item>> = sender;
        let gathered = gathering.all(&creation, before, &mut out).await;
        creation.observer.on(&Event::PlanEnded);
        gathered
    };
    let (gathered, outcome) = join(gather, transfer::run(work, receiver)).await;
    let outcome = outcome?;
    let Gathering { draft, unchanged, added, cut, .. } = gathering;
    let whole = outcome.stopped.is_none() && outcome.targets.iter().all(|target| target.failed == 0);
    let mut created = Created {
        id: None,
        objects: 0,
        bytes: 0,
        unchanged,
        added: added.0,
        added_bytes: added.1,
        cut,
        manifest_bytes: 0,
        outcome,
    };
    match gathered {
        // The transfers have ended early and say why.
        Err(error) if whole || error.kind() != ErrorKind::Cancelled => return Err(error),
        Ok(()) if whole => {}
        _ => return Ok(created),
    }
    let written = draft.finish()?;
    created.objects = written.objects;
    created.bytes = written.bytes;
    created.manifest_bytes = written.len;
    let id = SnapshotId { time: header.time, name: creation.name, manifest: written.content };
    publish(archive, lease, &id, &written).await?;
    created.id = Some(id);
    Ok(created)
}

/// Waits until nobody deletes.
async fn alone(lease: &Shared) -> Result<()> {
    loop {
        let (alive, dead): (Vec<_>, Vec<_>) = lease.others(PRUNE).await?.into_iter().partition(|one| one.alive);
        for one in dead {
            lease.bury(&one).await?;
        }
        if alive.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn header(creation: &Creation) -> Header {
    let whereabouts = creation.source.whereabouts().map(|at| format!("{} {}", at.place, at.base));
    Header {
        sterna_snapshot: VERSION,
        time: Timestamp::now(),
        name: creation.name.as_ref().map(ToString::to_string),
        source: creation.written.clone(),
        whereabouts,
    }
}

/// The newest snapshot of the same place. A manifest that cannot be read is the affair of [`audit`](super::audit).
async fn previous(archive: &Archive, header: &Header) -> Result<Option<Manifest>> {
    if header.whereabouts.is_none() {
        return Ok(None);
    }
    // Others may take turns with this place; further back everything has changed anyway.
    for id in archive.snapshots().await?.iter().rev().take(20) {
        match archive.manifest(id).await {
            Ok(manifest) if manifest.header.whereabouts == header.whereabouts => return Ok(Some(manifest)),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Integrity) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The largest object that the archive's store copies from the source by itself. Files are read all the same: what is not
/// read is not proven.
fn copies(creation: &Creation, archive: &Archive) -> Option<u64> {
    let can = (creation.source.capabilities(), archive.store.capabilities());
    plan::Target::new(can.0, can.1).copies.filter(|_| !can.0.cheap_read)
}

fn work(archive: &Archive, creation: &Creation, contents: &Arc<Contents>) -> Work {
    let (told, done) = (Arc::clone(&creation.observer), Arc::clone(contents));
    let observer = move |event: &Event| {
        if let Event::Finished { key, .. } = event {
            done.forget(key);
        }
        told.on(event);
    };
    let target = transfer::Target { store: Arc::clone(&archive.store), backup: None, searched: Vec::new() };
    Work {
        source: Arc::clone(contents) as Arc<dyn Store>,
        targets: vec![target],
        // An object of the archive is nothing but its bytes.
        settings: Settings { metadata: false, tags: false, prove: true, ..creation.settings.clone() },
        policy: Policy::default(),
        records: creation.records.clone(),
        ordered: false,
        shelves: index::Shelves::default(),
        observer: Arc::new(observer),
        stop: creation.stop.clone(),
    }
}

/// What is gathered while the source is listed.
struct Gathering {
    present: Present,
    pieces: Present,
    cut: Cut,
    draft: Draft,
    contents: Arc<Contents>,
    copies: Option<u64>,
    observer: Observers,
    unchanged: u64,
    added: (u64, u64),
}

/// An object of the source and what is known of it.
struct Found {
    entry: Entry,
    /// What the listing told of it, before anybody added to that.
    seen: Option<Seen>,
    /// The line of an earlier snapshot, where it is of this very version.
    line: Option<Line>,
}

impl Gathering {
    async fn all(
        &mut self,
        creation: &Creation,
        before: Option<Manifest>,
        out: &mut Sender<Result<Item>>,
    ) -> Result<()> {
        let shelf = creation.index.as_ref().and_then(|index| index.shelf(&*creation.source));
        if let Some(index) = &creation.index {
            index.flush().await;
        }
        let settles = creation.source.whereabouts().map(|at| at.settles);
        let settled = settles.map(|settles| {
            let settles = i64::try_from(settles.as_nanos()).unwrap_or(i64::MAX);
            Timestamp::from_nanos(Timestamp::now().as_nanos().saturating_sub(settles))
        });
        let found = found(creation, before, shelf.clone());
        let lines = found.map(|found| {
            let shelf = shelf.as_ref();
            async move { described(creation, shelf, settled, found?).await }
        });
        let mut lines = std::pin::pin!(lines.buffered(creation.checkers.max(1)));
        while let Some((line, entry, unchanged)) = lines.try_next().await? {
            let line = self.line(line, unchanged, entry, out).await?;
            self.draft.push(&line)?;
        }
        Ok(())
    }

    /// Has what the archive lacks of a line carried there; returns the line as it is written.
    async fn line(
        &mut self,
        mut line: Line,
        unchanged: bool,
        entry: Entry,
        out: &mut Sender<Result<Item>>,
    ) -> Result<Line> {
        if unchanged {
            self.unchanged += 1;
            for (shape, content) in line.contents() {
                let present = if shape == Shape::Whole { &mut self.present } else { &mut self.pieces };
                present.add(content);
            }
            return Ok(line);
        }
        if self.present.has(line.sha256).await? {
            line.chunks.clear();
            return Ok(line);
        }
        if line.chunks.is_empty() {
            self.present.add(line.sha256);
            self.send(Shape::Whole, Known { content: line.sha256, entry, range: None }, out).await?;
            return Ok(line);
        }
        self.cut.objects += 1;
        self.cut.bytes += line.size;
        let mut start = 0;
        for (content, size) in &line.chunks {
            let range = start..start + size;
            start = range.end;
            if !self.pieces.has(*content).await? {
                self.pieces.add(*content);
                self.cut.added_bytes += size;
                let piece = Known { content: *content, entry: entry.clone(), range: Some(range) };
                self.send(Shape::Piece, piece, out).await?;
            }
        }
        Ok(line)
    }

    /// Has a content carried to the archive.
    async fn send(&mut self, shape: Shape, at: Known, out: &mut Sender<Result<Item>>) -> Result<()> {
        let (key, whole) = (shape.key(at.content), at.range.is_none());
        let source = self.contents.add(&key, at);
        let size = source.size.unwrap_or(0);
        let deed = if whole && self.copies.is_some_and(|most| size <= most) { Deed::Copy } else { Deed::Transfer };
        self.added = (self.added.0 + 1, self.added.1 + size);
        self.observer.on(&Event::Planned { deed, bytes: size });
        let action = Action {
            deed,
            to: 1,
            key,
            group: 0,
            reason: Reason::Missing,
            readers: 1,
            source: Some(source),
            origin: None,
            target: None,
            backup: None,
            metadata: None,
            delete_source: false,
        };
        let sent = out.send(Ok(Item::Action(Box::new(action)))).await;
        sent.map_err(|_| Error::new(ErrorKind::Cancelled, Operation::Put))
    }
}

/// The objects of the source, each with the line that an earlier snapshot and the digests that the index has of it.
fn found(
    creation: &Creation,
    before: Option<Manifest>,
    shelf: Option<Shelf>,
) -> impl Stream<Item = Result<Found>> + Send + use<> {
    let listing = Listing::open(&creation.source, &creation.scope, 0, Arc::clone(&creation.observer));
    let walk = shelf.map(|shelf| shelf.walk(creation.scope.is_everything()));
    let lines = before.map(|manifest| manifest.lines().peekable());
    stream::try_unfold((listing, walk, lines), |(mut listing, mut walk, mut lines)| async move {
        let Some(mut entry) = listing.next().await? else {
            if let Some(walk) = walk {
                walk.end().await;
            }
            return Ok(None);
        };
        let line = match &mut lines {
            Some(lines) => beside(lines, &entry.key)?.filter(|line| line.is(&entry)),
            None => None,
        };
        let seen = Seen::of(&entry);
        if let Some(walk) = &mut walk {
            walk.see(&mut entry).await;
        }
        Ok(Some((Found { entry, seen, line }, (listing, walk, lines))))
    })
}

/// The line of that path, if there is one; paths are asked for in order.
fn beside(lines: &mut std::iter::Peekable<impl Iterator<Item = Result<Line>>>, path: &Key) -> Result<Option<Line>> {
    let passed = |line: &Result<Line>| line.as_ref().map_or(true, |line| line.path <= *path);
    while let Some(line) = lines.next_if(passed) {
        let line = line?;
        if line.path == *path {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// The line of an object; its content is read where nobody knows it.
async fn described(
    creation: &Creation,
    shelf: Option<&Shelf>,
    settled: Option<Timestamp>,
    found: Found,
) -> Result<(Line, Entry, bool)> {
    let Found { mut entry, seen, line } = found;
    if let Some(line) = line {
        return Ok((line, entry, true));
    }
    let young = |settled| entry.modified.max(entry.stored).is_none_or(|time| time > settled);
    let can = creation.source.capabilities();
    let settles = creation.source.whereabouts().is_some_and(|at| !at.settles.is_zero());
    let seen = settled.filter(|settled| !(settles && young(*settled))).and(seen);
    // A file is about to be read, and tells its permissions only when it is asked.
    let told_less = can.cheap_read
        || can.metadata != Default::default()
        || can.modified.is_some() && !can.modified_in_list
        || can.digests_in_stat.contains(&Algorithm::Sha256);
    let listed = entry.clone();
    if told_less && entry.metadata.is_none() {
        index::learn(&creation.source, &mut entry).await?;
    }
    let mut chunks = Vec::new();
    if creation.chunk && entry.size.is_some_and(|size| size >= chunk::CUT_FROM) {
        chunks = chunk::cut(&creation.source, &mut entry).await?;
        if let Some(shelf) = shelf {
            shelf.remember(&entry, &entry.digests);
        }
    } else if entry.digests.sha256().is_none() {
        index::digest(&creation.source, shelf, &mut entry, Algorithm::Sha256).await?;
    }
    let (Some(sha256), Some(size)) = (entry.digests.sha256(), entry.size) else {
        let why = "its size or its content could not be found out";
        return Err(Error::new(ErrorKind::Other, Operation::Read)
            .of(creation.source.name())
            .at(&entry.key)
            .because(why));
    };
    let metadata = entry.metadata.take().filter(|metadata| **metadata != Metadata::default());
    let line = Line {
        path: entry.key.clone(),
        size,
        modified: entry.modified,
        sha256: Content(sha256),
        chunks,
        metadata,
        seen,
    };
    // What was learnt of the time is the content's; the transfer holds the source to what the listing told.
    Ok((line, Entry { size: Some(size), ..listed }, false))
}

/// Lets the manifest appear, once it is certain that nothing it names was deleted meanwhile: under its first name it
/// keeps what it names from being deleted by all who look later, and the lease says that nobody has looked earlier.
async fn publish(archive: &Archive, lease: &Shared, id: &SnapshotId, written: &Written) -> Result<()> {
    let store = &archive.store;
    let request = PutRequest {
        digests: [Digest::Sha256(written.content.0)].into_iter().collect(),
        size: Some(written.len),
        ..PutRequest::default()
    };
    let body = || Body::file(Arc::clone(&written.file), 0, written.len);
    store.put(&id.incoming(), request.clone(), body()).await?;
    if !lease.holds().await? {
        store.delete_keys(vec![id.incoming()]).await?;
        let why = "this run stood still for so long that a prune took it for dead and may have deleted what it counted on; \
                   run it again";
        return Err(Error::new(ErrorKind::Unavailable, Operation::Put).of(store.name()).because(why));
    }
    store.put(&id.key(), request, body()).await?;
    store.delete_keys(vec![id.incoming()]).await
}
