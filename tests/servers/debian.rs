//! Programs out of Debian packages, unpacked under `target/servers/` and never installed: the machine's own servers, if
//! it has some, are left alone.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{home, run};

/// A program, and the packages that bring it. Their version is that of the machine's Debian: apt has no other.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The directory under `target/servers/`.
    pub name: &'static str,
    /// What apt is asked for.
    pub packages: &'static [&'static str],
    /// The program, relative to the directory.
    pub program: &'static str,
}

/// Apache with all its modules.
pub const APACHE: Package = Package { name: "debian-apache", packages: &["apache2-bin"], program: "usr/sbin/apache2" };

/// nginx, with the module that answers PROPFIND.
pub const NGINX: Package =
    Package { name: "debian-nginx", packages: &["nginx", "libnginx-mod-http-dav-ext"], program: "usr/sbin/nginx" };

/// lighttpd with WebDAV.
pub const LIGHTTPD: Package =
    Package { name: "debian-lighttpd", packages: &["lighttpd", "lighttpd-mod-webdav"], program: "usr/sbin/lighttpd" };

/// Caddy.
pub const CADDY: Package = Package { name: "debian-caddy", packages: &["caddy"], program: "usr/bin/caddy" };

/// vsftpd.
pub const VSFTPD: Package = Package { name: "debian-vsftpd", packages: &["vsftpd"], program: "usr/sbin/vsftpd" };

/// ProFTPD with TLS.
pub const PROFTPD: Package =
    Package { name: "debian-proftpd", packages: &["proftpd-core", "proftpd-mod-crypto"], program: "usr/sbin/proftpd" };

/// OpenSSH's server. The client, `ssh`, is the machine's own.
pub const SSHD: Package =
    Package { name: "debian-sshd", packages: &["openssh-server", "openssh-sftp-server"], program: "usr/sbin/sshd" };

/// What makes XFS file systems.
pub const XFS: Package = Package { name: "debian-xfs", packages: &["xfsprogs"], program: "sbin/mkfs.xfs" };

/// What makes Btrfs file systems.
pub const BTRFS: Package = Package { name: "debian-btrfs", packages: &["btrfs-progs"], program: "sbin/mkfs.btrfs" };

/// What makes exFAT file systems, and mounts them by FUSE.
pub const EXFAT: Package =
    Package { name: "debian-exfat", packages: &["exfatprogs", "exfat-fuse"], program: "sbin/mount.exfat-fuse" };

/// Prometheus.
pub const PROMETHEUS: Package =
    Package { name: "debian-prometheus", packages: &["prometheus"], program: "usr/bin/prometheus" };

/// A browser without a window.
pub const CHROMIUM: Package = Package {
    name: "debian-chromium",
    packages: &["chromium-headless-shell"],
    program: "usr/lib/chromium/chromium-headless-shell",
};

impl Package {
    /// The directory the packages were unpacked in.
    ///
    /// # Errors
    /// What apt said, and what to do where there is none.
    pub fn directory(&self) -> Result<PathBuf, String> {
        let home = home();
        let directory = home.join(self.name);
        if directory.join(self.program).is_file() {
            return Ok(directory);
        }
        let failed = |what: &str, error: std::io::Error| format!("cannot {what} below {}: {error}", home.display());
        fs::create_dir_all(&home).map_err(|error| failed("make a directory", error))?;
        let lock = File::create(home.join("install.lock")).map_err(|error| failed("lock", error))?;
        lock.lock().map_err(|error| failed("lock", error))?;
        if !directory.join(self.program).is_file() {
            self.unpack(&home, &directory)?;
        }
        Ok(directory)
    }

    /// A command that runs the program with the libraries that came with it.
    ///
    /// # Errors
    /// As [`Package::directory`].
    pub fn command(&self) -> Result<(Command, PathBuf), String> {
        let directory = self.directory()?;
        let mut command = Command::new(directory.join(self.program));
        let triplet = format!("{}-linux-gnu", env::consts::ARCH);
        let libraries = directory.join("usr/lib").join(triplet);
        // Some of Debian's libraries have a folder of their own below, which their users name when they are linked.
        let folders = [libraries.clone(), libraries.join("pulseaudio")];
        command.env("LD_LIBRARY_PATH", env::join_paths(folders).map_err(|error| error.to_string())?);
        Ok((command, directory))
    }

    fn unpack(&self, home: &Path, directory: &Path) -> Result<(), String> {
        let partial = home.join(format!("{}.partial", self.name));
        for stale in [&partial, &directory.to_path_buf()] {
            let _absent = fs::remove_dir_all(stale);
        }
        let archives = partial.join("archives");
        fs::create_dir_all(archives.join("partial"))
            .map_err(|error| format!("cannot make {}: {error}", archives.display()))?;
        let download = || {
            let mut apt = Command::new("apt-get");
            apt.args(["install", "--yes", "--quiet", "--no-install-recommends", "--download-only", "--reinstall"]);
            apt.args(["-o", "Debug::NoLocking=1", "-o"]).arg(format!("Dir::Cache::archives={}", archives.display()));
            apt.args(self.packages).env("DEBIAN_FRONTEND", "noninteractive");
            apt
        };
        // Where apt knows no package yet, as in a fresh container, it has to be told of them first.
        let downloaded = run(&mut download()).or_else(|first| {
            run(Command::new("apt-get").args(["update", "--quiet"])).map_err(|second| format!("{first}; {second}"))?;
            run(&mut download())
        });
        downloaded.map_err(|reason| {
            format!(
                "could not get {:?} from Debian: {reason}\nIt needs the network once, apt-get, and packages apt knows \
                 (as root: apt-get update); by hand: {:?}",
                self.packages,
                download()
            )
        })?;
        for archive in fs::read_dir(&archives).map_err(|error| format!("{}: {error}", archives.display()))?.flatten() {
            if archive.path().extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg").arg("-x").arg(archive.path()).arg(&partial))?;
            }
        }
        if !partial.join(self.program).is_file() {
            return Err(format!("{:?} came, and there is no {} in it", self.packages, self.program));
        }
        fs::rename(&partial, directory).map_err(|error| format!("cannot rename {}: {error}", partial.display()))
    }
}
