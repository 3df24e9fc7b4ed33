//! FTP, plain or with explicit TLS, after RFC 959, 2228, 2389, 2428, 3659 and 4217.
//!
//! What is special about it: servers say what they can (`FEAT`) and are taken at their word, not by name; a refusal is
//! known by its code alone, and as most codes say no more than "no", what lies there is looked at before it is explained;
//! an object is written under a temporary name beside its own, looked at, and renamed.
//!
//! The protocol is spoken here, not through a library: `opendal`'s service loses and mistakes objects, and `suppaftp`
//! 10.0 waits for a TLS handshake that a refused command never gets, tells failures of TLS as text only, cuts white
//! space off names, and hides what it would take to mend that from outside. See `docs/backends/ftp.md`.
//!
//! * `open` reads options and asks the server what it can; `server` connects and signs in.
//! * `control` is one connection: commands, replies, and the second connection that carries bytes. `reply` reads.
//! * `tls` secures both. `pool` shares connections.
//! * `facts` reads what servers tell of files.
//! * `place` is what a tree asks for (`tree::Tree`); `list`, `read`, `put` are what of it takes more than a
//!   command.

mod control;
mod facts;
mod list;
mod open;
mod place;
mod pool;
mod put;
mod read;
mod reply;
mod server;
mod tls;

use futures::FutureExt;

use crate::{
    registry::{Family, OptionSpec},
    web::client::CA_FILE,
};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "ftp",
    schemes: &["ftp"],
    about: "FTP, plain or with explicit TLS",
    options: &[
        OptionSpec::text("host", "the server, as host or host:port"),
        OptionSpec::text("port", "its port, where it is not 21"),
        OptionSpec::text("user", "whom to sign in as; without it, anonymous"),
        OptionSpec::secret("password", "the password"),
        OptionSpec::text("tls", "none (the default) or explicit: TLS for commands and for data"),
        CA_FILE,
        OptionSpec::text("root", "the directory on the server; without it, the one a login starts in"),
        OptionSpec::text("times", "auto (the default), mdtm (set them as vsftpd takes it), kept (trust them), none"),
        OptionSpec::text("listing", "auto (the default): MLSD where the server has it; list: always LIST -a"),
        OptionSpec::text("passive", "auto (the default), epsv or pasv: how connections for data are asked for"),
    ],
    open: |remote, path| open::open(remote, path).boxed(),
    digests: &[],
    buckets: None,
};
