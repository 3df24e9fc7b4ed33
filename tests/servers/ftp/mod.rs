//! FTP servers: how each is started, and the handle tests hold.

mod proxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub use self::proxy::{FtpFault, FtpProxy};
use crate::debian::{PROFTPD, VSFTPD};
use crate::install::{PYFTPDLIB, RCLONE, run};
use crate::judge::rclone;
use crate::process::{Launch, Process};

/// A running FTP server, over the files of a directory. Plain, and with explicit TLS where there is a certificate.
#[derive(Debug)]
pub struct FtpServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// User and password.
    pub user: &'static str,
    /// See [`FtpServer::user`].
    pub password: &'static str,
    /// The directory below which tests work.
    pub data: PathBuf,
    /// Whether the server's paths are those of the disk; else `/` is [`FtpServer::data`].
    pub shows_disk: bool,
    /// The certificate it shows, which nobody has signed.
    pub certificate: Option<PathBuf>,
    /// What rclone has to be told beside host and user.
    rclone_options: &'static str,
    /// The process behind it.
    pub process: Process,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl FtpServer {
    /// A fresh folder for one test: its path on the server.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn folder(&self, name: &str) -> String {
        let name = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        if self.process.directory().join("rclone").exists() {
            // rclone does not see at once what is made behind its back.
            let made = rclone().args(["mkdir", &self.rclone_place(&format!("/{name}"))]).output();
            assert!(made.is_ok_and(|made| made.status.success()), "no folder {name}");
        } else {
            fs::create_dir(self.data.join(&name)).expect("a writable temporary directory");
        }
        if self.shows_disk { self.data.join(name).display().to_string() } else { format!("/{name}") }
    }

    /// A folder of this server on disk.
    ///
    /// # Panics
    /// For paths of other servers.
    #[must_use]
    pub fn on_disk(&self, folder: &str) -> PathBuf {
        if self.shows_disk { folder.into() } else { self.data.join(folder.trim_start_matches('/')) }
    }

    /// A path on this server, as rclone names it without a configuration.
    ///
    /// # Panics
    /// When rclone cannot be installed.
    #[must_use]
    pub fn rclone_place(&self, path: &str) -> String {
        let hidden = rclone().args(["obscure", self.password]).output().expect("rclone was installed").stdout;
        format!(
            ":ftp,host=127.0.0.1,port={},user={},pass={},encoding=Slash{}:{path}",
            self.port,
            self.user,
            String::from_utf8_lossy(&hidden).trim(),
            self.rclone_options,
        )
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn make(path: PathBuf) -> Result<PathBuf, String> {
    fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    Ok(path)
}

/// What `id` says with `option`.
fn id(option: &str) -> Result<String, String> {
    let output = Command::new("id").arg(option).output().map_err(|error| format!("cannot run id: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn started(name: &str, launch: impl Fn(&Path, u16) -> Result<Command, String>) -> Result<FtpServer, String> {
    let (process, ports) = Process::start(name, 1, |directory, ports| {
        make(directory.join("data"))?;
        let command = launch(directory, ports[0])?;
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "", true)] })
    })?;
    let certificate = Some(process.directory().join("certificate.pem")).filter(|path| path.is_file());
    Ok(FtpServer {
        port: ports[0],
        user: "tern",
        password: "secret",
        data: process.directory().join("data"),
        shows_disk: false,
        certificate,
        rclone_options: "",
        process,
    })
}

