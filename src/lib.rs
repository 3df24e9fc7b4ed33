//! Engine.

pub mod list;
