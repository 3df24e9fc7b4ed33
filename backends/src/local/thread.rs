//! Where files are touched: on threads that may wait for the disk.

use crate::error::{Error, ErrorKind, Operation, Result};

/// Runs `work` on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    operation: Operation,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::new(ErrorKind::Other, operation).because(panic))?
}
