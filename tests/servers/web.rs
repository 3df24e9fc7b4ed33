//! WebDAV servers, and plain web servers: how each is started, and the handle tests hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::debian::{APACHE, CADDY, LIGHTTPD, NGINX};
use crate::install::{RCLONE, SEAWEEDFS, WSGIDAV};
use crate::judge::rclone;
use crate::process::{Launch, Process};

/// A running server, plain HTTP. Nobody has to sign in, except where there is a user.
#[derive(Debug)]
pub struct WebServer {
    /// `http://127.0.0.1:PORT`, without a `/` at its end.
    pub url: String,
    /// The directory that is served; `None` where the server keeps its data in its own way.
    pub data: Option<PathBuf>,
    /// User and password.
    pub user: Option<(&'static str, &'static str)>,
    /// What rclone's configuration calls it as a WebDAV vendor.
    pub rclone_vendor: &'static str,
    /// The process behind it.
    pub process: Process,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl WebServer {
    /// A fresh folder for one test: its address, without a `/` at its end.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn folder(&self, name: &str) -> String {
        let name = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        match &self.data {
            // rclone does not see at once what is made behind its back.
            Some(data) if self.rclone_vendor != "rclone" => {
                fs::create_dir_all(data.join(&name)).expect("a writable temporary directory");
            }
            _ => {
                let made = rclone().args(["mkdir", &self.rclone_place(&name)]).output().expect("rclone was installed");
                assert!(made.status.success(), "no folder {name}: {}", String::from_utf8_lossy(&made.stderr));
            }
        }
        format!("{}/{name}", self.url)
    }

    /// A folder of this server on disk.
    ///
    /// # Panics
    /// For servers that keep their data in their own way, and addresses of others.
    #[must_use]
    pub fn on_disk(&self, folder: &str) -> PathBuf {
        let data = self.data.as_ref().expect("a server of files");
        data.join(folder.strip_prefix(&self.url).expect("an address of this server").trim_start_matches('/'))
    }

    /// A path on this server, as rclone names it without a configuration.
    #[must_use]
    pub fn rclone_place(&self, path: &str) -> String {
        format!(":webdav,url=\"{}\",vendor={}:{path}", self.url, self.rclone_vendor)
    }
}

