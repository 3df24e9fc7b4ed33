//! What is known of contents, and how more is learnt: digests and facts of one object, when somebody asks.
//!
//! [`Index`] remembers across runs: for the exact version of an object its digests, and for a content where it lies. It
//! is a memory and no truth: a row counts only for the version it was made for, and losing the file costs time.

mod ask;
mod build;
mod cuts;
mod database;
mod dups;
mod export;
mod import;
mod learnt;
mod row;
mod settle;
mod shelf;
#[cfg(test)]
mod tests;
mod twins;

pub use ask::{ALL, digest, digests, learn, name_of, of_bytes, of_chunks, of_file, parts};
pub use build::{BuildSettings, Built, build};
pub(crate) use database::file;
pub use database::{Index, IndexError, PlaceStats, Stats};
pub use dups::{Dups, Group, Member, dups};
pub use export::{Format, export};
pub use import::{Imported, InvalidSums, Problem, Sums, import};
pub use learnt::Learnt;
pub use row::Row;
pub use settle::{Known, Unsettled, settle};
pub use shelf::{Shelf, Shelves, rows};
pub use sterna_backends::digest::Hasher;
pub use twins::Twins;
