//! Listing: one thread walks the tree in the order of the keys and stays a few pages ahead.
//!
//! Open at once is one directory a level; in memory are the names of those directories and a few pages.

use std::{ffi::OsStr, io, sync::Arc};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    escape::{DiskPath, to_name},
    names::{Names, Reading, is_gone, present},
    sweep::saw,
    system::{Dir, FileKind, is_link_in_way},
    tree::{LINK_SUFFIX, Tree},
};
use crate::{
    entry::{Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    skipped::{Skipped, WhySkipped},
    store::{ListRequest, Pages, VersionScope},
};

/// Entries in a page.
const PAGE: usize = 1000;

/// Pages the walk is ahead of its reader, at most.
const AHEAD: usize = 4;

/// The pages of a listing; the walk starts when the first is asked for.
pub(super) fn pages(tree: Arc<Tree>, request: ListRequest) -> Pages {
    stream::once(async move { start(tree, request) }).flatten().boxed()
}

fn start(tree: Arc<Tree>, request: ListRequest) -> BoxStream<'static, Result<Vec<Entry>>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let walk = tokio::task::spawn_blocking(move || Walk::new(&tree, &request, sender).run());
    stream::unfold((receiver, Some(walk)), |(mut receiver, mut walk)| async move {
        if let Some(page) = receiver.recv().await {
            return Some((Ok(page), (receiver, walk)));
        }
        // A walk that failed, or fell over, must not look like one that ended.
        ended(walk.take()?).await.err().map(|error| (Err(error), (receiver, None)))
    })
    .boxed()
}

async fn ended(walk: JoinHandle<Result<()>>) -> Result<()> {
    walk.await.map_err(|panic| Error::new(ErrorKind::Other, Operation::List).because(panic))?
}

struct Walk<'a> {
    tree: &'a Tree,
    request: &'a ListRequest,
    sender: mpsc::Sender<Vec<Entry>>,
    page: Vec<Entry>,
    /// The key of where the walk is.
    key: String,
    levels: Vec<Level>,
}

/// An open directory and how far the walk is in it.
struct Level {
    directory: Arc<Dir>,
    names: Names,
    next: usize,
    /// Bytes of the directory's key, its `/` included.
    key_len: usize,
    id: Option<(u64, u64)>,
}