fn server(port: u16, data: Option<PathBuf>, process: Process) -> WebServer {
    WebServer { url: format!("http://127.0.0.1:{port}"), data, user: None, rclone_vendor: "other", process }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn make(path: PathBuf) -> Result<PathBuf, String> {
    fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    Ok(path)
}

fn started(name: &str, launch: impl Fn(&Path, u16) -> Result<Command, String>) -> Result<WebServer, String> {
    let (process, ports) = Process::start(name, 1, |directory, ports| {
        make(directory.join("data"))?;
        let command = launch(directory, ports[0])?;
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/", false)] })
    })?;
    let data = process.directory().join("data");
    Ok(server(ports[0], Some(data), process))
}

/// The whole of it takes WebDAV; below `/flat/` `Depth: infinity` is refused, below `/closed/` one has to sign in.
pub(crate) fn apache() -> Result<WebServer, String> {
    started("apache", |directory, port| {
        let (mut command, installed) = APACHE.command()?;
        let at = directory.display();
        let modules = [
            "mpm_event",
            "authn_core",
            "authn_file",
            "auth_basic",
            "authz_core",
            "authz_user",
            "dir",
            "mime",
            "autoindex",
            "dav",
            "dav_fs",
            "alias",
        ];
        let modules: String = modules
            .iter()
            .map(|name| {
                format!("LoadModule {name}_module {}/usr/lib/apache2/modules/mod_{name}.so\n", installed.display())
            })
            .collect();
        write(&directory.join("mime.types"), "text/plain txt\ntext/html html\n")?;
        // The password is "secret", as `htpasswd -s` writes it.
        write(&directory.join("users"), "tern:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")?;
        for folder in ["flat", "closed"] {
            make(directory.join("data").join(folder))?;
        }
        let config = format!(
            "{modules}ServerRoot {at}\nPidFile {at}/pid\nListen 127.0.0.1:{port}\nServerName 127.0.0.1\n\
             ErrorLog {at}/error\nTypesConfig {at}/mime.types\nDavLockDB {at}/locks\nDocumentRoot {at}/data\n\
             DirectoryIndex disabled\nAllowEncodedSlashes Off\nKeepAliveTimeout 60\nMaxKeepAliveRequests 0\n\
             <Directory {at}/data>\nDav On\nDavDepthInfinity On\nOptions Indexes\nIndexOptions FancyIndexing NameWidth=*\n\
             Require all granted\n</Directory>\n<Directory {at}/data/flat>\nDavDepthInfinity Off\n</Directory>\n\
             <Directory {at}/data/closed>\nAuthType Basic\nAuthName birds\nAuthUserFile {at}/users\n\
             Require valid-user\n</Directory>\n"
        );
        let file = directory.join("apache.conf");
        write(&file, &config)?;
        command.arg("-f").arg(file).args(["-D", "FOREGROUND"]);
        Ok(command)
    })
}

pub(crate) fn rclone_webdav() -> Result<WebServer, String> {
    let mut server = started("rclone-webdav", |directory, port| {
        let mut command = Command::new(RCLONE.path()?);
        command.args(["serve", "webdav", "--config", "/dev/null", "--addr", &format!("127.0.0.1:{port}")]);
        command.arg(directory.join("data"));
        Ok(command)
    })?;
    server.rclone_vendor = "rclone";
    Ok(server)
}

/// The certificate lies beside the data.
pub(crate) fn rclone_webdav_tls() -> Result<WebServer, String> {
    let mut server = started("rclone-webdav-tls", |directory, port| {
        let (certificate, key) = crate::s3::certificate(directory)?;
        let mut command = Command::new(RCLONE.path()?);
        command.args(["serve", "webdav", "--config", "/dev/null", "--addr", &format!("127.0.0.1:{port}")]);
        command.args(["--user", "tern", "--pass", "secret", "--cert"]).arg(certificate).arg("--key").arg(key);
        command.arg(directory.join("data"));
        Ok(command)
    })?;
    server.url = server.url.replace("http://", "https://");
    server.user = Some(("tern", "secret"));
    Ok(server)
}

pub(crate) fn rclone_http() -> Result<WebServer, String> {
    started("rclone-http", |directory, port| {
        let mut command = Command::new(RCLONE.path()?);
        command.args(["serve", "http", "--config", "/dev/null", "--addr", &format!("127.0.0.1:{port}")]);
        // What is written beside it is to be seen at once.
        command.args(["--dir-cache-time", "0s"]).arg(directory.join("data"));
        Ok(command)
    })
}

/// nginx: index pages at `/`, WebDAV with both of its modules.
pub(crate) fn nginx() -> Result<WebServer, String> {
    started("nginx", |directory, port| {
        let (mut command, installed) = NGINX.command()?;
        let at = directory.display();
        let config = format!(
            "load_module {}/usr/lib/nginx/modules/ngx_http_dav_ext_module.so;\n\
             daemon off; pid {at}/pid; error_log {at}/error; worker_processes 1;\n{}\
             events {{ }}\nhttp {{ access_log off; default_type application/octet-stream;\n\
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
             uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi; client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port}; root {at}/data; location / {{ autoindex on; autoindex_exact_size on;\n\
             dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS;\n\
             create_full_put_path off; dav_access user:rw group:rw all:r; }} }} }}\n",
            installed.display(),
            // Its workers would leave root for a user who cannot enter a directory of root's.
            if is_root() { "user root;\n" } else { "" },
        );
        let file = directory.join("nginx.conf");
        write(&file, &config)?;
        command.arg("-p").arg(directory).arg("-e").arg(directory.join("error")).arg("-c").arg(file);
        Ok(command)
    })
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// lighttpd: index pages at `/`, WebDAV below.
pub(crate) fn lighttpd() -> Result<WebServer, String> {
    started("lighttpd", |directory, port| {
        let (mut command, installed) = LIGHTTPD.command()?;
        let at = directory.display();
        make(directory.join("uploads"))?;
        let config = format!(
            "server.document-root = \"{at}/data\"\nserver.port = {port}\nserver.bind = \"127.0.0.1\"\n\
             server.modules = (\"mod_dirlisting\", \"mod_webdav\")\nserver.errorlog = \"{at}/error\"\n\
             server.upload-dirs = (\"{at}/uploads\")\ndir-listing.activate = \"enable\"\n\
             mimetype.assign = (\".txt\" => \"text/plain\", \"\" => \"application/octet-stream\")\n\
             server.stat-cache-engine = \"disable\"\n\
             webdav.activate = \"enable\"\nserver.max-keep-alive-requests = 100000\n\
             webdav.opts = (\"propfind-depth-infinity\" => \"enable\")\n"
        );
        let file = directory.join("lighttpd.conf");
        write(&file, &config)?;
        command.args(["-D", "-m"]).arg(installed.join("usr/lib/lighttpd")).arg("-f").arg(file);
        Ok(command)
    })
}

