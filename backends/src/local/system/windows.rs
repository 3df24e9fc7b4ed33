//! Windows: paths instead of handles. Nothing here was run on Windows; links are looked for name by name, which
//! leaves a moment in which one could be put in the way.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{Facts, FileKind};
use crate::entry::Timestamp;

/// A directory.
#[derive(Debug)]
pub(in crate::local) struct Dir(PathBuf);

impl Dir {
    /// Opens any path of the machine, through symbolic links.
    pub(in crate::local) fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() { Ok(Self(path.to_owned())) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// File systems are not known by their kind.
    #[expect(clippy::unused_self, reason = "as other systems have it")]
    pub(in crate::local) const fn folds_case(&self) -> Option<bool> {
        None
    }

    /// Opens a directory below this one; `path` empty: this one again.
    pub(in crate::local) fn open_directory(&self, path: &str, follow: bool) -> io::Result<Self> {
        Self::open(&self.checked(path, follow)?)
    }

    /// Opens a file for reading.
    pub(in crate::local) fn open_file(&self, path: &str, follow: bool) -> io::Result<File> {
        File::open(self.checked(path, follow)?)
    }

    /// Opens a file for reading and writing in place.
    pub(in crate::local) fn open_to_change(&self, path: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.checked(path, false)?)
    }

    /// Opens a file to append to.
    pub(in crate::local) fn open_to_append(&self, path: &str) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).open(self.checked(path, false)?)
    }

    fn checked(&self, path: &str, follow: bool) -> io::Result<PathBuf> {
        let mut at = self.0.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at.push(name);
            if !follow && fs::symlink_metadata(&at)?.is_symlink() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Ok(at)
    }

    /// Makes a new file.
    pub(in crate::local) fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.0.join(name))
    }

    /// Every file has a name from the start.
    pub(in crate::local) fn create_unnamed(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// There is no file without a name.
    pub(in crate::local) fn name(&self, _: &File, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes a directory.
    pub(in crate::local) fn make_directory(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    /// Not done on Windows.
    pub(in crate::local) fn make_link(&self, _: &str, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What a symbolic link says.
    pub(in crate::local) fn read_link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(fs::read_link(self.0.join(name))?.to_string_lossy().into_owned().into_bytes())
    }

    /// Gives a file another name, over what has that name if `replace`.
    pub(in crate::local) fn rename(&self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        if replace {
            return fs::rename(self.0.join(from), self.0.join(to));
        }
        fs::hard_link(self.0.join(from), self.0.join(to))?;
        fs::remove_file(self.0.join(from))
    }

    /// Removes a file or link.
    pub(in crate::local) fn remove_file(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    /// Removes an empty directory.
    pub(in crate::local) fn remove_directory(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// Facts of what a name stands for.
    pub(in crate::local) fn facts(&self, name: &str, follow: bool) -> io::Result<Facts> {
        let path = self.0.join(name);
        Ok(facts(&if follow { fs::metadata(path)? } else { fs::symlink_metadata(path)? }))
    }

    /// Facts of this directory.
    pub(in crate::local) fn own_facts(&self) -> io::Result<Facts> {
        Ok(facts(&fs::metadata(&self.0)?))
    }

    /// Tells every name and its kind.
    pub(in crate::local) fn for_each(
        &self,
        visit: &mut dyn FnMut(&OsStr, Option<FileKind>) -> io::Result<()>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            visit(&entry.file_name(), None)?;
        }
        Ok(())
    }

    /// Windows keeps names by itself.
    pub(in crate::local) fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Facts of an open file.
pub(in crate::local) fn facts_of(file: &File) -> io::Result<Facts> {
    Ok(facts(&file.metadata()?))
}

fn facts(metadata: &Metadata) -> Facts {
    let kind = match metadata.file_type() {
        kind if kind.is_symlink() => FileKind::Link,
        kind if kind.is_dir() => FileKind::Directory,
        kind if kind.is_file() => FileKind::File,
        _ => FileKind::Special,
    };
    let modified: Timestamp = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).into();
    Facts { kind, size: metadata.len(), modified, changed: modified, mode: 0, id: (0, 0), links: 1 }
}

/// Links are refused before they are met.
pub(in crate::local) fn is_link_in_way(_: &io::Error) -> bool {
    false
}

/// Windows has no permission bits.
pub(in crate::local) fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// Makes the file `len` bytes long.
pub(in crate::local) fn reserve(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)
}

/// Blocks are not shared.
pub(in crate::local) fn share_blocks(_: &File, _: &File) -> bool {
    false
}

/// Bytes are copied by reading and writing.
pub(in crate::local) fn copy_bytes(_: &File, _: &File, _: u64, _: u64) -> io::Result<Option<u64>> {
    Ok(None)
}

/// There is no such call without more rights than we have.
pub(in crate::local) fn flush_file_system(_: &Dir) -> io::Result<()> {
    Ok(())
}
