//! The real binary against real servers: one integration binary, one file a subject.

#![cfg(unix)]

mod pty;
mod servers;
mod sterna;
