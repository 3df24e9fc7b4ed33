//! Servers of stores that are reached through libraries: how each is started, and the handle tests hold.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::debian::SSHD;
use crate::install::{AZURITE, GCS, IPFS, run};
use crate::judge::rclone;
use crate::process::{Launch, Process};

/// A running SFTP server.
#[derive(Debug)]
pub struct SftpServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Whom to sign in as.
    pub user: String,
    /// The private key to sign in with.
    pub key: PathBuf,
    /// The directory below which tests work, as the server's paths have it.
    pub data: PathBuf,
    /// The process behind it.
    pub process: Process,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl SftpServer {
    /// A fresh folder for one test: its path on the server, which is its path on disk.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.data.join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&folder).expect("a writable temporary directory");
        open_to_all(&folder).expect("a directory of ours");
        folder
    }

    /// What `ssh` is to connect to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("ssh://{}@127.0.0.1:{}", self.user, self.port)
    }

    /// A path on this server, as rclone names it without a configuration.
    #[must_use]
    pub fn rclone_place(&self, path: &Path) -> String {
        format!(
            ":sftp,host=127.0.0.1,port={},user={},key_file=\"{}\",shell_type=none:{}",
            self.port,
            self.user,
            self.key.display(),
            path.display()
        )
    }
}

/// The server may run as another user than the tests.
fn open_to_all(path: &Path) -> Result<(), String> {
    fs::set_permissions(path, Permissions::from_mode(0o777)).map_err(|error| format!("{}: {error}", path.display()))
}

/// The name of the user who runs this.
fn user() -> Result<String, String> {
    let output = Command::new("id").arg("-un").output().map_err(|error| format!("cannot run id: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// sshd as root wants a user and a directory of its own, which only an installed one has. So it runs as somebody else
/// there, who can sign in as nobody but himself; that is all the tests need. With PAM, as an account without a password
/// counts as locked to sshd alone.
pub(crate) fn sshd() -> Result<SftpServer, String> {
    let (user, is_root) = match user()? {
        user if user == "root" => ("nobody".to_owned(), true),
        user => (user, false),
    };
    let (process, ports) = Process::start("sshd", 1, |directory, ports| {
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
        };
        let data = directory.join("data");
        fs::create_dir(&data).map_err(|error| format!("cannot make {}: {error}", data.display()))?;
        open_to_all(&data)?;
        open_to_all(directory)?;
        for name in ["host-key", "key"] {
            let mut made = Command::new("ssh-keygen");
            run(made.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(name)))?;
        }
        let at = directory.display();
        let mut command = SSHD.command()?.0;
        write(
            "sshd.conf",
            &format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host-key\nAuthorizedKeysFile {at}/key.pub\nPidFile {at}/pid\n\
             StrictModes no\nUsePAM yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n\
             MaxStartups 200\nMaxSessions 200\n",
                port = ports[0],
            ),
        )?;
        if is_root {
            let (program, environment) = (
                command.get_program().to_owned(),
                command
                    .get_envs()
                    .map(|(name, value)| format!("{}={}", name.display(), value.unwrap_or_default().display()))
                    .collect::<Vec<_>>(),
            );
            run(Command::new("chown").arg(&user).arg(directory.join("host-key")))?;
            command = Command::new("setpriv");
            command
                .args(["--reuid", &user, "--regid", "nogroup", "--clear-groups", "env"])
                .args(environment)
                .arg(program);
        }
        command.args(["-D", "-e", "-f"]).arg(directory.join("sshd.conf"));
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "", true)] })
    })?;
    let directory = process.directory();
    Ok(SftpServer { port: ports[0], user, key: directory.join("key"), data: directory.join("data"), process })
}

/// A running emulator of Azure Blob storage.
#[derive(Debug)]
pub struct AzureServer {
    /// Its address with the account in it, as emulators have it.
    pub endpoint: String,
    /// The account.
    pub account: &'static str,
    /// The account's key.
    pub key: &'static str,
    /// The process behind it.
    pub process: Process,
}

