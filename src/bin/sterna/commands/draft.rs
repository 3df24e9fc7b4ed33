//! A file that appears under its name when it is complete, not before.

use std::{
    fs::{self, File},
    io::{self, Seek},
    path::{Path, PathBuf},
};

use sterna::backends::local;
use tempfile::TempPath;

/// What is written so far, and where it goes. Where it cannot go is found out before the work begins.
pub struct Draft {
    file: File,
    goes: Goes,
}

enum Goes {
    /// Lies beside its name, as what listings leave out: it may be in the very place that is looked at.
    Name(TempPath, PathBuf),
    /// Nothing can be renamed to a device or a pipe: it is poured in at the end.
    Device(File),
    Output,
}

impl Draft {
    /// For `path`; `-` is standard output.
    pub fn create(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { file: tempfile::tempfile()?, goes: Goes::Output });
        }
        Self::at(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let path = match fs::metadata(path) {
            Ok(there) if there.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "there is a directory of that name"));
            }
            Ok(there) if !there.is_file() => {
                let device = File::options().write(true).open(path)?;
                return Ok(Self { file: tempfile::tempfile()?, goes: Goes::Device(device) });
            }
            // A link stays one.
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(local::unfinished_name(&name));
        Ok(Self { file: File::create_new(&beside)?, goes: Goes::Name(TempPath::try_from_path(beside)?, path) })
    }

    /// What is written to.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// All is written.
    pub fn finish(mut self) -> io::Result<()> {
        match self.goes {
            Goes::Name(beside, path) => {
                self.file.sync_all()?;
                beside.persist(path).map_err(|error| error.error)
            }
            Goes::Device(mut device) => pour(&mut self.file, &mut device),
            Goes::Output => pour(&mut self.file, &mut io::stdout().lock()),
        }
    }
}

fn pour(file: &mut File, into: &mut impl io::Write) -> io::Result<()> {
    file.rewind()?;
    io::copy(file, into)?;
    into.flush()
}
