//! What the operating system is asked for, and nothing else: directories as handles, facts of files.
//!
//! Names are single names unless a parameter is called `path`; those are relative, joined by `/`, and hold no
//! `..`. Unless `follow` says otherwise no call goes through a symbolic link below the directory it starts from.

#[cfg(not(any(target_os = "linux", windows)))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "linux", windows)))]
use elsewhere as special;
#[cfg(target_os = "linux")]
use linux as special;
#[cfg(unix)]
pub(super) use unix::{Dir, copy_bytes, facts_of, flush_file_system, is_link_in_way, reserve, set_mode, share_blocks};
#[cfg(windows)]
pub(super) use windows::{
    Dir, copy_bytes, facts_of, flush_file_system, is_link_in_way, reserve, set_mode, share_blocks,
};

use crate::entry::Timestamp;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A socket, a device, a pipe.
    Special,
}

/// What one `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// Time of the last change of its content.
    pub modified: Timestamp,
    /// Time of the last change of its inode; on Windows the same as `modified`.
    pub changed: Timestamp,
    /// Type and permission bits as Unix has them; 0 on Windows.
    pub mode: u32,
    /// Device and inode; zeroes on Windows.
    pub id: (u64, u64),
    /// Names it has; 0 for a directory that was removed while open.
    pub links: u64,
}

impl Facts {
    /// Inode and time of its last change in one number.
    pub(super) fn stamp(&self) -> u64 {
        // The odd number spreads inodes, which are small and close together, over all bits.
        self.id.1.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.changed.as_nanos().cast_unsigned()
    }
}
