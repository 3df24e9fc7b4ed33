//! The directory a store stands for: its handle, where keys lie in it, and what its errors mean.

use std::{
    fmt, io,
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    durable::Durable,
    escape::DiskPath,
    options::{Links, LocalOptions},
    sweep::sweep,
    system::{Dir, Facts, FileKind, is_link_in_way},
    upload::Proofs,
};
use crate::{
    entry::{Entry, Key, Metadata, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    unfinished::{Stale, leftover},
};

/// What a kept link's key ends in, as with rclone's `--links`.
pub(super) const LINK_SUFFIX: &str = ".rclonelink";

/// The user metadata that holds permission bits: octal, as rclone writes it.
const MODE: &str = "mode";

/// How often a directory is made again that others remove at the same time; each time takes microseconds.
const ATTEMPTS: usize = 100;

/// Where an object lies.
#[derive(Debug)]
pub(super) struct Place {
    /// Its file, or its link.
    pub path: DiskPath,
    /// Whether it is a link that is kept as text.
    pub link: bool,
}

/// What every call needs of the store.
pub(super) struct Tree {
    /// The root as people wrote it.
    pub name: String,
    /// The root.
    pub root: PathBuf,
    /// The root for other stores of this machine; `None` where it is not UTF-8.
    pub absolute: Option<String>,
    /// How it is read and written.
    pub options: LocalOptions,
    /// What brings it to the disk.
    pub durable: Durable,
    /// What listings have seen that nobody will finish.
    pub stale: Stale<DiskPath>,
    /// What has been hashed of uploads under way.
    pub proofs: Proofs,
    /// Whether sharing blocks is worth another try.
    shares: AtomicBool,
    opened: Mutex<Option<Arc<Dir>>>,
    /// The tree that was last copied from.
    source: Mutex<Option<Arc<Self>>>,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("root", &self.root).field("options", &self.options).finish_non_exhaustive()
    }
}

impl Tree {
    pub(super) fn new(root: PathBuf, options: LocalOptions) -> Self {
        Self {
            name: root.display().to_string(),
            absolute: std::path::absolute(&root).ok().and_then(|root| root.to_str().map(str::to_owned)),
            root,
            durable: Durable::new(options.fsync),
            stale: Stale::default(),
            proofs: Proofs::default(),
            options,
            shares: AtomicBool::new(true),
            opened: Mutex::default(),
            source: Mutex::default(),
        }
    }

