//! From options to a store.

use std::{sync::Arc, time::Duration};

use tokio::sync::OnceCell;

use super::{
    control::Passive,
    place::{Place, Times},
    pool::{Pool, Share},
    server::{Abilities, Server},
    store::Ftp,
    tls::Trust,
};
use crate::{
    capability::{Capabilities, DeleteMeaning, KeyRules, MetadataAbility, Order},
    entry::Key,
    error::{Operation, Result},
    registry::{Opened, Purpose, Remote},
    secret::Secret,
    unfinished::Stale,
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
    let (address, prefix) = address(remote, path)?;
    let (user, host) = address.rsplit_once('@').unwrap_or(("", address));
    let (host, port) = host_and_port(remote, host)?;
    let user = remote.text("user").or(Some(user).filter(|user| !user.is_empty()));
    let password = remote.secret("password");
    let trust = match remote.text("tls") {
        None | Some("none") => None,
        Some("explicit") => Some(Trust::new(remote, &host, remote.text(CA_FILE.name))?),
        Some(other) => return Err(remote.wrong(format!("tls = \"{other}\" is neither none nor explicit"))),
    };
    let passive = match remote.text("passive") {
        None | Some("auto") => None,
        Some("epsv") => Some(Passive::Extended),
        Some("pasv") => Some(Passive::Plain),
        Some(other) => return Err(remote.wrong(format!("passive = \"{other}\" is none of auto, epsv, pasv"))),
    };
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
    let lists_facts = match remote.text("listing") {
        None | Some("auto") => abilities.facts,
        Some("list") => false,
        Some(other) => return Err(remote.wrong(format!("listing = \"{other}\" is neither auto nor list"))),
    };
    let times = match remote.text("times") {
        None | Some("auto") if abilities.times => Times::Mfmt,
        // Who sets none takes those it tells as they come.
        None | Some("auto") if remote.purpose != Purpose::Target => Times::Kept,
        None | Some("auto" | "none") => Times::Ignored,
        Some("mdtm") => Times::Mdtm,
        Some("kept") => Times::Kept,
        Some(other) => return Err(remote.wrong(format!("times = \"{other}\" is none of auto, mdtm, kept, none"))),
    };
    let mut capabilities = capabilities(&abilities, lists_facts, times, transfers);
    capabilities.modified_assumed =
        times == Times::Kept && remote.text("times") != Some("kept") && remote.purpose == Purpose::Look;
    let place = Place {
        name,
        root: root(&abilities, remote.text("root")),
        folder: walk::named(prefix),
        capabilities,
        abilities,
        pool,
        lists_facts,
        times,
        directories: Default::default(),
        stale: Stale::default(),
    };
    Ok(Opened { store: Arc::new(Ftp::new(place)), prefix: prefix.to_owned() })
}

/// `[user@]host[:port]`, and what of `path` lies below.
fn address<'a>(remote: &'a Remote, path: &'a str) -> Result<(&'a str, &'a str)> {
    let path = path.trim_start_matches('/');
    if let Some(host) = remote.text("host") {
        return Ok((host, path));
    }
    if !remote.family.schemes.contains(&remote.name.as_str()) {
        return Err(remote.wrong("it needs the option 'host'"));
    }
    let (host, path) = path.split_once('/').unwrap_or((path, ""));
    Ok((host, path))
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
            max_bytes: Key::MAX_BYTES,
            max_segment: 255,
            empty_segments: false,
            dot_segments: false,
            // A command ends with its line, and lines for people show the others in ways of their own.
            control: false,
            backslash: !abilities.windows,
            leading_space: true,
            trailing_space: !abilities.windows,
            file_beside_directory: false,
            folds_case: abilities.windows,
        },
        order: Order::Unknown,
        modified: (times != Times::Ignored).then_some(Duration::from_secs(1)),
        modified_assumed: false,
        modified_in_list: times != Times::Ignored && lists_facts,
        digests_in_list: Vec::new(),
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: u64::MAX,
        multipart: None,
        copy: None,
        conditional_put: false,
        delete: DeleteMeaning::Removes,
        delete_batch: 1,
        versions: false,
        old_versions: None,
        metadata: MetadataAbility::default(),
        read_only: false,
        directories: true,
        transfers,
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
