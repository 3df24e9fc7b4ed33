//! What is known of servers by name. Facts from documentation are marked with their address.

/// How times fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// `X-OC-Mtime` is honoured.
    Kept,
    /// The server sets its own.
    Ignored,
    /// To be tried.
    Unknown,
}

/// A kind of server.
#[derive(Debug)]
pub(super) struct Vendor {
    pub name: &'static str,
    pub times: Times,
    /// A PUT is atomic by itself, and better than a MOVE: that is another call, and would cost a file of Nextcloud's its
    /// versions and shares.
    pub atomic_put: bool,
    /// Keeps the checksums it is sent, and tells them in listings.
    pub checksums: bool,
    /// Takes uploads in parts as Nextcloud does, version 2.
    pub chunks: bool,
    /// Takes control characters and `\` in names.
    pub odd_names: bool,
    /// Lists every name. Where it does not, nobody sees that a collection is empty.
    pub lists_all: bool,
}

/// Nextcloud and ownCloud write to a part file and rename it
/// (<https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/basic.html>); the chunked upload is
/// <https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/chunking.html>. mod_dav and nginx know
/// no `X-OC-Mtime` (seen with Apache 2.4.67; nginx' documentation names none). Both write to a file of another name and rename
/// it: mod_dav_fs 2.4 to `.davfs.tmp…` beside it (modules/dav/fs/repos.c), nginx by its documentation
/// (<https://nginx.org/en/docs/http/ngx_http_dav_module.html#dav_methods>).
pub(super) static VENDORS: &[Vendor] = &[
    Vendor {
        times: Times::Kept,
        atomic_put: true,
        checksums: true,
        chunks: true,
        odd_names: false,
        ..other("nextcloud")
    },
    Vendor { times: Times::Kept, atomic_put: true, checksums: true, odd_names: false, ..other("owncloud") },
    Vendor { times: Times::Ignored, atomic_put: true, ..other("apache") },
    // ngx_http_dav_ext_module leaves out what begins with a dot.
    Vendor { times: Times::Ignored, atomic_put: true, lists_all: false, ..other("nginx") },
    other("other"),
];

const fn other(name: &'static str) -> Vendor {
    Vendor {
        name,
        times: Times::Unknown,
        atomic_put: false,
        checksums: false,
        chunks: false,
        odd_names: true,
        lists_all: true,
    }
}

/// The vendor of that name.
pub(super) fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}
