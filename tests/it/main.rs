//! The real binary against real servers: one integration binary, one file a subject.

#![cfg(unix)]

mod adopt;
mod azure;
mod b2;
mod b2_oracle;
mod bad;
mod bridge;
mod check;
mod compare;
mod compare_page;
mod cost;
mod deletes;
mod destinations;
mod filter_oracle;
mod ftp;
mod gcs;
mod http;
mod identity;
mod index;
mod jobs;
mod judge;
mod keys;
mod kill;
mod look;
mod missing;
mod pairs;
mod plan;
mod priced;
mod pty;
mod publication;
mod quote;
mod raw;
mod reuse;
mod servers;
mod sftp;
mod snapshot;
mod spending;
mod sterna;
mod sync;
mod terminal;
mod tree;
mod versions;
mod views;
mod volumes;
mod webdav;
