//! What went wrong, as data: kind, whether trying again may help, operation, key, store, cause.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::entry::Key;

/// The result of every call of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was. Decisions are made on this, never on a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// No object under that key.
    NotFound,
    /// No bucket, or no root directory.
    NoSuchContainer,
    /// The credentials do not allow it, or are wrong.
    Denied,
    /// The store does not accept the request as made.
    BadRequest,
    /// Something is already there and was to be left alone.
    Exists,
    /// A condition of the request did not hold (the object changed meanwhile).
    Precondition,
    /// The store asks for fewer requests.
    Throttled,
    /// No answer in time.
    Timeout,
    /// The store cannot be reached, or failed by its own account.
    Unavailable,
    /// The store has answered nothing for so long that it was given up.
    Unreachable,
    /// What arrived, was stored or was listed is not what it should be.
    Integrity,
    /// No room left: disk or quota.
    Full,
    /// A cap that the account's owner has set is reached: on storage, traffic or calls.
    Capped,
    /// The store has no such operation, or cannot hold such a key.
    Unsupported,
    /// The source changed while it was read.
    Changed,
    /// The run was stopped.
    Cancelled,
    /// A setting is wrong or missing.
    Config,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// The words people read.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::NoSuchContainer => "no such bucket or directory",
            Self::Denied => "access denied",
            Self::BadRequest => "request refused",
            Self::Exists => "already exists",
            Self::Precondition => "changed meanwhile",
            Self::Throttled => "throttled",
            Self::Timeout => "timed out",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Integrity => "integrity check failed",
            Self::Full => "no space left",
            Self::Capped => "a cap of the account is reached",
            Self::Unsupported => "not supported",
            Self::Changed => "changed while being read",
            Self::Cancelled => "cancelled",
            Self::Config => "configuration",
            Self::Other => "failed",
        }
    }

    /// Whether the same request may succeed later, for this kind in general.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::Unavailable | Self::Integrity)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// The calls of the contract, as they are metered and named in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Opening the store.
    Open,
    /// One page of a listing.
    List,
    /// Facts of one object.
    Stat,
    /// Reading an object or a range of it.
    Read,
    /// Writing an object in one call.
    Put,
    /// Starting an upload in parts.
    Begin,
    /// Writing one part.
    PutPart,
    /// Writing one part from an object that lies in the same endpoint.
    CopyPart,
    /// Putting the parts together.
    Complete,
    /// Giving an upload up.
    Abort,
    /// Listing uploads in parts, or the parts of one.
    ListParts,
    /// Copying inside the endpoint.
    Copy,
    /// Deleting.
    Delete,
    /// Changing metadata in place.
    SetMetadata,
    /// Making a directory or a bucket.
    MakeDirectory,
}

impl Operation {
    /// Whether it changes what the store holds.
    #[must_use]
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::List | Self::Stat | Self::Read | Self::ListParts)
    }

    /// The verb people read: "list", "put part", …
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Stat => "stat",
            Self::Read => "read",
            Self::Put => "put",
            Self::Begin => "begin upload",
            Self::PutPart => "put part",
            Self::CopyPart => "copy part",
            Self::Complete => "complete upload",
            Self::Abort => "abort upload",
            Self::ListParts => "list parts",
            Self::Copy => "copy",
            Self::Delete => "delete",
            Self::SetMetadata => "set metadata",
            Self::MakeDirectory => "make directory",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure of one call of one store.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    operation: Operation,
    retryable: bool,
    retry_after: Option<Duration>,
    key: Option<Key>,
    store: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of `kind` during `operation`; retryable as the kind says.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: Operation) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            retryable: kind.is_transient(),
            retry_after: None,
            key: None,
            store: None,
            source: None,
        }))
    }

    /// An operation the store does not have; `why` is for people.
    #[must_use]
    pub fn unsupported(operation: Operation, why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, operation).because(why.into())
    }

    /// An error of the operating system, its kind taken from the error code.
    #[must_use]
    pub fn io(operation: Operation, error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
            Io::AlreadyExists | Io::IsADirectory | Io::DirectoryNotEmpty => ErrorKind::Exists,
            Io::NotADirectory | Io::InvalidFilename | Io::InvalidInput => ErrorKind::Unsupported,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
            Io::TimedOut => ErrorKind::Timeout,
            Io::ConnectionRefused
            | Io::ConnectionReset
            | Io::ConnectionAborted
            | Io::BrokenPipe
            | Io::UnexpectedEof
            | Io::NetworkUnreachable
            | Io::HostUnreachable
            | Io::Interrupted => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        };
        Self::new(kind, operation).because(error)
    }

    /// Names the object.
    #[must_use]
    pub fn at(mut self, key: &Key) -> Self {
        self.0.key = Some(key.clone());
        self
    }

    /// Names the store, as people wrote it.
    #[must_use]
    pub fn of(mut self, store: impl Into<String>) -> Self {
        self.0.store = Some(store.into());
        self
    }

    /// Names the store and, for an error of one object, that, unless they are named already.
    #[must_use]
    pub fn named(self, store: &str, key: Option<&Key>) -> Self {
        let error = if self.store().is_none() { self.of(store) } else { self };
        match key {
            Some(key) if error.key().is_none() => error.at(key),
            _ => error,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides whether trying again may help.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// How long the store asked us to wait.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// The cause, where it is a `T`: for the family that made it, which knows its own causes.
    #[must_use]
    pub fn cause<T: StdError + 'static>(&self) -> Option<&T> {
        self.0.source.as_deref().and_then(|source| source.downcast_ref())
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// During which call it came.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Whether the same call may succeed when made again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How long the store asked us to wait before trying again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The object, where there is one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// The store, where it was named.
    #[must_use]
    pub fn store(&self) -> Option<&str> {
        self.0.store.as_deref()
    }
}

/// One line: what, where, why.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(f, "{}", inner.operation)?;
        match (&inner.store, &inner.key) {
            (Some(store), Some(key)) if store.ends_with([':', '/']) => write!(f, " {store}{key}")?,
            (Some(store), Some(key)) => write!(f, " {store}/{key}")?,
            (Some(store), None) => write!(f, " {store}")?,
            (None, Some(key)) => write!(f, " {key}")?,
            (None, None) => {}
        }
        write!(f, ": {}", inner.kind)?;
        let mut cause = inner.source.as_deref().map(|source| source as &(dyn StdError + 'static));
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {}
