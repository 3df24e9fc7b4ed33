//! One at a time among the processes of this machine: a locked file, which the system unlocks when its process is gone.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

/// How often a lock is asked for, and how long apart.
const TRIES: u32 = 4;
const MOMENT: Duration = Duration::from_millis(5);

/// A lock that is held for as long as this value lives.
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

impl MachineLock {
    /// Takes the lock of the file at `path`, made with its folder where it is missing; `None` where another process, or
    /// another task of this one, holds it. Waits for the disk, shortly.
    ///
    /// # Errors
    /// Where the file cannot be made or the file system knows no locks.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        for tries in 1.. {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                // Whoever only asks holds it for a moment, too.
                Err(TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(MOMENT),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Whether there is such a file and nobody holds its lock.
#[must_use]
pub fn is_free(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Whether somebody holds the lock of that file.
#[must_use]
pub fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
