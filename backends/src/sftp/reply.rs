//! What a status means.

use bytes::Bytes;

use super::{facts::Facts, wire::Reply};
use crate::error::{Error, ErrorKind, Operation, Result};

const OK: u32 = 0;
const END: u32 = 1;
const NO_SUCH_FILE: u32 = 2;

/// The server's own word for a refusal.
#[derive(Debug, thiserror::Error)]
#[error("{} (status {code})", if .message.is_empty() { "the server refused" } else { .message.as_str() })]
pub(super) struct Refused {
    pub code: u32,
    pub message: String,
}

impl Refused {
    /// The refusal behind an error, if that is what it is.
    pub fn of(error: &Error) -> Option<&Self> {
        error.cause()
    }
}

/// What a code means by itself: those of version 3, and those of later drafts that servers use nevertheless
/// (draft-ietf-secsh-filexfer-13, section 9.1). 4 stands for whatever has no code: who wants to know looks.
fn kind(code: u32) -> ErrorKind {
    match code {
        NO_SUCH_FILE | 10 => ErrorKind::NotFound,
        3 | 12 => ErrorKind::Denied,
        5 => ErrorKind::BadRequest,
        6 | 7 | 13 | 17 => ErrorKind::Unavailable,
        8 | 20 => ErrorKind::Unsupported,
        11 | 18 => ErrorKind::Exists,
        14 | 15 => ErrorKind::Full,
        _ => ErrorKind::Other,
    }
}

impl Reply {
    fn refusal(self, operation: Operation) -> Error {
        match self {
            Self::Status { code, message } if code != OK => {
                Error::new(kind(code), operation).because(Refused { code, message })
            }
            other => Error::new(ErrorKind::Other, operation)
                .because(format!("the server answered something else than was asked: {other:?}")),
        }
    }

    /// # Errors
    /// By code.
    pub fn done(self, operation: Operation) -> Result<()> {
        match self {
            Self::Status { code: OK, .. } => Ok(()),
            other => Err(other.refusal(operation)),
        }
    }

    /// # Errors
    /// By code.
    pub fn handle(self, operation: Operation) -> Result<Bytes> {
        if let Self::Handle(handle) = self { Ok(handle) } else { Err(self.refusal(operation)) }
    }

    /// # Errors
    /// By code.
    pub fn facts(self, operation: Operation) -> Result<Facts> {
        if let Self::Facts(facts) = self { Ok(facts) } else { Err(self.refusal(operation)) }
    }

    /// Facts of what lies there, if something does.
    ///
    /// # Errors
    /// By code.
    pub fn facts_if_there(self, operation: Operation) -> Result<Option<Facts>> {
        match self {
            Self::Status { code: NO_SUCH_FILE, .. } => Ok(None),
            reply => reply.facts(operation).map(Some),
        }
    }

    /// What comes up to the end, which is `None`.
    ///
    /// # Errors
    /// By code.
    pub fn until_end(self, operation: Operation) -> Result<Option<Self>> {
        match self {
            Self::Status { code: END, .. } => Ok(None),
            Self::Status { .. } => Err(self.refusal(operation)),
            reply => Ok(Some(reply)),
        }
    }

    /// The answer to what was asked is of another kind.
    pub fn unexpected(self, operation: Operation) -> Error {
        self.refusal(operation)
    }
}
