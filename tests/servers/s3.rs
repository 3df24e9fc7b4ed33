//! S3 servers: how each is started, and the handle tests hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::install::{MOTO, RCLONE, SEAWEEDFS};
use crate::judge::{self, Remote};
use crate::process::{Launch, Process};

/// A running S3 endpoint. Path-style addresses, plain HTTP, region `us-east-1`.
#[derive(Debug)]
pub struct S3Server {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// A key that may do everything.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// What sterna's configuration calls this kind of server.
    pub provider: &'static str,
    /// What rclone's configuration calls it.
    pub rclone_provider: &'static str,
    /// Whether a request signed with a wrong key is refused.
    pub checks_signatures: bool,
    /// The certificate its own is to be trusted by, where it speaks TLS.
    pub ca_file: Option<PathBuf>,
    /// The process behind the endpoint.
    pub process: Process,
}

impl S3Server {
    /// Makes a bucket of its own for one test, `NAME-NUMBER`, and returns its name.
    ///
    /// # Panics
    /// When the server refuses; with what rclone said.
    #[must_use]
    pub fn bucket(&self, name: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let bucket = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = self.rclone().args(["mkdir", &format!("server:{bucket}")]).output().expect("rclone was installed");
        assert!(made.status.success(), "no bucket {bucket}: {}", String::from_utf8_lossy(&made.stderr));
        bucket
    }

    /// How rclone's configuration names this server.
    #[must_use]
    pub fn remote(&self) -> Remote {
        let settings = [
            ("TYPE", "s3"),
            ("PROVIDER", self.rclone_provider),
            ("ENDPOINT", &self.endpoint),
            ("ACCESS_KEY_ID", &self.access_key),
            ("SECRET_ACCESS_KEY", &self.secret_key),
            ("REGION", "us-east-1"),
            ("FORCE_PATH_STYLE", "true"),
        ];
        settings.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// rclone with this server as its remote `server:`.
    ///
    /// # Panics
    /// When rclone cannot be installed.
    #[must_use]
    pub fn rclone(&self) -> Command {
        judge::rclone_with(&[("server", self)])
    }
}

pub(crate) fn seaweedfs() -> Result<S3Server, String> {
    start_seaweedfs("seaweedfs", "seaweed-key", "seaweed-secret")
}

pub(crate) fn seaweedfs_second() -> Result<S3Server, String> {
    start_seaweedfs("seaweedfs-second", "second-key", "second-secret")
}

fn start_seaweedfs(name: &str, access_key: &str, secret_key: &str) -> Result<S3Server, String> {
    let weed = SEAWEEDFS.path()?;
    let (process, ports) = Process::start(name, 8, |directory, ports| {
        let identities = directory.join("identities.json");
        write(&identities, &seaweedfs_identities(access_key, secret_key))?;
        let data = directory.join("data");
        fs::create_dir(&data).map_err(|error| format!("cannot make {}: {error}", data.display()))?;
        let mut command = Command::new(&weed);
        command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
        command.arg(format!("-dir={}", data.display())).arg(format!("-s3.config={}", identities.display()));
        let components = ["master.port", "volume.port", "filer.port", "s3.port"];
        for (component, pair) in components.iter().zip(ports.chunks(2)) {
            command.arg(format!("-{component}={}", pair[0])).arg(format!("-{component}.grpc={}", pair[1]));
        }
        command.args([
            "-master.telemetry=false",
            // The master waits a multiple of it before it leads, and a volume server that comes too early waits 5 s.
            "-master.heartbeatInterval=50ms",
            // Every bucket takes a volume of its own, and an empty volume takes no room.
            "-master.volumeSizeLimitMB=1024",
            "-volume.max=2000",
            // A nearly full disk must not turn every bucket read-only.
            "-volume.minFreeSpacePercent=0",
            "-s3.iam=false",
            // Buckets as virtual hosts beside those in the path.
            "-s3.domainName=localhost",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
        ]);
        // One volume per bucket instead of seven.
        command.env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
        let litter = seaweedfs_sockets(ports);
        Ok(Launch { command, litter, ready: vec![(ports[0], "/dir/assign", true), (ports[6], "/", false)] })
    })?;
    Ok(S3Server {
        endpoint: format!("http://127.0.0.1:{}", ports[6]),
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        provider: "seaweedfs",
        rclone_provider: "SeaweedFS",
        checks_signatures: true,
        ca_file: None,
        process,
    })
}

fn seaweedfs_identities(access_key: &str, secret_key: &str) -> String {
    format!(
        r#"{{"identities": [{{"name": "test", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{{"accessKey": "{access_key}", "secretKey": "{secret_key}"}}]}}]}}"#
    )
}

/// SeaweedFS listens on sockets in `/tmp` too, named by its ports, and leaves them when it is killed.
fn seaweedfs_sockets(ports: &[u16]) -> Vec<PathBuf> {
    let names = [("master-grpc", 1), ("volume-grpc", 3), ("filer", 4), ("filer-grpc", 5), ("s3", 6), ("s3-grpc", 7)];
    names.iter().map(|(name, port)| format!("/tmp/seaweedfs-{name}-{}.sock", ports[*port]).into()).collect()
}

pub(crate) fn rclone_s3() -> Result<S3Server, String> {
    start_rclone("rclone", false)
}

pub(crate) fn rclone_s3_tls() -> Result<S3Server, String> {
    start_rclone("rclone-tls", true)
}

/// A certificate of this machine's, and its key.
pub(crate) fn certificate(directory: &Path) -> Result<(PathBuf, PathBuf), String> {
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .map_err(|error| format!("no certificate could be made: {error}"))?;
    write(&certificate, &made.cert.pem())?;
    write(&key, &made.signing_key.serialize_pem())?;
    Ok((certificate, key))
}

fn start_rclone(name: &str, tls: bool) -> Result<S3Server, String> {
    let rclone = RCLONE.path()?;
    let (access_key, secret_key) = ("rclone-key", "rclone-secret");
    let mut ca_file = None;
    let (process, ports) = Process::start(name, 1, |directory, ports| {
        let data = directory.join("data");
        fs::create_dir(&data).map_err(|error| format!("cannot make {}: {error}", data.display()))?;
        let mut command = Command::new(&rclone);
        command.args(["serve", "s3", "--config", "/dev/null", "--addr", &format!("127.0.0.1:{}", ports[0])]);
        if tls {
            let (certificate, key) = certificate(directory)?;
            command.arg("--cert").arg(&certificate).arg("--key").arg(&key);
            ca_file = Some(certificate);
        }
        command.args(["--auth-key", &format!("{access_key},{secret_key}")]).arg(data);
        // Over TLS, too, a plain request is answered: with a 400.
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/", false)] })
    })?;
    Ok(S3Server {
        endpoint: format!("{}://127.0.0.1:{}", if tls { "https" } else { "http" }, ports[0]),
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        provider: "generic",
        rclone_provider: "Rclone",
        checks_signatures: true,
        ca_file,
        process,
    })
}

pub(crate) fn moto() -> Result<S3Server, String> {
    let library = MOTO.directory()?;
    let (process, ports) = Process::start("moto", 1, |_, ports| {
        let mut command = Command::new("python3");
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &ports[0].to_string()]);
        command.env("PYTHONPATH", &library).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/", false)] })
    })?;
    Ok(S3Server {
        endpoint: format!("http://127.0.0.1:{}", ports[0]),
        access_key: "moto-key".to_owned(),
        secret_key: "moto-secret".to_owned(),
        provider: "generic",
        rclone_provider: "Other",
        checks_signatures: false,
        ca_file: None,
        process,
    })
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
