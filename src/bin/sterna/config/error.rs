//! What was wrong with a setting, where it stands, and what to do.

use std::{error::Error as StdError, fmt, path::Path, sync::Arc};

use serde::{Serialize, Serializer};

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration file.
    File {
        /// The file, as it was found.
        path: Arc<Path>,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// In this environment variable.
    Variable(String),
    /// Under this key of the configuration, whose line nobody knows any more.
    Key(String),
}

/// `path:line:column`, `$NAME`, or `job.NAME.notify.KEY`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Key(name) => f.write_str(name),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What kind of mistake it was; exit codes are chosen by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigErrorKind {
    /// The file is not there, cannot be read or cannot be written.
    Unreadable,
    /// The file is no TOML, or no rclone.conf.
    Syntax,
    /// A table, key or type that does not exist.
    Unknown,
    /// A key that must be there is not.
    Missing,
    /// A value of the wrong type.
    WrongType,
    /// Others could read a secret that stands in the file.
    Exposed,
    /// The text of a setting could not be had from where it says.
    Unobtainable,
    /// No remote of that name.
    NoSuchRemote,
    /// No job of that name.
    NoSuchJob,
    /// A place that cannot be one.
    BadPlace,
    /// A remote of that name is there already.
    Exists,
}

/// A mistake in the configuration. Its text never holds a value that may be secret.
#[derive(Debug)]
pub struct ConfigError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ConfigErrorKind,
    origin: Option<Origin>,
    what: String,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ConfigError {
    /// A mistake of `kind`; `what` is for people.
    pub fn new(kind: ConfigErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, origin: None, what: what.into(), remedy: None, source: None }))
    }

    /// Says where it stands.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.0.origin = Some(origin.clone());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of mistake it was.
    #[must_use]
    pub fn kind(&self) -> ConfigErrorKind {
        self.0.kind
    }
}

/// Where, what, why, what to do: in one line.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(origin) = &inner.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&inner.what)?;
        if let Some(source) = &inner.source {
            write!(f, ": {source}")?;
        }
        if let Some(remedy) = &inner.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl StdError for ConfigError {}
