//! Mirrors that run by themselves.

pub mod schedule;
