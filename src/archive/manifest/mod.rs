//! A manifest: what a snapshot holds. JSON Lines in byte order of the paths, compressed with zstd; its name has the
//! SHA-256 of the compressed bytes. `docs/archive.md` is its description for others.

mod line;
mod read;
mod write;

pub(super) use line::VERSION;
pub use line::{Content, Header, InvalidContent, Line, Seen};
pub use read::Manifest;
pub(super) use write::{Draft, Written};
