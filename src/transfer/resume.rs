//! Uploads in parts that outlive their process: one small file each, which says what was being sent where.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sterna_backends::{Entry, Error, Operation, PutRequest, Result, UploadToken};

use crate::index::name_of;

/// Where the records lie.
#[derive(Clone, Debug)]
pub struct Records(Option<PathBuf>);

/// What must be known to go on with an upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The upload.
    pub token: UploadToken,
    /// The source's store as written.
    pub source_store: String,
    /// The source's object; another one is another content.
    pub source: Entry,
    /// Bytes of a part.
    pub part_size: u64,
    /// Digests of the whole that were promised when the upload was begun.
    pub digests: sterna_backends::Digests,
    /// Whether it was found without a record and the store did not tell how it was begun: it may be another's.
    #[serde(default)]
    pub adopted: bool,
}

impl Record {
    /// Whether `source` would send the same content in the same parts. What only its size is known of may be any
    /// content.
    pub(super) fn continues(&self, store: &str, source: &Entry, part_size: u64) -> bool {
        self.source_store == store
            && self.part_size == part_size
            && self.source.key == source.key
            && self.source.size == source.size
            && self.source.etag == source.etag
            && self.source.version == source.version
            && self.source.modified == source.modified
            && self.source.stored == source.stored
            && (source.etag.is_some() || source.modified.is_some() || source.stored.is_some())
    }
}

/// A record that this process owns; no other may go on with it meanwhile.
pub(super) struct Held {
    file: Option<File>,
    path: PathBuf,
    pub(super) found: Option<Record>,
}

impl Records {
    /// In `folder`, made when it is needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Some(folder.into()))
    }

    /// Nowhere: an upload that is broken off cannot be gone on with.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether uploads that are broken off can be gone on with.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the record for `key` of `store`; without one where another process holds it.
    pub(super) async fn hold(&self, store: &str, key: &str) -> Result<Held> {
        let Some(folder) = self.0.clone() else { return Ok(Held { file: None, path: PathBuf::new(), found: None }) };
        let path = folder.join(format!("{}.json", name_of(&format!("{store}\n{key}"))));
        tokio::task::spawn_blocking(move || Held::open(&folder, path))
            .await
            .map_err(|panic| Error::new(sterna_backends::ErrorKind::Other, Operation::Begin).because(panic))?
            .map_err(|error| Error::io(Operation::Begin, error))
    }
}

impl Held {
    fn open(folder: &Path, path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut file = loop {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) if lies_at(&file, &path)? => break file,
                // Its owner took it away between the two: what is written to it nobody would find.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Self { file: None, path, found: None }),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        };
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Self { found: serde_json::from_str(&text).ok(), file: Some(file), path })
    }

    /// Whether this process owns the place of a record, so that no other here works on the same upload.
    pub(super) const fn is_owned(&self) -> bool {
        self.file.is_some()
    }

    /// Writes `record` in place of what was there. A record that a crash cut short reads as none.
    pub(super) fn write(&mut self, record: &Record) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let write = |file: &mut File| -> io::Result<()> {
            file.rewind()?;
            file.set_len(0)?;
            file.write_all(&serde_json::to_vec(record)?)?;
            file.sync_data()
        };
        write(file).map_err(|error| {
            let why = format!("its record, {}: {error}", self.path.display());
            Error::io(Operation::Begin, error).because(why)
        })
    }

    /// The upload is over.
    pub(super) fn clear(&mut self) {
        // Ours until it is gone: who has the lock next must not lose the record it writes.
        if let Some(_owned) = self.file.take() {
            // A record left behind names an upload that is gone, which is found out when it is used.
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

/// Whether the open file is the one of that name.
#[cfg(unix)]
fn lies_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Ok(there) => Ok(id(there) == id(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A name cannot be taken from an open file and given to another here.
#[cfg(not(unix))]
fn lies_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Whether `request` would be recorded as `record` was.
pub(super) fn same_digests(record: &Record, request: &PutRequest) -> bool {
    record.digests == request.digests
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record that is taken away while another process takes it is not the one that process writes to.
    #[cfg(unix)]
    #[test]
    fn who_owns_a_record_has_the_one_that_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let mut held = Held::open(folder.path(), path.clone()).unwrap();
                        if let Some(file) = &held.file {
                            assert!(lies_at(file, &path).unwrap());
                        }
                        held.clear();
                    }
                });
            }
        });
    }
}
