//! From options to a store.

use std::{sync::Arc, time::Duration};

use tokio::sync::OnceCell;

use super::{
    control::Passive,
    place::{Place, Times},
    pool::{Pool, Share},
    server::{Abilities, Server},
    tls::Trust,
};
use crate::{
    capability::{Capabilities, KeyRules},
    error::{Operation, Result},
    registry::{Opened, Purpose, Remote},
    secret::Secret,
    tree::{Root, TreeStore},
    walk,
    web::{client::CA_FILE, patience::persistently},
};

/// Objects in flight, and connections for them, where nobody says.
const TRANSFERS: usize = 4;

/// Opens what `path` names below `root`, or what follows `ftp://[user@]host[:port]/`, below where a login starts.
///
/// # Errors
/// `Config` for settings that do not fit; what stopped signing in.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (address, prefix) = remote.host_and_path("host", path)?;
    let (user, host) = address.rsplit_once('@').unwrap_or(("", address));
    let (host, port) = host_and_port(remote, host)?;
    let user = remote.text("user").or(Some(user).filter(|user| !user.is_empty()));
    let password = remote.secret("password");
    let trust = match remote.choice("tls", &[("none", false), ("explicit", true)])? {
        true => Some(Trust::new(remote, &host, remote.text(CA_FILE.name))?),
        false => None,
    };
    let passive = remote
        .choice("passive", &[("auto", None), ("epsv", Some(Passive::Extended)), ("pasv", Some(Passive::Plain))])?;
    let server = Server {
        host,
        port,
        user: user.unwrap_or("anonymous").to_owned(),
        // What anonymous gives is by custom an address (RFC 1635).
        password: password.unwrap_or_else(|| Secret::new(if user.is_none() { "anonymous@" } else { "" })),
        trust,
        passive,
        abilities: OnceCell::new(),
    };
    let transfers = remote.parsed::<usize>("transfers")?.unwrap_or(TRANSFERS).max(1);
    let pool = Arc::new(Pool::new(server, transfers));
    let name = remote.place_name(None);
    let first = persistently(|| pool.take(Operation::Open, Share::Call)).await.map_err(|error| error.of(&name))?;
    drop(first);
    let abilities = pool.server.abilities.get().cloned().unwrap_or_default();
    let lists_facts = remote.choice("listing", &[("auto", abilities.facts), ("list", false)])?;
    let told =
        [("auto", None), ("mdtm", Some(Times::Mdtm)), ("kept", Some(Times::Kept)), ("none", Some(Times::Ignored))];
    let told = remote.choice("times", &told)?;
    let times = told.unwrap_or(match remote.purpose {
        _ if abilities.times => Times::Mfmt,
        Purpose::Target => Times::Ignored,
        // Who sets none takes those it tells as they come.
        Purpose::Source | Purpose::Look => Times::Kept,
    });
    let mut capabilities = capabilities(&abilities, lists_facts, times, transfers);
    capabilities.modified_assumed = told.is_none() && times == Times::Kept && remote.purpose == Purpose::Look;
    let root = root(&abilities, remote.text("root"));
    let root = Root::new(name, root, walk::named(prefix), capabilities, remote.skips.clone());
    let place = Place { root, abilities, pool, lists_facts, times };
    Ok(Opened { store: Arc::new(TreeStore::new(place)), prefix: prefix.to_owned() })
}

/// An address of IPv6 stands in brackets where a port follows.
fn host_and_port(remote: &Remote, host: &str) -> Result<(String, u16)> {
    let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match host.split_once(':') {
            Some((name, port)) if !port.contains(':') => (name, Some(port)),
            _ => (host, None),
        },
    };
    if host.is_empty() {
        return Err(remote.wrong("name a host"));
    }
    let told = port.map(str::parse).transpose();
    let told = told.map_err(|error| remote.wrong(format!("the port of '{host}': {error}")))?;
    let port = remote.parsed("port")?.or(told).unwrap_or(21);
    Ok((host.to_owned(), port))
}

/// Where the store begins: an absolute path without `/` at its end.
fn root(abilities: &Abilities, root: Option<&str>) -> String {
    let home = &abilities.home;
    let root = match root {
        None => home.clone(),
        Some(root) if root.starts_with('/') => root.to_owned(),
        Some(root) => format!("{home}/{root}"),
    };
    root.trim_end_matches('/').to_owned()
}

fn capabilities(abilities: &Abilities, lists_facts: bool, times: Times, transfers: usize) -> Capabilities {
    Capabilities {
        keys: KeyRules {
            // A command ends with its line, and lines for people show the others in ways of their own.
            control: false,
            backslash: !abilities.windows,
            trailing_space: !abilities.windows,
            folds_case: abilities.windows,
            ..KeyRules::PATHS
        },
        modified: (times != Times::Ignored).then_some(Duration::from_secs(1)),
        modified_in_list: times != Times::Ignored && lists_facts,
        directories: true,
        transfers,
        ..Capabilities::LEAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_roots() {
        let remote = Remote::new("ftp", &super::super::FAMILY, Default::default()).unwrap();
        for (text, host, port) in [
            ("h", "h", 21),
            ("h:2121", "h", 2121),
            ("[::1]:2121", "::1", 2121),
            ("[::1]", "::1", 21),
            ("::1", "::1", 21),
        ] {
            assert_eq!(host_and_port(&remote, text).unwrap(), (host.to_owned(), port), "{text}");
        }
        assert!(host_and_port(&remote, "h:x").is_err() && host_and_port(&remote, ":21").is_err());
        let abilities = Abilities { home: "/home/tern".into(), ..Abilities::default() };
        for (given, wanted) in [(None, "/home/tern"), (Some("a/"), "/home/tern/a"), (Some("/b"), "/b"), (Some("/"), "")]
        {
            assert_eq!(root(&abilities, given), wanted);
        }
    }
}
