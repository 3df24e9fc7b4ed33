//! Copying between local places: shared blocks, else copied by the kernel, else read and written.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    draft::{Draft, Finish, write_at, write_sparse},
    read::{absent, open, unchanged},
    system::{Facts, FileKind, copy_bytes, share_blocks},
    thread::{blocking, briefly},
    tree::{Place, Tree},
    write::{SHORT, finish_of, refuse_etag},
};
use crate::{
    body::{Body, read_exact_at},
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{CopySource, PutRequest},
};

/// Below this size reading and writing is cheaper than asking the kernel for a copy.
const SMALL: u64 = 64 * 1024;

/// Bytes moved by one call: how long a copy goes on after nobody waits for it.
const STEP: u64 = 16 << 20;

/// Bytes read at once where the kernel does not copy.
const BUFFER: u64 = 512 * 1024;

/// How another local store finds an object; `None` where the root has no name in UTF-8.
pub(super) fn source(tree: &Tree, key: &Key) -> Option<CopySource> {
    Some(CopySource {
        domain: tree.options.domain(),
        container: tree.absolute.clone()?,
        key: key.clone(),
        version: None,
        if_match: None,
        size: None,
    })
}

/// Says that nobody waits any more, when it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Copies one object.
pub(super) async fn copy(tree: &Arc<Tree>, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
    let operation = Operation::Copy;
    refuse_etag(tree, operation, key, &request)?;
    if source.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions").of(&tree.name).at(key));
    }
    if source.domain != tree.options.domain() {
        return Err(Error::unsupported(operation, "the source is no place of this machine, or read in another way")
            .of(&tree.name)
            .at(key));
    }
    let sources = &tree.beside(&source.container);
    let from = sources.place(&source.key, operation).map_err(|_| absent(sources, operation, &source.key))?;
    let to = tree.place(key, operation)?;
    if from.link || to.link {
        return copy_link(tree, sources, &source.key, key, request).await;
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let _waiting = Waiting(Arc::clone(&stopped));
    let work = Copy {
        tree: Arc::clone(tree),
        sources: Arc::clone(sources),
        source: source.key.clone(),
        size: source.size,
        key: key.clone(),
        stopped,
    };
    let short = source.size.is_some_and(|size| size <= SHORT) && !tree.durable.always();
    let work = move || work.run(&from, &to, &request);
    if short { briefly(operation, work).await } else { blocking(operation, work).await }
}

/// A link and a file are made of one another by reading and putting.
async fn copy_link(
    tree: &Arc<Tree>,
    sources: &Arc<Tree>,
    source: &Key,
    key: &Key,
    mut request: PutRequest,
) -> Result<Entry> {
    let (from, source) = (Arc::clone(sources), source.clone());
    let reader = blocking(Operation::Copy, move || super::read::read(&from, &source, &Default::default())).await?;
    request.modified = request.modified.or(reader.entry.modified);
    let body: Body = reader.body;
    super::write::put(tree, key, request, body).await
}

/// A file of its own in place of one of several names of a file, with what `request` sets.
pub(super) fn part_from_other_names(tree: &Arc<Tree>, key: &Key, at: &Place, request: &PutRequest) -> Result<()> {
    let stopped = Arc::default();
    let (tree, sources) = (Arc::clone(tree), Arc::clone(tree));
    Copy { tree, sources, source: key.clone(), size: None, key: key.clone(), stopped }.run(at, at, request).map(drop)
}

struct Copy {
    tree: Arc<Tree>,
    sources: Arc<Tree>,
    source: Key,
    size: Option<u64>,
    key: Key,
    stopped: Arc<AtomicBool>,
}

impl Copy {
    fn run(&self, from: &Place, to: &Place, request: &PutRequest) -> Result<Entry> {
        let operation = Operation::Copy;
        let (file, before) =
            open(&self.sources, from).map_err(|error| self.sources.not_read(operation, &self.source, error))?;
        if before.kind != FileKind::File {
            return Err(absent(&self.sources, operation, &self.source));
        }
        if self.size.is_some_and(|size| size != before.size) {
            return Err(Error::new(ErrorKind::Precondition, operation)
                .because("the source has another size now")
                .of(&self.sources.name)
                .at(&self.source));
        }
        let written = |error| self.tree.not_written(operation, &self.key, error);
        let finish = self.finish(request, &before);
        if self.is_same_file(&before, &finish) {
            unchanged(&self.sources, operation, &self.source, &file, &before)?;
            // Some file systems have no second names, some have had enough of them, and some files are somebody else's.
            if let Ok(facts) = self.link(&file, &before, to, finish) {
                return Ok(self.tree.entry(self.key.clone(), &facts));
            }
        }
        // The blocks are set aside by the copy itself, so that they can be shared.
        let mut draft = Draft::new(&self.tree, &to.path, None).map_err(written)?;
        match self.fill(&file, &mut draft, &before) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::new(ErrorKind::Changed, operation).of(&self.sources.name).at(&self.source));
            }
            Err(error) => return Err(written(error)),
        }
        unchanged(&self.sources, operation, &self.source, &file, &before)?;
        let facts = draft.finish(&to.path, finish).map_err(written)?;
        Ok(self.tree.entry(self.key.clone(), &facts))
    }

    /// Whether another name of the source is as good as a copy. Names of one file share its time and bits, so only where
    /// these are to be the same; and only within one root, whose files are replaced and never written to.
    fn is_same_file(&self, source: &Facts, finish: &Finish) -> bool {
        self.tree.options.hard_link
            && self.tree.absolute.is_some()
            && self.tree.absolute == self.sources.absolute
            && self.source != self.key
            && finish.modified == Some(source.modified)
            && finish.mode.is_none_or(|mode| mode & 0o7777 == source.mode & 0o7777)
    }

    fn link(&self, file: &File, source: &Facts, to: &Place, finish: Finish) -> io::Result<Facts> {
        let finish = Finish { modified: None, mode: None, ..finish };
        Draft::linked(&self.tree, &to.path, file.try_clone()?, source.size)?.finish(&to.path, finish)
    }

    fn finish(&self, request: &PutRequest, source: &Facts) -> Finish {
        let mut finish = finish_of(&self.tree, request);
        finish.modified = finish.modified.or_else(|| (!request.replace_metadata).then_some(source.modified));
        let keeps = self.tree.options.permissions && !request.replace_metadata;
        if keeps || self.source == self.key && self.sources.absolute == self.tree.absolute {
            finish.mode = Some(source.mode);
        }
        finish
    }

    fn fill(&self, from: &File, draft: &mut Draft, source: &Facts) -> io::Result<()> {
        if source.size > 0 && self.tree.may_share() {
            if share_blocks(from, draft.file()) {
                draft.filled(source.size);
                return Ok(());
            }
            self.tree.shares_nothing();
        }
        let mut kernel = source.size > SMALL && !self.tree.options.sparse;
        let mut at = 0;
        while at < source.size {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let left = source.size - at;
            if kernel {
                match copy_bytes(from, draft.file(), at, left.min(STEP))? {
                    Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Some(moved) => at += moved,
                    None => kernel = false,
                }
                continue;
            }
            let want = usize::try_from(left.min(BUFFER)).expect("a buffer is small");
            let bytes = read_exact_at(from, at, want)?;
            if self.tree.options.sparse {
                write_sparse(draft.file(), at, &bytes)?;
            } else {
                write_at(draft.file(), at, &bytes)?;
            }
            at += want as u64;
        }
        draft.filled(at);
        Ok(())
    }
}
