//! Who the server is, how one signs in, and what it says it can.

use std::time::Instant;

use tokio::{net::TcpStream, sync::OnceCell};

use super::{
    control::{Control, Passive, patiently},
    reply::Reply,
    tls::{Trust, untrusted},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    secret::Secret,
    web::patience::{CONNECT_TIMEOUT, IDLE_TIMEOUT},
};

/// The facts that are used of those a server tells (RFC 3659, 7.5).
const FACTS: [&str; 4] = ["type", "size", "modify", "unique"];

/// A server, and whom to be there.
#[derive(Debug)]
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub trust: Option<Trust>,
    /// `None`: as the server can.
    pub passive: Option<Passive>,
    /// What the first connection found out.
    pub abilities: OnceCell<Abilities>,
}

/// What the server can, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Abilities {
    /// Tells facts (`MLST`, `MLSD`) instead of lines for people.
    pub facts: bool,
    /// What is sent so that it tells the facts that are used.
    pub wanted: Option<String>,
    /// Sets times (`MFMT`).
    pub times: bool,
    pub utf8: bool,
    pub extended: bool,
    /// Its listings for people are those of `ls`, which takes `-a`.
    pub unix: bool,
    pub windows: bool,
    /// Where a login starts, without `/` at its end.
    pub home: String,
}

impl Server {
    /// A connection on which one is signed in.
    ///
    /// # Errors
    /// `Denied` for user and password; `Config` where TLS cannot be had; `Throttled` where there are too many
    /// connections already; what stopped it.
    pub async fn connect(&self, operation: Operation) -> Result<Control> {
        let mut control = self.greeted(operation).await?;
        if let Some(trust) = &self.trust {
            control = match secured(control, operation, trust).await {
                Err(error) if trust.learns(&error) => secured(self.greeted(operation).await?, operation, trust).await,
                control => control,
            }
            .map_err(untrusted)?;
        }
        self.sign_in(&mut control, operation).await?;
        control.ask(operation, "TYPE I", IDLE_TIMEOUT).await?.done(operation)?;
        let abilities = self.abilities.get_or_try_init(|| Abilities::asked(&mut control, operation)).await?;
        if abilities.utf8 {
            // Who tells UTF8 uses it; that some want to be told is history.
            control.ask(operation, "OPTS UTF8 ON", IDLE_TIMEOUT).await?;
        }
        if let Some(wanted) = &abilities.wanted {
            control.ask(operation, wanted, IDLE_TIMEOUT).await?;
        }
        let extended = if abilities.extended { Passive::Extended } else { Passive::Plain };
        control.passive = self.passive.unwrap_or(extended);
        control.used = Instant::now();
        Ok(control)
    }

    async fn greeted(&self, operation: Operation) -> Result<Control> {
        let address = (self.host.as_str(), self.port);
        let stream = patiently(CONNECT_TIMEOUT, operation, TcpStream::connect(address)).await?;
        let _slower = stream.set_nodelay(true);
        let mut control = Control::new(stream);
        let mut greeting = control.reply(operation, IDLE_TIMEOUT).await?;
        while greeting.code == 120 {
            greeting = control.reply(operation, IDLE_TIMEOUT).await?;
        }
        crowded(greeting, operation, false).map(|()| control)
    }

    async fn sign_in(&self, control: &mut Control, operation: Operation) -> Result<()> {
        let mut reply = control.ask(operation, &format!("USER {}", self.user), IDLE_TIMEOUT).await?;
        if reply.code == 331 {
            let pass = zeroize::Zeroizing::new(format!("PASS {}", self.password.reveal()));
            reply = control.ask(operation, &pass, IDLE_TIMEOUT).await?;
        }
        // Where user and password were right before, a refusal is one of too many connections.
        crowded(reply, operation, self.abilities.initialized()).map(drop)
    }
}

/// # Errors
/// By code; `Throttled` where the server takes no more connections.
fn crowded(reply: Reply, operation: Operation, known: bool) -> Result<()> {
    if reply.is_done() {
        return Ok(());
    }
    let is_crowded = reply.code == 421 || known && reply.code == 530;
    if reply.code / 100 == 3 {
        return Err(Error::new(ErrorKind::Denied, operation).because("the server wants an account beside the user"));
    }
    let refused = reply.refusal(operation);
    if is_crowded { Err(Error::new(ErrorKind::Throttled, operation).because(refused)) } else { Err(refused) }
}

