//! Exit codes: rclone's 0 to 10, and sterna's own above.

use std::{fmt::Display, process::ExitCode};

use sterna::{
    backends::{Error, ErrorKind},
    history::HistoryError,
    plan::Loss,
};

use crate::{
    config::{ConfigError, ConfigErrorKind},
    ui,
};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success = 0,
    /// An error that has no code of its own; for `check`: a difference.
    Error = 1,
    /// Arguments or configuration are wrong.
    Usage = 2,
    /// A directory or bucket was not found.
    ContainerNotFound = 3,
    /// An object was not found.
    ObjectNotFound = 4,
    /// Everything that failed may succeed when tried again.
    Temporary = 5,
    /// Something after which nothing could go on: no room, no rights.
    Fatal = 7,
    /// `--max-transfer` was reached.
    MaxTransfer = 8,
    /// Nothing was transferred, and `--error-on-no-transfer` was given.
    NothingTransferred = 9,
    /// `--max-duration` was reached.
    MaxDuration = 10,
    /// Matches rest on their size alone.
    Unproven = 11,
    /// Deletes were blocked.
    DeletesBlocked = 12,
    /// A plan no longer fits what it finds.
    Drifted = 13,
    /// It would cost, or has cost, more than it may.
    OverBudget = 14,
    /// A cap of the account is reached.
    Capped = 15,
    /// Ctrl-C.
    Interrupted = 130,
    /// Whoever read standard output has gone away: what a shell reports of a program that SIGPIPE ended.
    Unread = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work: a code, the kind of what went wrong, and a sentence for people.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// The kind, by which there is advice.
    pub kind: ErrorKind,
    /// The sentence.
    pub message: String,
}

impl Failure {
    /// Of the kind that the code tells of.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let kind = match exit {
            Exit::Usage => ErrorKind::Config,
            Exit::ContainerNotFound => ErrorKind::NoSuchContainer,
            Exit::ObjectNotFound => ErrorKind::NotFound,
            Exit::Temporary => ErrorKind::Unavailable,
            Exit::Fatal => ErrorKind::Full,
            Exit::Capped | Exit::OverBudget => ErrorKind::Capped,
            _ => ErrorKind::Other,
        };
        Self { exit, kind, message: message.into() }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// What has no code of its own.
    pub fn other(error: impl Display) -> Self {
        Self::new(Exit::Error, error.to_string())
    }

    /// Says it and gives the code. That `… | head` has seen enough is nothing to speak of.
    pub fn report(self) -> Exit {
        if self.exit != Exit::Unread {
            ui::complain(&self.message);
        }
        self.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: of_error(&error), kind: error.kind(), message: error.to_string() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = match error.kind() {
            ConfigErrorKind::Unreadable | ConfigErrorKind::Unobtainable => Exit::Error,
            _ => Exit::Usage,
        };
        Self { exit, kind: ErrorKind::Config, message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // Of all that the face itself writes to only standard output is a pipe.
        let unread = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self::new(if unread { Exit::Unread } else { Exit::Error }, error.to_string())
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        Self::other(error)
    }
}

/// The code of one error.
pub fn of_error(error: &Error) -> Exit {
    of_loss(Loss { kind: error.kind(), retryable: error.is_retryable() })
}

/// The code of a destination that was lost: that of the error.
pub fn of_loss(loss: Loss) -> Exit {
    match loss.kind {
        ErrorKind::NoSuchContainer => Exit::ContainerNotFound,
        ErrorKind::NotFound => Exit::ObjectNotFound,
        ErrorKind::Config => Exit::Usage,
        ErrorKind::Full => Exit::Fatal,
        ErrorKind::Capped => Exit::Capped,
        _ if loss.retryable => Exit::Temporary,
        _ => Exit::Error,
    }
}
