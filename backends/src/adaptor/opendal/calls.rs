//! Calls of opendal: within their time, and with their errors in our words.

use std::{error::Error as StdError, time::Duration};

use opendal::ErrorKind as Theirs;

use crate::error::{Error, ErrorKind, Operation, Result};

/// What an error of the library is here. The library calls almost everything unexpected; the kind of the system's error
/// below it says more.
pub(super) fn fault(operation: Operation, error: opendal::Error) -> Error {
    let mut cause = error.source();
    let mut system = None;
    while let Some(inner) = cause {
        system = system.or_else(|| inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
        cause = inner.source();
    }
    let kind = match error.kind() {
        Theirs::NotFound => ErrorKind::NotFound,
        Theirs::PermissionDenied => ErrorKind::Denied,
        Theirs::AlreadyExists | Theirs::IsADirectory | Theirs::NotADirectory => ErrorKind::Exists,
        Theirs::RateLimited => ErrorKind::Throttled,
        Theirs::ConditionNotMatch | Theirs::Conflict => ErrorKind::Precondition,
        Theirs::RangeNotSatisfied => ErrorKind::BadRequest,
        Theirs::Unsupported => ErrorKind::Unsupported,
        Theirs::ConfigInvalid => ErrorKind::Config,
        _ => match system {
            Some(std::io::ErrorKind::PermissionDenied) => ErrorKind::Denied,
            // The program that was to connect is not there.
            Some(std::io::ErrorKind::NotFound) => ErrorKind::Config,
            Some(std::io::ErrorKind::TimedOut) => ErrorKind::Timeout,
            Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) => ErrorKind::Full,
            Some(_) => ErrorKind::Unavailable,
            None if error.is_temporary() => ErrorKind::Unavailable,
            None => ErrorKind::Other,
        },
    };
    Error::new(kind, operation).because(error)
}

/// A call of the library within its time.
///
/// # Errors
/// `Timeout`; what the call says.
pub(super) async fn within<T>(
    time: Duration,
    operation: Operation,
    call: impl Future<Output = opendal::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(time, call).await {
        Ok(answer) => answer.map_err(|error| fault(operation, error)),
        Err(_) => Err(Error::new(ErrorKind::Timeout, operation).because(format!("no answer within {time:?}"))),
    }
}
