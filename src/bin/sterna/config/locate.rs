//! Where the configuration file lies.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    environment::Environment,
    error::{ConfigError, ConfigErrorKind},
};

/// Who named the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// `--config`.
    Flag,
    /// `$STERNA_CONFIG`.
    Variable,
    /// Nobody: it is the usual place.
    Usual,
}

/// The file to read, which may not be there yet.
#[derive(Clone, Debug)]
pub struct Located {
    /// The file; `None` where nobody named one and there is no home directory.
    pub path: Option<PathBuf>,
    /// Who named it.
    pub asked: Asked,
}

/// Finds the file: `flag`, else `$STERNA_CONFIG`, else `$XDG_CONFIG_HOME/sterna/sterna.toml`, else
/// `~/.config/sterna/sterna.toml` (Windows: `%APPDATA%\sterna\sterna.toml`).
///
/// An empty variable counts as unset, and so does a relative `$XDG_CONFIG_HOME`, as the XDG base directory
/// specification has it.
#[must_use]
pub fn locate(flag: Option<&Path>, environment: &Environment) -> Located {
    if let Some(path) = flag {
        return Located { path: Some(path.to_owned()), asked: Asked::Flag };
    }
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    if let Some(path) = set("STERNA_CONFIG") {
        return Located { path: Some(path.into()), asked: Asked::Variable };
    }
    let absolute = |value: &OsStr| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        set("APPDATA").and_then(absolute)
    } else {
        set("XDG_CONFIG_HOME")
            .and_then(absolute)
            .or_else(|| set("HOME").and_then(absolute).map(|home| home.join(".config")))
    };
    Located { path: base.map(|base| base.join("sterna").join("sterna.toml")), asked: Asked::Usual }
}

/// What was read of a file.
pub struct Contents {
    /// Its text.
    pub text: String,
    /// Whether others than its owner may read or change it.
    pub open_to_others: bool,
}

impl Located {
    /// Reads the file; `None` where the usual place holds none.
    ///
    /// # Errors
    /// `Unreadable` for a file that was named and is not there, for one that cannot be read, and for one that
    /// is not UTF-8.
    pub fn read(&self) -> Result<Option<Contents>, ConfigError> {
        let Some(path) = &self.path else { return Ok(None) };
        let unreadable = |error: io::Error| {
            let what = format!("cannot read the configuration '{}'", path.display());
            let error = ConfigError::new(ConfigErrorKind::Unreadable, what).because(error);
            match self.asked {
                Asked::Flag => error.remedy("--config names it"),
                Asked::Variable => error.remedy("$STERNA_CONFIG names it"),
                Asked::Usual => error,
            }
        };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if self.asked == Asked::Usual && error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let open_to_others = open_to_others(&file.metadata().map_err(unreadable)?);
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(unreadable)?;
        Ok(Some(Contents { text, open_to_others }))
    }
}

/// Whether others than its owner may read or change a file.
#[cfg(unix)]
pub fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 != 0
}

/// Access lists are not read; what keeps the profile directory private keeps the file.
#[cfg(not(unix))]
pub fn open_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}