impl AzureServer {
    /// A fresh container for one test.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn container(&self, name: &str) -> String {
        let name = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = rclone().args(["mkdir", &self.rclone_place(&name)]).output().expect("rclone was installed");
        assert!(made.status.success(), "no container {name}: {}", String::from_utf8_lossy(&made.stderr));
        name
    }

    /// A path on this server, as rclone names it without a configuration.
    #[must_use]
    pub fn rclone_place(&self, path: &str) -> String {
        format!(":azureblob,account={},key=\"{}\",endpoint=\"{}\":{path}", self.account, self.key, self.endpoint)
    }
}

/// Azurite, which keeps all in memory.
pub(crate) fn azurite() -> Result<AzureServer, String> {
    let (account, key) = ("tern", "c3Rlcm5hIHRlc3RzIGFnYWluc3QgYSByZWFsIHNlcnZlcg==");
    let (process, ports) = Process::start("azurite", 1, |_, ports| {
        let mut command = AZURITE.command()?;
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &ports[0].to_string()]);
        command.args(["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]);
        command.env("AZURITE_ACCOUNTS", format!("{account}:{key}"));
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/", false)] })
    })?;
    Ok(AzureServer { endpoint: format!("http://127.0.0.1:{}/{account}", ports[0]), account, key, process })
}

/// A running emulator of Google Cloud Storage.
#[derive(Debug)]
pub struct GcsServer {
    /// Its address.
    pub endpoint: String,
    /// The process behind it.
    pub process: Process,
}

impl GcsServer {
    /// A fresh bucket for one test.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn bucket(&self, name: &str) -> String {
        let name = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = rclone().args(["mkdir", &self.rclone_place(&name)]).output().expect("rclone was installed");
        assert!(made.status.success(), "no bucket {name}: {}", String::from_utf8_lossy(&made.stderr));
        name
    }

    /// A path on this server, as rclone names it without a configuration.
    #[must_use]
    pub fn rclone_place(&self, path: &str) -> String {
        let endpoint = format!("{}/storage/v1/", self.endpoint);
        format!(":googlecloudstorage,anonymous=true,project_number=1,endpoint=\"{endpoint}\":{path}")
    }
}

/// gcp-storage-emulator, which keeps all in memory. Nobody has to sign in.
pub(crate) fn gcs() -> Result<GcsServer, String> {
    let (process, ports) = Process::start("gcs", 1, |_, ports| {
        let mut command = Command::new("python3");
        command.args(["-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1"]);
        command.args(["--port", &ports[0].to_string(), "--in-memory", "--quiet"]);
        command.env("PYTHONPATH", GCS.directory()?).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/", true)] })
    })?;
    Ok(GcsServer { endpoint: format!("http://127.0.0.1:{}", ports[0]), process })
}

/// A running IPFS node, which speaks to no other.
#[derive(Debug)]
pub struct IpfsServer {
    /// The address of its RPC interface.
    pub endpoint: String,
    /// The process behind it.
    pub process: Process,
}

impl IpfsServer {
    /// A name for a directory of one test, which nobody made yet.
    #[must_use]
    pub fn folder(&self, name: &str) -> String {
        format!("/{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
    }
}

/// js-ipfs, its files on disk. Over an address of its own in the network it fails, so it has none.
pub(crate) fn ipfs() -> Result<IpfsServer, String> {
    let (process, ports) = Process::start("ipfs", 1, |directory, ports| {
        let config = directory.join("config.json");
        let addresses =
            format!(r#"{{"Swarm": [], "Gateway": "", "RPC": "", "API": "/ip4/127.0.0.1/tcp/{}"}}"#, ports[0]);
        fs::write(&config, format!(r#"{{"Addresses": {addresses}, "Bootstrap": []}}"#))
            .map_err(|error| format!("cannot write {}: {error}", config.display()))?;
        let mut command = IPFS.command()?;
        command.args(["daemon", "--offline", "--init-profile", "test", "--init-config"]).arg(config);
        command.env("IPFS_PATH", directory.join("repo"));
        // It answers GET with 405.
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/api/v0/version", false)] })
    })?;
    Ok(IpfsServer { endpoint: format!("http://127.0.0.1:{}", ports[0]), process })
}
