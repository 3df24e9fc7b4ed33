//! A deduplicated archive on any store: contents under their SHA-256, and one manifest a snapshot.
//!
//! * [`Archive`] is a place that holds one; [`create`] adds a snapshot, [`forget`] and [`prune`] take some away,
//!   [`audit`] looks whether everything is there.
//! * [`Snapshot`] is a snapshot *as a store*: it is listed, compared and copied from like any other place.
//! * [`View`] is a snapshot as a plain tree in the archive, of copies that the store makes.
//! * `Contents` is a source seen by its contents, for the transfers into an archive.
//! * [`lease`](crate::lease) keeps those who add and the one who deletes apart; the protocol is in `docs/archive.md`.

mod audit;
mod chunk;
mod contents;
mod create;
mod forget;
mod layout;
mod manifest;
mod place;
mod present;
mod prune;
mod size;
mod snapshot;
#[cfg(test)]
mod tests;
mod view;

pub use crate::lease::Terms;
pub use audit::{Audit, Flaw, audit};
pub use create::{Created, Creation, Cut, create};
pub use forget::{Keep, Kept, Why, forget};
pub use layout::{InvalidName, Name, SnapshotId};
pub use manifest::{Content, Header, InvalidContent, Line, Manifest, Seen};
pub use place::Archive;
pub use prune::{Pruned, prune};
pub use size::ManifestSize;
pub use snapshot::Snapshot;
pub use view::{View, Views};
