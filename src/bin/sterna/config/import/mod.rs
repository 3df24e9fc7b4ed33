//! `config import-rclone`: an rclone.conf as remotes of ours.
//!
//! [`read`](read::read) takes the file apart, [`translate`] says what each section is here, and
//! [`Import::write`](write) adds it to the configuration. What has no counterpart is named, never dropped.

mod obscure;
mod read;
mod translate;
mod write;

pub use read::read;
pub use translate::{Import, Imported, Refused};