/// `AUTH TLS`, and TLS for data, too (RFC 4217, 4 and 9).
async fn secured(mut control: Control, operation: Operation, trust: &Trust) -> Result<Control> {
    let offered = control.ask(operation, "AUTH TLS", IDLE_TIMEOUT).await?;
    if !offered.is_done() {
        let why = offered.refusal(operation);
        return Err(Error::new(ErrorKind::Config, operation).because(why));
    }
    let mut control = control.secure(operation, trust.session()).await?;
    for command in ["PBSZ 0", "PROT P"] {
        control.ask(operation, command, IDLE_TIMEOUT).await?.done(operation)?;
    }
    Ok(control)
}

impl Abilities {
    /// Asks. A server that knows no `FEAT` is taken for an old one.
    async fn asked(control: &mut Control, operation: Operation) -> Result<Self> {
        let told = control.ask(operation, "FEAT", IDLE_TIMEOUT).await?;
        let mut abilities = if told.is_done() { Self::of(&told.lines) } else { Self::default() };
        let system = control.ask(operation, "SYST", IDLE_TIMEOUT).await?;
        let word = system.lines.first().and_then(|line| line.split_whitespace().next()).unwrap_or_default();
        abilities.unix = system.code == 215 && word.eq_ignore_ascii_case("UNIX");
        // The names of RFC 1700's list of systems.
        abilities.windows =
            system.code == 215 && ["WIN32", "Windows_NT"].iter().any(|name| word.eq_ignore_ascii_case(name));
        // The port that is opened here is forgotten when the next is asked for.
        abilities.extended = control.ask(operation, "EPSV", IDLE_TIMEOUT).await?.code == 229;
        let home = control.ask(operation, "PWD", IDLE_TIMEOUT).await?.done(operation)?;
        let no_home = || Error::new(ErrorKind::Other, operation).because("the server does not say where one is");
        let home = home.lines.first().and_then(|line| quoted(line)).ok_or_else(no_home)?;
        abilities.home = home.trim_end_matches('/').to_owned();
        Ok(abilities)
    }

    /// As the lines of `FEAT` tell (RFC 2389, 3.2).
    fn of(lines: &[String]) -> Self {
        let mut abilities = Self::default();
        let between = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
        for line in between {
            let (name, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            match name.to_ascii_uppercase().as_str() {
                "MLST" => {
                    abilities.facts = true;
                    abilities.wanted = wanted(value);
                }
                "MFMT" => abilities.times = true,
                "UTF8" => abilities.utf8 = true,
                _ => {}
            }
        }
        abilities
    }
}

/// What makes the server tell the facts that are used; `None` where it does anyway. Those with a `*` are told
/// (RFC 3659, 7.8).
fn wanted(facts: &str) -> Option<String> {
    let known = |wanted: &&str, told: bool| {
        facts.split(';').any(|fact| {
            let name = fact.strip_suffix('*');
            name.unwrap_or(fact).eq_ignore_ascii_case(wanted) && (!told || name.is_some())
        })
    };
    let all: Vec<&str> = FACTS.into_iter().filter(|wanted| known(wanted, false)).collect();
    let enough = all.is_empty() || all.iter().all(|wanted| known(wanted, true));
    (!enough).then(|| format!("OPTS MLST {};", all.join(";")))
}

/// Of `"/a ""quoted"" path" is the current directory` (RFC 959, appendix II).
fn quoted(line: &str) -> Option<String> {
    let mut path = String::new();
    let mut letters = line.split_once('"')?.1.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' && letters.next_if_eq(&'"').is_none() {
            return Some(path);
        }
        path.push(letter);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(told: &str) -> Abilities {
        Abilities::of(&told.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_servers_say_is_understood() {
        let proftpd =
            "Features:\n CLNT\n MDTM\n MFMT\n MLST modify*;perm*;size*;type*;unique*;UNIX.group*;\n UTF8\nEnd";
        let known = Abilities { facts: true, times: true, utf8: true, ..Abilities::default() };
        assert_eq!(abilities(proftpd), known);
        let vsftpd = "Features:\n EPRT\n MDTM\n SIZE\n TVFS\nEnd";
        assert_eq!(abilities(vsftpd), Abilities::default());
        let asked = abilities("x\n mlst Type*;Size*;Modify;Unique;Perm*;\n\nEnd");
        assert_eq!(asked.wanted.as_deref(), Some("OPTS MLST type;size;modify;unique;"));
        assert!(!abilities("MLST").facts);
    }

    #[test]
    fn paths_in_quotes() {
        assert_eq!(quoted(r#""/a ""b"" c" is it "x""#).as_deref(), Some(r#"/a "b" c"#));
        assert_eq!(quoted(r#""/" is"#).as_deref(), Some("/"));
        assert_eq!(quoted("none"), None);
    }
}
