//! What other Unix systems have in place of Linux's own calls.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{self, FileType, Mode, OFlags},
    io::Errno,
};

/// There is no such call; the path is opened name by name.
pub(super) fn open_without_links(_: BorrowedFd<'_>, _: &str, _: OFlags) -> Option<io::Result<OwnedFd>> {
    None
}

/// File systems are not known by their kind.
pub(super) fn folds_case(_: BorrowedFd<'_>) -> Option<bool> {
    None
}

/// Every file has a name from the start.
pub(super) fn create_unnamed(_: BorrowedFd<'_>, _: Mode) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// There is no file without a name.
pub(super) fn name(_: BorrowedFd<'_>, _: BorrowedFd<'_>, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Tells every record of an open directory.
pub(super) fn for_each(
    directory: BorrowedFd<'_>,
    visit: &mut dyn FnMut(&[u8], FileType) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs::Dir::read_from(directory)? {
        let entry = entry?;
        visit(entry.file_name().to_bytes(), entry.file_type())?;
    }
    Ok(())
}

/// No blocks are set aside.
pub(super) fn reserve(_: BorrowedFd<'_>, _: u64) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Blocks are not shared.
pub(super) fn share_blocks(_: BorrowedFd<'_>, _: BorrowedFd<'_>) -> bool {
    false
}

/// Bytes are copied by reading and writing.
pub(super) fn copy_bytes(_: BorrowedFd<'_>, _: BorrowedFd<'_>, _: u64, _: u64) -> io::Result<Option<u64>> {
    Ok(None)
}

/// `sync`: there is none for one file system.
pub(super) fn flush_file_system(_: BorrowedFd<'_>) -> io::Result<()> {
    fs::sync();
    Ok(())
}