/// Nobody reads the listing any more.
struct Unread;

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, request: &'a ListRequest, sender: mpsc::Sender<Vec<Entry>>) -> Self {
        Self { tree, request, sender, page: Vec::with_capacity(PAGE), key: String::new(), levels: Vec::new() }
    }

    fn run(mut self) -> Result<()> {
        if let VersionScope::At(_) = self.request.versions {
            return Err(Error::unsupported(Operation::List, "no old versions").of(&self.tree.name));
        }
        let Some(base) = self.base()? else { return Ok(()) };
        self.enter(base)?;
        while let Some(level) = self.levels.last_mut() {
            self.key.truncate(level.key_len);
            let Some((segment, kind)) = level.names.get(level.next) else {
                self.levels.pop();
                continue;
            };
            level.next += 1;
            self.key.push_str(segment);
            let told = match kind {
                FileKind::Directory => self.directory()?,
                _ => self.file(kind)?,
            };
            if let Err(Unread) = told {
                return Ok(());
            }
        }
        // The reader may have gone; then nobody misses the last page.
        let _ = self.send();
        Ok(())
    }

    /// The deepest directory the prefix names; `None` where it does not exist.
    fn base(&mut self) -> Result<Option<Arc<Dir>>> {
        let root = self.tree.reopen().map_err(|error| {
            let error = match error.kind() {
                io::ErrorKind::NotFound => Error::new(ErrorKind::NoSuchContainer, Operation::List),
                _ => Error::io(Operation::List, error),
            };
            error.of(&self.tree.name)
        })?;
        let Some(slash) = self.request.prefix.rfind('/') else { return Ok(Some(root)) };
        self.key.push_str(&self.request.prefix[..=slash]);
        let Ok(path) = DiskPath::of_directory(&self.key, self.tree.options.escape) else { return Ok(None) };
        match root.open_directory(path.as_str(), self.tree.follows()) {
            Ok(base) => Ok(Some(Arc::new(base))),
            Err(error) if is_gone(&error) || is_link_in_way(&error) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        let error = Error::io(Operation::List, error).of(&self.tree.name);
        match Key::new(self.key.as_str()) {
            Ok(key) => error.at(&key),
            Err(_) => error,
        }
    }

    /// Reads a directory, whose key is the present one, and goes on inside it.
    fn enter(&mut self, directory: Arc<Dir>) -> Result<()> {
        let base = self.levels.is_empty();
        let id = match self.tree.follows() {
            true => Some(directory.own_facts().map_err(|error| self.failed(error))?.id),
            false => None,
        };
        if id.is_some() && self.levels.iter().any(|level| level.id == id) {
            self.skip(None, WhySkipped::Loop);
            return Ok(());
        }
        let starts = if base { &self.request.prefix[self.key.len()..] } else { "" };
        let options = &self.tree.options;
        let reading = Reading { links: options.links, escape: options.escape, above: self.key.len(), starts };
        let names = Names::read(&directory, reading, &mut |name, why| self.skip(Some(name), why))
            .map_err(|error| self.failed(error))?;
        if let Some(path) = self.path_of_unfinished(&names) {
            let now = Timestamp::now();
            names.unfinished().iter().for_each(|name| saw(&self.tree.stale, &directory, &path, name, now));
        }
        if names.len() == 0 && !base && self.request.empty_directories {
            let key = Key::new(self.key.as_str()).expect("names that make keys too long are left out");
            self.page.push(Entry::directory(key));
        }
        self.levels.push(Level { directory, names, next: 0, key_len: self.key.len(), id });
        Ok(())
    }

    /// Where the present directory lies on disk, if it holds something unfinished.
    fn path_of_unfinished(&self, names: &Names) -> Option<String> {
        if names.unfinished().is_empty() {
            return None;
        }
        if self.key.is_empty() {
            return Some(String::new());
        }
        DiskPath::of_directory(&self.key, self.tree.options.escape).ok().map(|path| path.as_str().to_owned())
    }

    /// The present key is a directory of the last level.
    fn directory(&mut self) -> Result<Result<(), Unread>> {
        if !self.request.recursive {
            let key = Key::new(self.key.as_str()).expect("names that make keys too long are left out");
            return Ok(self.push(Entry::directory(key)));
        }
        if !self.request.enters(&self.key) {
            return Ok(Ok(()));
        }
        let level = self.levels.last().expect("the present key lies in a directory");
        let segment = &self.key[level.key_len..self.key.len() - 1];
        let name = if self.tree.options.escape { to_name(segment) } else { segment.into() };
        match level.directory.open_directory(&name, self.tree.follows()) {
            Ok(directory) => self.enter(Arc::new(directory))?,
            // It vanished, or something else took its name: what a later listing would tell.
            Err(error) if is_gone(&error) || is_link_in_way(&error) => {}
            Err(error) => return Err(self.failed(error)),
        }
        Ok(Ok(()))
    }

    /// The present key is a file or a kept link of the last level.
    fn file(&mut self, kind: FileKind) -> Result<Result<(), Unread>> {
        let level = self.levels.last().expect("the present key lies in a directory");
        let segment = &self.key[level.key_len..];
        let segment =
            if kind == FileKind::Link { segment.strip_suffix(LINK_SUFFIX).unwrap_or(segment) } else { segment };
        let name = if self.tree.options.escape { to_name(segment) } else { segment.into() };
        let found = present(level.directory.facts(&name, self.tree.follows())).map_err(|error| self.failed(error))?;
        let Some(facts) = found.filter(|facts| facts.kind == kind) else { return Ok(Ok(())) };
        let key = Key::new(self.key.as_str()).expect("names that make keys too long are left out");
        Ok(self.push(self.tree.entry(key, &facts)))
    }

    fn push(&mut self, entry: Entry) -> Result<(), Unread> {
        self.page.push(entry);
        if self.page.len() < PAGE { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> Result<(), Unread> {
        if self.page.is_empty() {
            return Ok(());
        }
        let page = std::mem::replace(&mut self.page, Vec::with_capacity(PAGE));
        self.sender.blocking_send(page).map_err(|_| Unread)
    }

    /// Tells of something left out: a name in the directory of the present key, or that directory itself.
    fn skip(&self, name: Option<&OsStr>, why: WhySkipped) {
        let Some(observer) = &self.tree.options.observer else { return };
        let mut path = self.tree.root.clone();
        if !self.key.is_empty()
            && let Ok(directory) = DiskPath::of_directory(&self.key, self.tree.options.escape)
        {
            path.push(directory.as_str());
        }
        path.extend(name);
        observer(Skipped { path, why });
    }
}