    /// The tree at `root`, read as this one is.
    pub(super) fn beside(&self, root: &str) -> Arc<Self> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = source.as_ref().filter(|source| source.name == root) {
            return Arc::clone(source);
        }
        let fresh = Arc::new(Self::new(root.into(), self.options.clone()));
        *source = Some(Arc::clone(&fresh));
        fresh
    }

    /// Whether reading goes through links.
    pub(super) fn follows(&self) -> bool {
        self.options.links == Links::Follow
    }

    /// Whether a copy should try to share blocks.
    pub(super) fn may_share(&self) -> bool {
        self.shares.load(Ordering::Relaxed)
    }

    /// Sharing blocks did not work; it will not here.
    pub(super) fn shares_nothing(&self) {
        self.shares.store(false, Ordering::Relaxed);
    }

    /// The handle of the root, kept as long as the directory exists.
    pub(super) fn open(&self) -> io::Result<Arc<Dir>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = &*opened {
            return Ok(Arc::clone(root));
        }
        let root = Arc::new(Dir::open(&self.root)?);
        *opened = Some(Arc::clone(&root));
        Ok(root)
    }

    /// The handle of what is the root now.
    pub(super) fn reopen(&self) -> io::Result<Arc<Dir>> {
        self.forget();
        self.open()
    }

    /// Lets go of the handle.
    pub(super) fn forget(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The handle, if there is one; opens nothing.
    pub(super) fn handle(&self) -> Option<Arc<Dir>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where `key` lies.
    ///
    /// # Errors
    /// `Unsupported` where no file can have that name.
    pub(super) fn place(&self, key: &Key, operation: Operation) -> Result<Place> {
        let refuse = |why: &str| Error::unsupported(operation, why).of(&self.name).at(key);
        let kept = if self.options.links == Links::Keep { key.strip_suffix(LINK_SUFFIX) } else { None };
        let (key, link) = match kept {
            Some(bare) => (&Key::new(bare).map_err(|_| refuse("a link without a name"))?, true),
            None => (key, false),
        };
        let path = DiskPath::of_key(key, self.options.escape).map_err(refuse)?;
        if leftover(path.name()).is_some() {
            return Err(refuse("the name is kept for files that are not finished"));
        }
        Ok(Place { path, link })
    }

    /// The directory at `path` (`""`: the root), to read from.
    pub(super) fn directory(&self, path: &str) -> io::Result<Arc<Dir>> {
        let root = self.open()?;
        if path.is_empty() { Ok(root) } else { root.open_directory(path, self.follows()).map(Arc::new) }
    }

    /// The directory at `path`, to write to: made with all above it where it is missing, met through no link.
    pub(super) fn directory_to_write(&self, path: &str) -> io::Result<Arc<Dir>> {
        let root = match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.root)?;
                self.open()?
            }
            root => root?,
        };
        sweep(&self.stale, &root, Timestamp::now);
        if path.is_empty() {
            return Ok(root);
        }
        match root.open_directory(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map(Arc::new),
        }
        let mut at = root;
        for name in path.split('/') {
            let below = match at.open_directory(name, false) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match at.make_directory(name) {
                        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                        _ => {}
                    }
                    if self.durable.always() {
                        at.flush()?;
                    }
                    at.open_directory(name, false)?
                }
                opened => opened?,
            };
            at = Arc::new(below);
        }
        Ok(at)
    }

    /// Runs `work` in the directory of `path`, made where it is missing; again, where somebody removes that
    /// directory (as deletes do with empty ones) before `work` is done.
    pub(super) fn in_directory_of<T>(
        &self,
        path: &DiskPath,
        mut work: impl FnMut(&Arc<Dir>) -> io::Result<T>,
    ) -> io::Result<T> {
        for _ in 1..ATTEMPTS {
            match self.directory_to_write(path.parent()).and_then(|directory| work(&directory)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.forget_if_gone(),
                done => return done,
            }
        }
        work(&self.directory_to_write(path.parent())?)
    }

    fn forget_if_gone(&self) {
        let gone = |root: Arc<Dir>| root.own_facts().is_ok_and(|facts| facts.links == 0);
        if self.handle().is_some_and(gone) {
            self.forget();
        }
    }

    /// The root without symbolic links and `..`, if its name is UTF-8; what of it is not there yet stands as it is written.
    pub(super) fn real_path(&self) -> Option<String> {
        let absolute = Path::new(self.absolute.as_ref()?);
        let mut real = PathBuf::new();
        let mut missing = absolute;
        for above in absolute.ancestors() {
            if let Ok(there) = std::fs::canonicalize(above) {
                missing = absolute.strip_prefix(above).unwrap_or(absolute);
                real = there;
                break;
            }
        }
        for component in missing.components() {
            match component {
                Component::ParentDir => drop(real.pop()),
                other => real.push(other),
            }
        }
        real.into_os_string().into_string().ok()
    }

    /// What stopped a call that looks for `key`.
    pub(super) fn not_read(&self, operation: Operation, key: &Key, error: io::Error) -> Error {
        use io::ErrorKind as Io;
        let missing = matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::InvalidFilename);
        let error = if !missing && !is_link_in_way(&error) {
            Error::io(operation, error)
        } else if self.reopen().is_err_and(|error| error.kind() == Io::NotFound) {
            Error::new(ErrorKind::NoSuchContainer, operation)
        } else {
            Error::new(ErrorKind::NotFound, operation)
        };
        error.of(&self.name).at(key)
    }

    /// What stopped a call that makes something.
    pub(super) fn not_written(&self, operation: Operation, key: &Key, error: io::Error) -> Error {
        let in_the_way = error.kind() == io::ErrorKind::NotADirectory || is_link_in_way(&error);
        let error = if in_the_way {
            Error::new(ErrorKind::Exists, operation)
                .because("a file or a symbolic link stands where a directory is needed")
        } else if error.kind() == io::ErrorKind::IsADirectory {
            Error::new(ErrorKind::Exists, operation).because("a directory stands where the file is to lie")
        } else {
            Error::io(operation, error)
        };
        error.of(&self.name).at(key)
    }

    /// The entry of a file.
    pub(super) fn entry(&self, key: Key, facts: &Facts) -> Entry {
        let mut entry = Entry::object(key, facts.size);
        entry.modified = Some(facts.modified);
        entry.stamp = Some(facts.stamp());
        entry
    }

    /// The entry of a file with its metadata.
    pub(super) fn entry_with_metadata(&self, key: Key, facts: &Facts) -> Entry {
        let mut metadata = Metadata::default();
        if self.options.permissions && facts.kind == FileKind::File {
            metadata.user.insert(MODE.to_owned(), format!("{:o}", facts.mode));
        }
        let mut entry = self.entry(key, facts);
        entry.metadata = Some(Arc::new(metadata));
        entry
    }

    /// The permission bits that `metadata` asks for.
    pub(super) fn mode_of(&self, metadata: &Metadata) -> Option<u32> {
        let text = metadata.user.get(MODE).filter(|_| self.options.permissions)?;
        u32::from_str_radix(text, 8).ok()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(root) = self.handle() {
            self.durable.last(&root);
        }
    }
}
