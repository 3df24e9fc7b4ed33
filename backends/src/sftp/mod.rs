//! SFTP: version 3 of the protocol (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions (its `PROTOCOL` file, section
//! 4), over the `ssh` program, whose configuration, agent and known hosts hold.
//!
//! What is special about it: many requests travel at once on one connection, so that their latency is paid once; a status
//! says little, and what lies there is looked at before it is explained; links below the root are neither listed nor
//! written through.
//!
//! The protocol is spoken here, not through a library: `openssh-sftp-client` 0.15 takes names for UTF-8, and one that is
//! not ends its connection; `russh-sftp` 3.0 replaces what it cannot read in them, and `russh` does not read `ssh`'s
//! configuration. See `docs/decisions/0015-sftp-over-the-ssh-program.md`.
//!
//! * `open` reads options; `server` starts `ssh` and says why it could not sign in.
//! * `wire` is the form of requests and replies, `facts` what they tell of files, `reply` what a status means.
//! * `control` is one connection and the requests under way on it; `pool` shares connections.
//! * `place` is what a tree asks for (`tree::Tree`); `list`, `read`, `put`, `copy` are what of it takes more
//!   than one request.

mod control;
mod copy;
mod facts;
mod list;
mod open;
mod place;
mod pool;
mod put;
mod read;
mod reply;
mod server;
mod wire;

use futures::FutureExt;

use crate::registry::{Family, OptionSpec};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "sftp",
    schemes: &["sftp"],
    about: "SFTP, through the ssh program",
    options: &[
        OptionSpec::text("endpoint", "[user@]host, ssh://[user@]host[:port], or a Host of ssh's configuration"),
        OptionSpec::text("root", "the directory on the server; without it, the one a login starts in"),
        OptionSpec::text("user", "whom to sign in as"),
        OptionSpec::text("key", "the file of the private key; without it, ssh looks where it always does"),
        OptionSpec::text("known_hosts_strategy", "Strict (the default), Add or Accept unknown host keys"),
        OptionSpec::bool("fsync", "have what was written on the server's disk before it gets its name (default true)"),
    ],
    open: |remote, path| open::open(remote, path).boxed(),
    digests: &[],
    buckets: None,
};