/// vsftpd as the user who runs it, who signs in as anonymous. It wants sessions of TLS resumed for data.
pub(crate) fn vsftpd() -> Result<FtpServer, String> {
    let user = id("-un")?;
    let mut server = started("vsftpd", |directory, port| {
        let at = directory.display();
        let empty = make(directory.join("empty"))?;
        crate::s3::certificate(directory)?;
        let config = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n\
             anonymous_enable=YES\nanon_root={at}/data\nno_anon_password=YES\nlocal_enable=NO\nwrite_enable=YES\n\
             anon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n\
             anon_world_readable_only=NO\nanon_umask=022\nftp_username={user}\nnopriv_user={user}\n\
             secure_chroot_dir={empty}\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nconnect_from_port_20=NO\n\
             vsftpd_log_file={at}/vsftpd.log\nxferlog_enable=NO\nallow_writeable_chroot=YES\nmax_per_ip=0\nmax_clients=0\n\
             ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=NO\nforce_anon_data_ssl=NO\n\
             require_ssl_reuse=YES\nssl_ciphers=HIGH\nrsa_cert_file={at}/certificate.pem\n\
             rsa_private_key_file={at}/key.pem\n",
            empty = empty.display(),
        );
        let file = directory.join("vsftpd.conf");
        write(&file, &config)?;
        let (mut command, _) = VSFTPD.command()?;
        command.arg(file);
        Ok(command)
    })?;
    (server.user, server.password, server.shows_disk) = ("anonymous", "x", true);
    // Without it rclone does not see dot files there.
    server.rclone_options = ",force_list_hidden=true,disable_mlsd=true";
    Ok(server)
}

/// ProFTPD with an account of its own that is the user who runs it.
pub(crate) fn proftpd() -> Result<FtpServer, String> {
    let (user, group, uid, gid) = (id("-un")?, id("-gn")?, id("-u")?, id("-g")?);
    let mut server = started("proftpd", |directory, port| {
        let at = directory.display();
        let (mut command, installed) = PROFTPD.command()?;
        crate::s3::certificate(directory)?;
        let mut hash = Command::new("openssl");
        let hash = hash.args(["passwd", "-6", "secret"]).output().map_err(|error| format!("no openssl: {error}"))?;
        let hash = String::from_utf8_lossy(&hash.stdout);
        let accounts = directory.join("accounts");
        write(&accounts, &format!("tern:{}:{uid}:{gid}::{at}/data:/bin/sh\n", hash.trim()))?;
        run(Command::new("chmod").arg("600").arg(&accounts))?;
        let config = format!(
            "ServerName tests\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {port}\nUser {user}\nGroup {group}\n\
             RootLogin on\nUseIPv6 off\nModulePath {}/usr/lib/proftpd\nLoadModule mod_tls.c\n\
             AuthUserFile {at}/accounts\nAuthOrder mod_auth_file.c\nRequireValidShell off\nUseFtpUsers off\nWtmpLog off\n\
             ScoreboardFile {at}/scoreboard\nPidFile {at}/pid\nSystemLog {at}/proftpd.log\nTransferLog none\n\
             DelayEngine off\nUseReverseDNS off\nAllowOverwrite on\nAllowStoreRestart on\nUmask 022\nMaxInstances none\n\
             TLSEngine on\nTLSRequired off\nTLSECCertificateFile {at}/certificate.pem\n\
             TLSECCertificateKeyFile {at}/key.pem\nTLSLog {at}/tls.log\nTLSProtocol TLSv1.2 TLSv1.3\n",
            installed.display()
        );
        let file = directory.join("proftpd.conf");
        write(&file, &config)?;
        command.args(["-n", "-q", "-c"]).arg(file);
        Ok(command)
    })?;
    server.shows_disk = true;
    Ok(server)
}

pub(crate) fn pyftpdlib() -> Result<FtpServer, String> {
    started("pyftpdlib", |directory, port| {
        let (certificate, key) = crate::s3::certificate(directory)?;
        let both: String = [certificate, key].iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
        let (script, pair) = (directory.join("serve.py"), directory.join("pair.pem"));
        write(&script, include_str!("serve.py"))?;
        write(&pair, &both)?;
        let mut command = Command::new("python3");
        command.arg(script).arg(port.to_string()).arg(directory.join("data")).arg(pair);
        command.env("PYTHONPATH", PYFTPDLIB.directory()?).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    })
}

/// `rclone serve ftp`: sets no times.
pub(crate) fn rclone_ftp() -> Result<FtpServer, String> {
    started("rclone-ftp", |directory, port| {
        make(directory.join("rclone"))?;
        let mut command = Command::new(RCLONE.path()?);
        command.args(["serve", "ftp", "--config", "/dev/null", "--addr", &format!("127.0.0.1:{port}")]);
        command.args(["--user", "tern", "--pass", "secret", "--passive-port", "32768-60999"]);
        command.arg(directory.join("data"));
        Ok(command)
    })
}
