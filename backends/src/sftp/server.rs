//! Whom to reach and as whom: the `ssh` program with its arguments, and why it did not come through.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{io::AsyncReadExt, net::TcpStream, process::Command};

use super::control::{Control, NotConnected};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    web::patience::CONNECT_TIMEOUT,
};

/// How long `ssh` may take to connect, by way of other machines too, and to sign in.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `ssh` is to do with keys of hosts that it does not know (`StrictHostKeyChecking` in ssh_config(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnknownHosts {
    Refuse,
    Add,
    Accept,
}

/// A server, as `ssh` finds it.
#[derive(Debug)]
pub(super) struct Server {
    /// `[user@]host`, an address, or a name of the configuration.
    pub endpoint: String,
    pub user: Option<String>,
    pub key: Option<String>,
    pub unknown_hosts: UnknownHosts,
    /// Somebody signed in already: what goes wrong later is not the key's fault.
    signed_in: AtomicBool,
}

impl Server {
    pub fn new(endpoint: String, user: Option<String>, key: Option<String>, unknown_hosts: UnknownHosts) -> Self {
        Self { endpoint, user, key, unknown_hosts, signed_in: AtomicBool::new(false) }
    }

    /// `ssh` with what comes before the host. Nothing is asked of a person; what the configuration adds for people
    /// (forwarded ports, commands) is left out; a connection that the user keeps open for others is used.
    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-a", "-x", "-T", "-oBatchMode=yes", "-oLogLevel=ERROR", "-oClearAllForwardings=yes"]);
        command.args(["-oPermitLocalCommand=no", "-oRemoteCommand=none", "-oControlMaster=no"]);
        // A connection that something on the way has forgotten is noticed, and one that waits is not forgotten.
        command.args(["-oServerAliveInterval=15", "-oServerAliveCountMax=4"]);
        command.arg(match self.unknown_hosts {
            UnknownHosts::Refuse => "-oStrictHostKeyChecking=yes",
            UnknownHosts::Add => "-oStrictHostKeyChecking=accept-new",
            UnknownHosts::Accept => "-oStrictHostKeyChecking=no",
        });
        if let Some(user) = &self.user {
            command.args(["-l", user]);
        }
        if let Some(key) = &self.key {
            command.args(["-oIdentitiesOnly=yes", "-i", key]);
        }
        command
    }

    /// A new connection.
    ///
    /// # Errors
    /// `Config` where there is no `ssh`; `Denied` where the server greets, and does not take us; else `Unavailable`.
    pub async fn connect(&self, operation: Operation) -> Result<Arc<Control>> {
        let mut command = self.command();
        command.args(["-s", "--", &self.endpoint, "sftp"]);
        match Control::connect(command, PATIENCE).await {
            Ok(control) => {
                self.signed_in.store(true, Ordering::Relaxed);
                Ok(control)
            }
            Err(NotConnected::NotRun(error)) => Err(Error::new(ErrorKind::Config, operation)
                .because(format!("the program 'ssh' cannot be run, which makes the connections: {error}"))),
            Err(NotConnected::Silent) => {
                Err(Error::new(ErrorKind::Timeout, operation)
                    .because(format!("no answer within {} s", PATIENCE.as_secs())))
            }
            Err(NotConnected::Ended { said }) => {
                let refused = !self.signed_in.load(Ordering::Relaxed) && self.greets().await;
                let kind = if refused { ErrorKind::Denied } else { ErrorKind::Unavailable };
                let said = if said.is_empty() { "ssh ended without a word".to_owned() } else { said };
                Err(Error::new(kind, operation).because(said))
            }
        }
    }

    /// Whether the server can be reached and has room for us. `ssh` ends with the same status whatever went wrong, so
    /// this tells a refusal from all else: the server is asked for its greeting once more. Behind another machine it
    /// cannot be asked.
    async fn greets(&self) -> bool {
        let greeted = async {
            let mut command = self.command();
            let told = command.args(["-G", "--", &self.endpoint]).output().await.ok()?;
            let (host, port) = direct(&String::from_utf8_lossy(&told.stdout))?;
            let mut stream = TcpStream::connect((host, port)).await.ok()?;
            let mut greeting = [0; 4];
            stream.read_exact(&mut greeting).await.ok()?;
            (&greeting == b"SSH-").then_some(())
        };
        tokio::time::timeout(CONNECT_TIMEOUT, greeted).await.is_ok_and(|greeted| greeted.is_some())
    }
}

/// Host and port out of what `ssh -G` prints, a setting a line; `None` where another machine or program lies between.
fn direct(settings: &str) -> Option<(String, u16)> {
    let setting = |name: &str| settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let between = |name: &str| setting(name).is_some_and(|value| value != "none");
    if between("proxycommand") || between("proxyjump") {
        return None;
    }
    Some((setting("hostname")?.to_owned(), setting("port")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let settings = "user tern\nhostname files.example\nport 2222\nproxyjump none\n";
        assert_eq!(direct(settings), Some(("files.example".to_owned(), 2222)));
        assert_eq!(direct(&format!("{settings}proxycommand nc %h %p\n")), None);
        assert_eq!(direct("hostname a\nport 22\nproxyjump b\n"), None);
        assert_eq!(direct("hostname a\n"), None);
    }
}
