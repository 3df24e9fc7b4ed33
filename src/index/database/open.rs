//! Opening the file, and the handle on it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use rusqlite::{Connection, OpenFlags};
use sterna_backends::Store;

use super::{
    schema,
    write::{self, Job},
};
use crate::index::{row::Told, shelf::Shelf};

/// Rows on their way to the writer; who has more to tell waits.
const WAITING: usize = 20_000;

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the index {}: {source}; without it, or with another by --index, everything works and takes longer", path.display())]
pub struct IndexError {
    path: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What is remembered of contents; a clone is the same index.
#[derive(Clone)]
pub struct Index(pub(in crate::index) Arc<Inner>);

pub(in crate::index) struct Inner {
    path: PathBuf,
    writer: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Index {
    /// Opens the file at `path`, made with its folder where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made or read, or is no index.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let wrong = |source| IndexError { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| wrong(error.into()))?;
        }
        let open = || -> rusqlite::Result<Connection> {
            let mut connection = Connection::open(path)?;
            schema::prepare(&connection)?;
            schema::create(&mut connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|error| wrong(error.into()))?;
        let (writer, jobs) = mpsc::sync_channel(WAITING);
        let trouble = Arc::new(Mutex::new(None));
        let told = Arc::clone(&trouble);
        let thread = std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || write::work(connection, &jobs, &told))
            .map_err(|error| wrong(error.into()))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            writer: Some(writer),
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
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of `store`; `None` for a store that cannot be remembered.
    #[must_use]
    pub fn shelf(&self, store: &dyn Store) -> Option<Shelf> {
        Shelf::new(self, store.whereabouts()?)
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
        if let Some(writer) = &self.0.writer {
            // A writer that has ended has said why.
            let _ended = writer.send(job);
        }
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
                let connection =
                    Connection::open_with_flags(&self.0.path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(wrong)?;
                schema::prepare(&connection).map_err(wrong)?;
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
        drop(self.writer.take());
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing more to write.
            let _panicked = thread.join();
        }
    }
}
