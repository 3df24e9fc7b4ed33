//! Listing a place.

pub mod filter;
