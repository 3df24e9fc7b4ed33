//! Unix: every call relative to an open directory.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat},
    io::Errno,
};

use super::{Facts, FileKind, special};
use crate::entry::Timestamp;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Above this, one call might meet the kernel's limit for paths (4,096 bytes on Linux, 1,024 on macOS).
const LONGEST_CALL: usize = 1000;

/// An open directory.
#[derive(Debug)]
pub(in crate::local) struct Dir(OwnedFd);

impl Dir {
    /// Opens any path of the machine, through symbolic links.
    pub(in crate::local) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::openat(CWD, path, DIRECTORY, Mode::empty())?))
    }

    /// Whether its file system is known to take names that differ in case only for the same; `None`: not known.
    pub(in crate::local) fn folds_case(&self) -> Option<bool> {
        special::folds_case(self.0.as_fd())
    }

    /// Opens a directory below this one; `path` empty: this one again.
    pub(in crate::local) fn open_directory(&self, path: &str, follow: bool) -> io::Result<Self> {
        let path = if path.is_empty() { "." } else { path };
        self.open_below(path, follow, DIRECTORY).map(Self)
    }

    /// Opens a file for reading, without waiting where it is a pipe.
    pub(in crate::local) fn open_file(&self, path: &str, follow: bool) -> io::Result<File> {
        self.open_below(path, follow, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK).map(File::from)
    }

    /// Opens a file for reading and writing in place; never through a link.
    pub(in crate::local) fn open_to_change(&self, path: &str) -> io::Result<File> {
        self.open_below(path, false, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK).map(File::from)
    }

    /// Opens a file to append to; never through a link.
    pub(in crate::local) fn open_to_append(&self, path: &str) -> io::Result<File> {
        self.open_below(path, false, OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC).map(File::from)
    }

    fn open_below(&self, path: &str, follow: bool, flags: OFlags) -> io::Result<OwnedFd> {
        if path.len() < LONGEST_CALL {
            if follow || !path.contains('/') {
                let flags = if follow { flags } else { flags | OFlags::NOFOLLOW };
                return Ok(fs::openat(&self.0, path, flags, Mode::empty())?);
            }
            if let Some(opened) = special::open_without_links(self.0.as_fd(), path, flags) {
                return opened;
            }
        }
        let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        let mut at: Option<OwnedFd> = None;
        let mut rest = path;
        loop {
            let from = at.as_ref().map_or(self.0.as_fd(), OwnedFd::as_fd);
            let Some((name, tail)) = rest.split_once('/') else {
                return Ok(fs::openat(from, rest, flags | nofollow, Mode::empty())?);
            };
            at = Some(fs::openat(from, name, DIRECTORY | nofollow, Mode::empty())?);
            rest = tail;
        }
    }

    /// Makes a new file, readable and writable for whom the umask lets.
    pub(in crate::local) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o666))?.into())
    }

    /// Makes a new file that has no name yet; `None` where there are no such files.
    pub(in crate::local) fn create_unnamed(&self) -> io::Result<Option<File>> {
        Ok(special::create_unnamed(self.0.as_fd(), Mode::from_raw_mode(0o666))?.map(File::from))
    }

    /// Gives a file of [`Dir::create_unnamed`] its name; `AlreadyExists` where something has it.
    pub(in crate::local) fn name(&self, file: &File, name: &str) -> io::Result<()> {
        special::name(file.as_fd(), self.0.as_fd(), name)
    }

    /// Makes a directory.
    pub(in crate::local) fn make_directory(&self, name: &str) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
    }

    /// Makes a symbolic link.
    pub(in crate::local) fn make_link(&self, name: &str, target: &[u8]) -> io::Result<()> {
        Ok(fs::symlinkat(OsStr::from_bytes(target), &self.0, name)?)
    }

    /// What a symbolic link says.
    pub(in crate::local) fn read_link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// Gives a file another name, over what has that name if `replace`, else `AlreadyExists`.
    pub(in crate::local) fn rename(&self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        if replace {
            return Ok(fs::renameat(&self.0, from, &self.0, to)?);
        }
        match fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
                Ok(fs::unlinkat(&self.0, from, AtFlags::empty())?)
            }
            done => Ok(done?),
        }
    }

    /// Removes a file or link.
    pub(in crate::local) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(in crate::local) fn remove_directory(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR) {
            Err(Errno::EXIST) => Err(Errno::NOTEMPTY.into()),
            done => Ok(done?),
        }
    }

    /// Facts of what a name stands for.
    pub(in crate::local) fn facts(&self, name: &str, follow: bool) -> io::Result<Facts> {
        let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(facts(&fs::statat(&self.0, name, flags)?))
    }

    /// Facts of this directory.
    pub(in crate::local) fn own_facts(&self) -> io::Result<Facts> {
        Ok(facts(&fs::fstat(&self.0)?))
    }

    /// Tells every name but `.` and `..`, and its kind where the file system tells it at once. Once per value.
    pub(in crate::local) fn for_each(
        &self,
        visit: &mut dyn FnMut(&OsStr, Option<FileKind>) -> io::Result<()>,
    ) -> io::Result<()> {
        special::for_each(self.0.as_fd(), &mut |name, kind| match name {
            b"." | b".." => Ok(()),
            _ => visit(OsStr::from_bytes(name), kind_of(kind)),
        })
    }

    /// Has the directory's names reach the disk.
    pub(in crate::local) fn flush(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.0)?)
    }
}

