//! What only Linux has: `openat2`, `O_TMPFILE`, `getdents64` without a copy, `syncfs`, `FICLONE`,
//! `copy_file_range`.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    fs::{self, AtFlags, FallocateFlags, FileType, Mode, OFlags, RawDir, ResolveFlags},
    io::Errno,
};

/// Bytes of directory records one call asks for.
const RECORDS: usize = 64 * 1024;

/// `openat2` is missing before Linux 5.6, and sandboxes forbid it.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

/// Opens `path` in one call that meets no symbolic link; `None` where the kernel has no such call.
pub(super) fn open_without_links(from: BorrowedFd<'_>, path: &str, flags: OFlags) -> Option<io::Result<OwnedFd>> {
    if NO_OPENAT2.load(Ordering::Relaxed) {
        return None;
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match fs::openat2(from, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS) => {
            NO_OPENAT2.store(true, Ordering::Relaxed);
            None
        }
        // A sandbox that forbids the call, or a directory that is being moved at this moment.
        Err(Errno::PERM | Errno::AGAIN) => None,
        opened => Some(opened.map_err(Into::into)),
    }
}

/// By the kind of the file system and, where directories have a flag of their own for it, by that; numbers and flag from
/// the kernel's `include/uapi/linux/magic.h` and `fs.h`. Others (FUSE, network, ZFS) may do either.
pub(super) fn folds_case(directory: BorrowedFd<'_>) -> Option<bool> {
    const CASEFOLD: u32 = 0x4000_0000;
    // The field has another width and sign on each architecture; the numbers fit 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of 32 bits")]
    let kind = fs::fstatfs(directory).ok()?.f_type as u32;
    match kind {
        // ext2 to ext4, f2fs, tmpfs
        0xef53 | 0xf2f5_2010 | 0x0102_1994 => {
            Some(fs::ioctl_getflags(directory).is_ok_and(|flags| flags.bits() & CASEFOLD != 0))
        }
        // XFS, Btrfs, ramfs, SquashFS
        0x5846_5342 | 0x9123_683e | 0x8584_58f6 | 0x7371_7368 => Some(false),
        // FAT, exFAT, HFS, HFS+, CIFS, SMB
        0x4d44 | 0x2011_bab0 | 0x4244 | 0x482b | 0xff53_4d42 | 0xfe53_4d42 => Some(true),
        _ => None,
    }
}

/// A new file in `directory` that has no name yet; `None` where the file system, the kernel or a missing `/proc` leave
/// no way to make one and name it later.
pub(super) fn create_unnamed(directory: BorrowedFd<'_>, mode: Mode) -> io::Result<Option<OwnedFd>> {
    static NAMED_LATER: LazyLock<bool> = LazyLock::new(|| std::path::Path::new("/proc/self/fd").is_dir());
    if !*NAMED_LATER {
        return Ok(None);
    }
    match fs::openat(directory, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode) {
        // Kernels without it take the flag for `O_DIRECTORY`; ext4 says `EPERM` in a directory that was removed, and a
        // file with a name is told the right error there.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS | Errno::PERM) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// Gives the file of [`create_unnamed`] a name that is free.
pub(super) fn name(file: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(fs::linkat(fs::CWD, path, directory, name, AtFlags::SYMLINK_FOLLOW)?)
}

/// Tells every record of an open directory.
pub(super) fn for_each(
    directory: BorrowedFd<'_>,
    visit: &mut dyn FnMut(&[u8], FileType) -> io::Result<()>,
) -> io::Result<()> {
    let mut records = Vec::<u8>::with_capacity(RECORDS);
    let mut directory = RawDir::new(directory, records.spare_capacity_mut());
    while let Some(entry) = directory.next() {
        let entry = entry?;
        visit(entry.file_name().to_bytes(), entry.file_type())?;
    }
    Ok(())
}

/// Sets blocks aside and makes the file `len` bytes long.
pub(super) fn reserve(file: BorrowedFd<'_>, len: u64) -> Result<(), Errno> {
    if len == 0 {
        return Ok(());
    }
    fs::fallocate(file, FallocateFlags::empty(), 0, len)
}

/// `FICLONE`.
pub(super) fn share_blocks(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    fs::ioctl_ficlone(to, from).is_ok()
}

/// `copy_file_range`; `None` where it does not work between these files, or at all.
pub(super) fn copy_bytes(from: BorrowedFd<'_>, to: BorrowedFd<'_>, offset: u64, want: u64) -> io::Result<Option<u64>> {
    let (mut read_at, mut write_at) = (offset, offset);
    let want = usize::try_from(want).unwrap_or(usize::MAX);
    match fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), want) {
        Ok(moved) => Ok(Some(moved as u64)),
        Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::NOTSUP | Errno::PERM | Errno::BADF) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `syncfs`.
pub(super) fn flush_file_system(directory: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fs::syncfs(directory)?)
}
