//! Adds imported remotes to the configuration file.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use super::{
    super::{
        error::{ConfigError, ConfigErrorKind},
        file,
    },
    translate::Import,
};

impl Import {
    /// Adds the remotes at the end of the file `path`, which is made if it is not there. All or nothing: the file
    /// is replaced by a whole new one that only its owner can read. A symbolic link stays, what it points at is
    /// replaced. Where there is no remote to add, nothing is written.
    ///
    /// # Errors
    /// `Exists`, naming them all, where the file has remotes of these names; the mistakes of the file as it is;
    /// `Unreadable` where it cannot be read or written.
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        if self.remotes.is_empty() {
            return Ok(());
        }
        let failed = |error: io::Error| {
            let what = format!("cannot write the configuration '{}'", path.display());
            ConfigError::new(ConfigErrorKind::Unreadable, what).because(error)
        };
        let (target, old) = match fs::canonicalize(path) {
            Ok(target) => (target.clone(), fs::read_to_string(&target).map_err(failed)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), String::new()),
            Err(error) => return Err(failed(error)),
        };
        let present = file::parse(path, &old)?;
        let doubled: Vec<_> = self
            .remotes
            .iter()
            .map(|remote| remote.name.as_str())
            .filter(|name| present.iter().any(|section| section.name == *name))
            .collect();
        if !doubled.is_empty() {
            let what = format!("'{}' already has the remotes {}", path.display(), doubled.join(", "));
            return Err(ConfigError::new(ConfigErrorKind::Exists, what)
                .remedy("nothing was written; take them out of one of the files"));
        }
        let new = join(&old, &self.to_toml());
        file::parse(path, &new)?;
        replace(&target, &new).map_err(failed)
    }
}

fn join(old: &str, new: &str) -> String {
    match old {
        "" => new.to_owned(),
        old if old.ends_with('\n') => format!("{old}\n{new}"),
        old => format!("{old}\n\n{new}"),
    }
}

fn replace(target: &Path, text: &str) -> io::Result<()> {
    let directory = match target.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    // Made with mode 0600 on Unix.
    let mut file = tempfile::Builder::new().prefix(".sterna.toml.").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}
