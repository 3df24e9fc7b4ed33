//! `config import-rclone`: an rclone.conf as remotes of ours.
//!
//! [`read()`] takes the file apart, [`translate`] says what each section is here, and [`Import::write`] adds it to
//! the configuration. What has no counterpart is named, never dropped.

mod obscure;
mod read;
mod translate;
mod write;

pub use read::read;
#[cfg(test)]
pub(super) use read::read_for;
#[cfg(test)]
pub(super) use translate::Import;
