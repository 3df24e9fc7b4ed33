//! Opening the file, and the handle on it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use rusqlite::Connection;
use sterna_backends::Store;

use super::{
    file,
    queue::{Job, Queue},
    schema, write,
};
use crate::index::{row::Told, shelf::Shelf};

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the index {}: {source}; without it, or with another by --index, everything works and takes longer", path.display())]
pub struct IndexError {
    path: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl IndexError {
    /// Whether there was no room for more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let sqlite = self.source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        let system = self.source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        sqlite == Some(rusqlite::ErrorCode::DiskFull) || system == Some(std::io::ErrorKind::StorageFull)
    }

    /// Something else than the file itself stopped the work on it.
    pub(in crate::index) fn of(index: &Index, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { path: index.path().to_owned(), source: source.into() }
    }
}

/// What is remembered of contents; a clone is the same index.
#[derive(Clone)]
pub struct Index(pub(in crate::index) Arc<Inner>);

/// Whom trouble is told.
type Teller = Box<dyn Fn(&IndexError) + Send>;

pub(in crate::index) struct Inner {
    path: PathBuf,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    trouble: Arc<Trouble>,
}

/// What stopped the writing, and whom to tell.
#[derive(Default)]
pub(super) struct Trouble {
    what: Mutex<Option<String>>,
    tell: Mutex<Option<Teller>>,
}

impl Trouble {
    /// Keeps and tells it.
    pub(super) fn is(&self, path: &Path, source: rusqlite::Error) {
        let error = IndexError { path: path.to_owned(), source: source.into() };
        *self.what.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        if let Some(tell) = &*self.tell.lock().unwrap_or_else(PoisonError::into_inner) {
            tell(&error);
        }
    }
}

impl Index {
    /// Opens the file at `path`, made with its folder where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made or read, or is no index.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let wrong = |source| IndexError { path: path.to_owned(), source };
        file::make(path).map_err(|error| wrong(error.into()))?;
        let open = || -> Result<Connection, schema::Unfit> {
            let mut connection = file::open(path)?;
            schema::create(&mut connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|error| wrong(error.into()))?;
        let queue = Arc::new(Queue::default());
        let jobs = Arc::clone(&queue);
        let trouble = Arc::new(Trouble::default());
        let (told, written) = (Arc::clone(&trouble), path.to_owned());
        let thread = std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || write::work(connection, &jobs, |error| told.is(&written, error)))
            .map_err(|error| wrong(error.into()))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            queue,
            thread: Some(thread),
            readers: Mutex::default(),
            trouble,
        })))
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What stopped the writing, if anything did. Nothing else fails for that.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.what.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whom to tell when the writing stops, once; from another thread.
    pub fn on_trouble(&self, tell: impl Fn(&IndexError) + Send + 'static) {
        *self.0.trouble.tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tell));
    }

    /// What is known of `store`; `None` for a store that cannot be remembered.
    #[must_use]
    pub fn shelf(&self, store: &dyn Store) -> Option<Shelf> {
        Shelf::new(self, store.whereabouts()?)
    }

    /// The places of which anything is known, by name.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn places(&self) -> Result<Vec<String>, IndexError> {
        Ok(self.numbered()?.into_iter().map(|(_, name)| name).collect())
    }

    /// The places with their numbers.
    pub(super) fn numbered(&self) -> Result<Vec<(i64, String)>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT id, name FROM place ORDER BY name")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    pub(in crate::index) fn remember(&self, row: Told) {
        self.tell(Job::Remember(Box::new(row)));
    }

    pub(in crate::index) fn forget_key(&self, place: i64, key: String) {
        self.tell(Job::Forget { place, key });
    }

    /// Waits until everything told so far can be read.
    pub async fn flush(&self) {
        let (done, written) = tokio::sync::oneshot::channel();
        self.tell(Job::Flush(done));
        // A writer that has ended has written what it could.
        let _ended = written.await;
    }

    fn tell(&self, job: Job) {
        // A writer that has ended has said why.
        self.0.queue.tell(job);
    }

    /// Runs `work` with a connection that reads.
    pub(in crate::index) fn read<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, IndexError> {
        let wrong = |error: rusqlite::Error| IndexError { path: self.0.path.clone(), source: error.into() };
        let taken = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match taken {
            Some(connection) => connection,
            None => {
                let connection = file::open(&self.0.path).map_err(wrong)?;
                schema::prepare(&connection, schema::READER_HOLDS).map_err(wrong)?;
                connection
            }
        };
        let result = work(&mut connection).map_err(wrong);
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        result
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({})", self.0.path.display())
    }
}

impl Drop for Inner {
    /// What was told is written before the process may end.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing more to write.
            let _panicked = thread.join();
        }
    }
}