/// WsgiDAV: Python's.
pub(crate) fn wsgidav() -> Result<WebServer, String> {
    started("wsgidav", |directory, port| {
        let mut command = Command::new("python3");
        command.args(["-c", "from wsgidav.server.server_cli import run; run()", "--no-config", "--quiet"]);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--auth", "anonymous", "--root"]);
        command.arg(directory.join("data"));
        command.env("PYTHONPATH", WSGIDAV.directory()?).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    })
}

/// Caddy: index pages at `/`.
pub(crate) fn caddy() -> Result<WebServer, String> {
    started("caddy", |directory, port| {
        let (mut command, _) = CADDY.command()?;
        command.args(["file-server", "--browse", "--listen", &format!("127.0.0.1:{port}"), "--root"]);
        command.arg(directory.join("data"));
        Ok(command)
    })
}

/// SeaweedFS: its filer's index pages at one address, its WebDAV at another.
pub(crate) fn seaweedfs() -> Result<(WebServer, String), String> {
    let weed = SEAWEEDFS.path()?;
    let (process, ports) = Process::start("seaweedfs-webdav", 8, |directory, ports| {
        let data = make(directory.join("data"))?;
        let mut command = Command::new(&weed);
        command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-webdav"]);
        command.arg(format!("-dir={}", data.display())).arg(format!("-webdav.port={}", ports[6]));
        command.arg(format!("-webdav.cacheDir={}", directory.join("cache").display()));
        for (component, pair) in ["master.port", "volume.port", "filer.port"].iter().zip(ports.chunks(2)) {
            command.arg(format!("-{component}={}", pair[0])).arg(format!("-{component}.grpc={}", pair[1]));
        }
        command.args(["-master.telemetry=false", "-master.heartbeatInterval=50ms", "-master.volumeSizeLimitMB=64"]);
        command.args(["-volume.max=200", "-volume.minFreeSpacePercent=0"]);
        command.env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
        let sockets = [("master-grpc", 1), ("volume-grpc", 3), ("filer", 4), ("filer-grpc", 5)];
        let litter =
            sockets.iter().map(|(name, port)| format!("/tmp/seaweedfs-{name}-{}.sock", ports[*port]).into()).collect();
        let ready = vec![(ports[0], "/dir/assign", true), (ports[4], "/", true), (ports[6], "/", false)];
        Ok(Launch { command, litter, ready })
    })?;
    let filer = format!("http://127.0.0.1:{}", ports[4]);
    Ok((server(ports[6], None, process), filer))
}
