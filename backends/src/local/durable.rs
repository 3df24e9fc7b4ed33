//! When what was written reaches the disk: see [`Fsync`].

use std::{
    fs::File,
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    options::Fsync,
    system::{Dir, flush_file_system},
};

/// Files that may wait for the disk together.
const FILES: u64 = 1000;

/// Bytes that may wait for the disk together.
const BYTES: u64 = 1 << 30;

/// Counts what waits for the disk.
#[derive(Debug)]
pub(super) struct Durable {
    policy: Fsync,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Durable {
    pub(super) const fn new(policy: Fsync) -> Self {
        Self { policy, files: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Whether each file and name is brought to the disk by itself.
    pub(super) fn always(&self) -> bool {
        self.policy == Fsync::Always
    }

    /// Before `file` gets its name.
    pub(super) fn before_name(&self, file: &File) -> io::Result<()> {
        if self.always() { file.sync_all() } else { Ok(()) }
    }

    /// After a file of `bytes` got its name in `directory`. Whoever fills a batch waits for it; the others go on.
    pub(super) fn after_name(&self, directory: &Dir, bytes: u64) -> io::Result<()> {
        match self.policy {
            Fsync::None => Ok(()),
            Fsync::Always => directory.flush(),
            Fsync::Batch => {
                let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
                let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
                if files.is_multiple_of(FILES) || bytes >= BYTES { self.flush(directory) } else { Ok(()) }
            }
        }
    }

    /// Brings everything that waits to the disk. What failed waits on.
    pub(super) fn flush(&self, directory: &Dir) -> io::Result<()> {
        let files = self.files.swap(0, Ordering::Relaxed);
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        if files == 0 {
            return Ok(());
        }
        let flushed = flush_file_system(directory);
        if flushed.is_err() {
            self.files.fetch_add(files, Ordering::Relaxed);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        flushed
    }

    /// When the store is dropped, there is nobody left to tell of an error.
    pub(super) fn last(&self, directory: &Dir) {
        let _ = self.flush(directory);
    }
}
