//! The settings of the family.

use std::fmt;

use crate::{
    error::Result,
    registry::{OptionSpec, Remote},
    skipped::Observer,
};

/// How a local directory is read and written.
#[derive(Clone)]
pub struct LocalOptions {
    /// What becomes of symbolic links.
    pub links: Links,
    /// When what was written reaches the disk.
    pub fsync: Fsync,
    /// Whether permission bits are kept: those of the source in copies, else `mode` of the user metadata (octal,
    /// rclone's name for it), which [`stat`](crate::Store::stat) and [`read`](crate::Store::read) then tell.
    pub permissions: bool,
    /// Whether blocks of zeroes become holes.
    pub sparse: bool,
    /// Whether a copy of a file within the root is another name of it, where time and permission bits are to be the same.
    pub hard_link: bool,
    /// Whether keys the file system cannot hold are escaped; else they are refused.
    pub escape: bool,
    /// Told of everything a listing leaves out, from the thread that walks; it must not wait.
    pub observer: Option<Observer>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            links: Links::Skip,
            fsync: Fsync::Batch,
            permissions: false,
            sparse: false,
            hard_link: false,
            escape: true,
            observer: None,
        }
    }
}

impl fmt::Debug for LocalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalOptions")
            .field("links", &self.links)
            .field("fsync", &self.fsync)
            .field("permissions", &self.permissions)
            .field("sparse", &self.sparse)
            .field("hard_link", &self.hard_link)
            .field("escape", &self.escape)
            .finish_non_exhaustive()
    }
}

/// The options as the registry names them.
pub(super) static OPTIONS: &[OptionSpec] = &[
    OptionSpec::text("links", "symbolic links: skip (default), follow, or links (kept as text in NAME.rclonelink)"),
    OptionSpec::text("fsync", "when files reach the disk: batch (default), none, or always"),
    OptionSpec::bool("permissions", "keep permission bits"),
    OptionSpec::bool("sparse", "make holes of blocks of zeroes"),
    OptionSpec::bool(
        "hard_link",
        "give a file of the place another name instead of copying it, where the times are the same",
    ),
    OptionSpec::bool("escape", "escape keys a file system cannot hold (default true)"),
];

impl LocalOptions {
    /// The options of a configured remote; no observer.
    ///
    /// # Errors
    /// `Config` for a value that is none.
    pub fn of(remote: &Remote) -> Result<Self> {
        let default = Self::default();
        Ok(Self {
            links: remote.parsed("links")?.unwrap_or(default.links),
            fsync: remote.parsed("fsync")?.unwrap_or(default.fsync),
            permissions: remote.bool("permissions", default.permissions)?,
            sparse: remote.bool("sparse", default.sparse)?,
            hard_link: remote.bool("hard_link", default.hard_link)?,
            escape: remote.bool("escape", default.escape)?,
            observer: None,
        })
    }

    /// Stores that read names and links alike, so that a key means the same file to each of them.
    pub(super) fn domain(&self) -> String {
        let links = match self.links {
            Links::Skip => "",
            Links::Follow => "+follow",
            Links::Keep => "+links",
        };
        format!("local{links}{}", if self.escape { "" } else { "+plain" })
    }
}

/// What becomes of symbolic links below the root. The root itself may be one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// They are left out of listings and cannot be read.
    #[default]
    Skip,
    /// Reading and listing see what they point at, outside the root too. Writing does not go through them.
    Follow,
    /// A link `a` is the object `a.rclonelink`, whose content is what the link says.
    Keep,
}

/// When what was written reaches the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// When the system likes. After a power loss files may be empty or torn.
    None,
    /// All of it each time 1,000 files or 1 GiB came together, in [`Local::sync`](super::Local::sync), and when
    /// the last value of the store is dropped. After a power loss what came after the last of these may be torn.
    #[default]
    Batch,
    /// Each file before it gets its name, and its name before the put returns.
    Always,
}

/// A text that is none of the words an option takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write one of {0}")]
pub struct UnknownWord(&'static str);

impl std::str::FromStr for Links {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "skip" => Ok(Self::Skip),
            "follow" | "copy" => Ok(Self::Follow),
            "links" => Ok(Self::Keep),
            _ => Err(UnknownWord("skip, follow, links")),
        }
    }
}

impl std::str::FromStr for Fsync {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "none" => Ok(Self::None),
            "batch" => Ok(Self::Batch),
            "always" => Ok(Self::Always),
            _ => Err(UnknownWord("none, batch, always")),
        }
    }
}
