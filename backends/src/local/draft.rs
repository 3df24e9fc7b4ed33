//! A file on its way: written without a name where the system has that, else under a temporary one beside its target;
//! named at the end or not at all.

use std::{
    fs::{File, FileTimes},
    io::{self, Write as _},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    escape::DiskPath,
    system::{Dir, Facts, facts_of, reserve, set_mode},
    tree::Tree,
};
use crate::{entry::Timestamp, unfinished::content_name};

/// From this size the blocks are set aside before the first byte is written.
const RESERVED: u64 = 1 << 20;

/// Blocks of zeroes so long and so aligned become holes.
const HOLE: usize = 4096;

/// What a finished file gets beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Finish {
    /// Its modification time; `None`: the present.
    pub modified: Option<Timestamp>,
    /// Its permission bits; `None`: what the umask leaves.
    pub mode: Option<u32>,
    /// Fail with `AlreadyExists` rather than replace.
    pub if_absent: bool,
}

/// A file without its name. Dropped, it is gone; killed without a name, nothing of it stays.
pub(super) struct Draft {
    tree: Arc<Tree>,
    directory: Arc<Dir>,
    /// The temporary name, while it has one.
    name: Option<String>,
    file: File,
    written: u64,
    reserved: bool,
    /// It has a name elsewhere, and stays as it is.
    linked: bool,
}

impl Draft {
    /// A new file for `target`; `size` where it is known.
    pub(super) fn new(tree: &Arc<Tree>, target: &DiskPath, size: Option<u64>) -> io::Result<Self> {
        let (directory, file, name) = tree.in_directory_of(target, |directory| {
            if let Some(file) = directory.create_unnamed()? {
                return Ok((Arc::clone(directory), file, None));
            }
            let name = content_name(target.name());
            Ok((Arc::clone(directory), directory.create(&name)?, Some(name)))
        })?;
        let (tree, linked) = (Arc::clone(tree), false);
        let mut draft = Self { tree, directory, name, file, written: 0, reserved: false, linked };
        if let Some(size) = size.filter(|size| *size >= RESERVED && !draft.tree.options.sparse) {
            reserve(&draft.file, size)?;
            draft.reserved = true;
        }
        Ok(draft)
    }

    /// A file of `size` bytes that has a name already and is to get `target` as another one.
    pub(super) fn linked(tree: &Arc<Tree>, target: &DiskPath, file: File, size: u64) -> io::Result<Self> {
        let directory = tree.in_directory_of(target, |directory| Ok(Arc::clone(directory)))?;
        Ok(Self { tree: Arc::clone(tree), directory, name: None, file, written: size, reserved: false, linked: true })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.tree.options.sparse {
            write_sparse(&self.file, self.written, bytes)?;
        } else {
            self.file.write_all(bytes)?;
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The bytes were written past this value, `written` of them.
    pub(super) fn filled(&mut self, written: u64) {
        self.written = written;
    }

    /// Gives the file its time, its bits and its name; the facts are those of what was stored.
    pub(super) fn finish(mut self, target: &DiskPath, finish: Finish) -> io::Result<Facts> {
        if self.reserved || self.tree.options.sparse && !self.linked {
            self.file.set_len(self.written)?;
        }
        let facts = dress(&self.file, finish)?;
        if facts.size != self.written {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is not as long as what was written"));
        }
        self.tree.durable.before_name(&self.file)?;
        match self.take_name(target.name(), !finish.if_absent) {
            // Without a name in it nothing kept the directory from being removed meanwhile, as deletes do with empty ones.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.name.is_none() => {
                let tree = Arc::clone(&self.tree);
                tree.in_directory_of(target, |directory| {
                    self.directory = Arc::clone(directory);
                    self.take_name(target.name(), !finish.if_absent)
                })?;
            }
            named => named?,
        }
        self.tree.durable.after_name(&self.directory, facts.size)?;
        // A new name changes the inode.
        facts_of(&self.file)
    }
}

impl Draft {
    /// A link never replaces what is there, so over another file a draft goes by a temporary name.
    fn take_name(&mut self, target: &str, replace: bool) -> io::Result<()> {
        if self.name.is_none() {
            match self.directory.name(&self.file, target) {
                Err(error) if replace && error.kind() == io::ErrorKind::AlreadyExists => {}
                named => return named,
            }
        }
        let temporary = match &self.name {
            Some(name) => name,
            None => {
                let name = content_name(target);
                self.directory.name(&self.file, &name)?;
                self.name.insert(name)
            }
        };
        self.directory.rename(temporary, target, replace)?;
        if self.linked {
            // Between two names of one file a rename does nothing. Where it did, the first is gone.
            let _ = self.directory.remove_file(temporary);
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Nobody is left to tell; a name that stays is left out of listings.
            let _ = self.directory.remove_file(name);
        }
    }
}

/// Sets time and bits of a file that is otherwise ready, and says what it is then.
pub(super) fn dress(file: &File, finish: Finish) -> io::Result<Facts> {
    if let Some(mode) = finish.mode {
        set_mode(file, mode)?;
    }
    if let Some(modified) = finish.modified {
        file.set_times(FileTimes::new().set_modified(system_time(modified)))?;
    }
    facts_of(file)
}

fn system_time(time: Timestamp) -> SystemTime {
    let nanos = Duration::from_nanos(time.as_nanos().unsigned_abs());
    if time.as_nanos() < 0 { SystemTime::UNIX_EPOCH - nanos } else { SystemTime::UNIX_EPOCH + nanos }
}

/// Writes `bytes` at `offset` of a new file and leaves out blocks of zeroes. The length is set elsewhere.
pub(super) fn write_sparse(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut from = 0;
    while from < bytes.len() {
        let at = offset + from as u64;
        let to_boundary = HOLE - usize::try_from(at % HOLE as u64).expect("a block is small");
        let end = (from + to_boundary).min(bytes.len());
        let block = &bytes[from..end];
        if block.iter().any(|byte| *byte != 0) {
            write_at(file, at, block)?;
        }
        from = end;
    }
    Ok(())
}

/// Writes all of `bytes` at `offset`.
pub(super) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)?;
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < bytes.len() {
            done += std::os::windows::fs::FileExt::seek_write(file, &bytes[done..], offset + done as u64)?;
        }
    }
    Ok(())
}
