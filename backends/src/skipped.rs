//! What a listing leaves out because no key can name it, or because it is no file: told, never silently dropped.

use std::{fmt, path::PathBuf, sync::Arc};

/// Who is told of what a listing leaves out. It must not wait.
pub type Observer = Arc<dyn Fn(Skipped) + Send + Sync>;

/// Something that a listing left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it lies, as its machine names it.
    pub path: PathBuf,
    /// Why it was left out.
    pub why: WhySkipped,
}

/// Why something is no entry of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhySkipped {
    /// Its name is not UTF-8; no key can name it.
    NotUtf8,
    /// It is a file called `／` at the root: its key would be empty.
    NoKey,
    /// It is a symbolic link, and links are skipped.
    Link,
    /// It is a symbolic link to nothing, and links are followed.
    Dangling,
    /// It is a symbolic link to a directory it lies in.
    Loop,
    /// It is a socket, a device or a pipe.
    Special,
    /// Its key would be longer than [`Key::MAX_BYTES`](crate::Key::MAX_BYTES).
    TooLong,
    /// It is a file called `….rclonelink` while links are kept under such names.
    LooksLikeLink,
}

impl WhySkipped {
    /// Whether it may be a file that somebody misses: nothing but its name stands against it.
    #[must_use]
    pub const fn is_nameless(self) -> bool {
        matches!(self, Self::NotUtf8 | Self::NoKey | Self::TooLong | Self::LooksLikeLink)
    }
}

impl fmt::Display for WhySkipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "the name is not UTF-8",
            Self::NoKey => "the key would be empty",
            Self::Link => "a symbolic link",
            Self::Dangling => "a symbolic link to nothing",
            Self::Loop => "a symbolic link to a directory above it",
            Self::Special => "a socket, device or pipe",
            Self::TooLong => "the key would be too long",
            Self::LooksLikeLink => "a file named like a kept symbolic link",
        })
    }
}