/// Facts of an open file.
pub(in crate::local) fn facts_of(file: &File) -> io::Result<Facts> {
    Ok(facts(&fs::fstat(file)?))
}

#[expect(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "the widths of these fields differ between systems"
)]
fn facts(stat: &Stat) -> Facts {
    Facts {
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)).unwrap_or(FileKind::Special),
        size: stat.st_size as u64,
        modified: Timestamp::from_parts(stat.st_mtime as i64, stat.st_mtime_nsec as u32),
        changed: Timestamp::from_parts(stat.st_ctime as i64, stat.st_ctime_nsec as u32),
        mode: u32::from(stat.st_mode),
        id: (stat.st_dev as u64, stat.st_ino as u64),
        links: stat.st_nlink as u64,
    }
}

fn kind_of(kind: FileType) -> Option<FileKind> {
    Some(match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        FileType::Unknown => return None,
        _ => FileKind::Special,
    })
}

/// Whether a call failed because a symbolic link stood where none may be followed.
pub(in crate::local) fn is_link_in_way(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// Sets the permission bits of `mode`.
pub(in crate::local) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    #[expect(clippy::useless_conversion, reason = "the width of a mode differs between systems")]
    let mode = Mode::from_raw_mode((mode & 0o7777).try_into().expect("twelve bits fit every mode"));
    Ok(fs::fchmod(file, mode)?)
}

/// Makes the file `len` bytes long and has the file system set the blocks aside, where it can: a full disk is
/// found before the first byte is sent.
pub(in crate::local) fn reserve(file: &File, len: u64) -> io::Result<()> {
    match special::reserve(file.as_fd(), len) {
        Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => file.set_len(len),
        done => Ok(done?),
    }
}

/// Has the empty file `to` share all blocks of `from`; false where that cannot be.
pub(in crate::local) fn share_blocks(from: &File, to: &File) -> bool {
    special::share_blocks(from.as_fd(), to.as_fd())
}

/// Has the kernel copy up to `want` bytes of `from` at `offset` to the same place in `to`, and says how many it
/// were (0 at the end); `None` where it cannot.
pub(in crate::local) fn copy_bytes(from: &File, to: &File, offset: u64, want: u64) -> io::Result<Option<u64>> {
    special::copy_bytes(from.as_fd(), to.as_fd(), offset, want)
}

/// Has everything written to the file system of `root` reach the disk.
pub(in crate::local) fn flush_file_system(root: &Dir) -> io::Result<()> {
    special::flush_file_system(root.0.as_fd())
}
