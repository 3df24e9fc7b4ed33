//! The real binary against real servers: one integration binary, one file a subject.

#![cfg(unix)]

mod check;
mod filter_oracle;
mod judge;
mod keys;
mod look;
mod plan;
mod pty;
mod raw;
mod servers;
mod sterna;
mod sync;
mod tree;
