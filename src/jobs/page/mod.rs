//! The status page and what stands beside it: JSON, what tunasync's front pages read, metrics, health.
//!
//! [`serve`] speaks HTTP, [`Door`] lets in, [`Site`] answers. Everything is read from the [`Board`](super::daemon::Board) and the history at the moment it is
//! asked for; nothing is kept.

mod answer;
mod api;
mod door;
mod html;
mod http;
mod log;
mod metrics;
mod site;
mod stand;
mod tunasync;

pub use self::{
    door::{Door, DoorError, SHORTEST_TOKEN},
    http::{Handler, Request, Response, serve},
    site::Site,
};
