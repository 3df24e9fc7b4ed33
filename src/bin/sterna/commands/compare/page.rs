//! The page, written whole or not at all.

use std::{io::Write, path::Path};

use sterna::report::{Comparison, html};
use tempfile::NamedTempFile;

use crate::exit::Failure;

/// A file that is not there yet. It is made before the work begins: where it cannot be, nothing was measured in vain.
pub struct Page<'a> {
    path: &'a Path,
    file: NamedTempFile,
}

impl<'a> Page<'a> {
    /// That will lie at `path`.
    pub fn at(path: &'a Path) -> Result<Self, Failure> {
        let refused = |why: String| Failure::usage(format!("--html {}: {why}", path.display()));
        if path.is_dir() {
            return Err(refused("there is a directory of that name".to_owned()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new();
        let file = file.prefix(".sterna-page-").make_in(folder, |path| std::fs::File::create_new(path));
        Ok(Self { path, file: file.map_err(|error| refused(error.to_string()))? })
    }

    /// Puts it there.
    pub fn write(mut self, comparison: &Comparison) -> Result<(), Failure> {
        self.file.write_all(html::page(comparison).as_bytes())?;
        self.file.persist(self.path).map_err(|error| error.error)?;
        Ok(())
    }
}
