//! From options to a store.

use std::{sync::Arc, time::Duration};

use super::{
    control::Control,
    facts::What,
    place::{Place, look_through},
    pool::{Pool, Share},
    server::{Server, UnknownHosts},
    store::Sftp,
    wire::{Reply, Request, kind},
};
use crate::{
    capability::{Capabilities, CopyAbility, DeleteMeaning, KeyRules, MetadataAbility, Order},
    directories::above,
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    registry::{Opened, Remote},
    unfinished::Stale,
    web::patience::persistently,
};

/// Objects in flight where nobody says.
const TRANSFERS: usize = 8;

/// Opens what `path` names below `root`, or what follows `sftp://[user@]host[:port]`. A directory, and what is not there
/// yet, becomes the store's root; of an object it is what it lies in.
///
/// # Errors
/// `Config` for settings that do not fit; what stopped signing in.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (endpoint, root, path) = address(remote, path)?;
    let unknown_hosts = match remote.text("known_hosts_strategy") {
        None => UnknownHosts::Refuse,
        Some(word) if word.eq_ignore_ascii_case("strict") => UnknownHosts::Refuse,
        Some(word) if word.eq_ignore_ascii_case("add") => UnknownHosts::Add,
        Some(word) if word.eq_ignore_ascii_case("accept") => UnknownHosts::Accept,
        Some(other) => {
            let why = format!("known_hosts_strategy = \"{other}\" is none of Strict, Add, Accept");
            return Err(remote.wrong(why));
        }
    };
    let text = |name: &str| remote.text(name).map(str::to_owned);
    let domain = format!("sftp:{}@{endpoint}", remote.text("user").unwrap_or_default());
    let server = Server::new(endpoint, text("user"), text("key"), unknown_hosts);
    let transfers = remote.parsed::<usize>("transfers")?.unwrap_or(TRANSFERS).max(1);
    let fsync = remote.bool("fsync", true)?;
    let pool = Arc::new(Pool::new(server, transfers));
    let written = format!("{}:{path}", remote.name);
    let found = persistently(|| find(&pool, root.as_deref(), path)).await.map_err(|error| error.of(&written))?;
    // An object is named inside what it lies in.
    let inside = path.trim_end_matches('/').len() - found.object.len();
    let name = format!("{}:{}", remote.name, path[..inside].trim_end_matches('/'));
    let place = Place {
        name,
        root: found.root,
        fsync,
        capabilities: capabilities(found.copies.then_some(domain), transfers),
        pool,
        directories: Default::default(),
        stale: Stale::default(),
        skips: remote.skips.clone(),
    };
    Ok(Opened { store: Arc::new(Sftp::new(place)), prefix: found.object })
}

/// Whom `ssh` is to reach, the root, and what of `path` lies below.
fn address<'a>(remote: &'a Remote, path: &'a str) -> Result<(String, Option<String>, &'a str)> {
    if let Some(endpoint) = remote.text("endpoint") {
        return Ok((endpoint.to_owned(), remote.text("root").map(str::to_owned), path.trim_matches('/')));
    }
    if !remote.family.schemes.contains(&remote.name.as_str()) {
        return Err(remote.wrong("it needs the option 'endpoint'"));
    }
    let path = path.trim_start_matches('/');
    let (host, path) = path.split_once('/').unwrap_or((path, ""));
    if host.is_empty() {
        return Err(remote.wrong(format!("name a host: {}://HOST/PATH", remote.name)));
    }
    Ok((format!("ssh://{host}"), Some("/".to_owned()), path.trim_matches('/')))
}

/// Where the store begins.
struct Found {
    /// An absolute path without `/` at its end.
    root: String,
    /// The object in it that was named, or nothing.
    object: String,
    /// Whether the server copies by itself.
    copies: bool,
}

async fn find(pool: &Arc<Pool>, root: Option<&str>, path: &str) -> Result<Found> {
    let operation = Operation::Open;
    let lease = pool.take(operation, Share::Call).await?;
    let root = match root {
        Some(root) if root.starts_with('/') => root.to_owned(),
        root => format!("{}/{}", home(&lease.control).await?, root.unwrap_or_default()),
    };
    let copies = lease.control.abilities.copy_data;
    let whole = format!("{}/{path}", root.trim_end_matches('/')).trim_end_matches('/').to_owned();
    let looked = if path.is_empty() { None } else { look_through(&lease.control, operation, &whole).await? };
    if looked.is_some_and(|found| found.what() == What::File) {
        let folder = above(&whole).to_owned();
        let object = whole[folder.len() + 1..].to_owned();
        return Ok(Found { root: folder, object, copies });
    }
    Ok(Found { root: whole, object: String::new(), copies })
}

/// The directory a login starts in.
async fn home(control: &Control) -> Result<String> {
    let operation = Operation::Open;
    match control.call(operation, Request::new(kind::REALPATH).bytes(b".")).await? {
        Reply::Names(members) if members.len() == 1 => {
            let path = std::str::from_utf8(&members[0].name)
                .map_err(|error| Error::new(ErrorKind::Unsupported, operation).because(error))?;
            Ok(path.trim_end_matches('/').to_owned())
        }
        other => Err(other.unexpected(operation)),
    }
}

fn capabilities(domain: Option<String>, transfers: usize) -> Capabilities {
    Capabilities {
        keys: KeyRules {
            max_bytes: Key::MAX_BYTES,
            max_segment: 255,
            empty_segments: false,
            dot_segments: false,
            control: true,
            backslash: true,
            leading_space: true,
            trailing_space: true,
            file_beside_directory: false,
            folds_case: false,
        },
        order: Order::Unknown,
        modified: Some(Duration::from_secs(1)),
        modified_assumed: false,
        modified_in_list: true,
        digests_in_list: Vec::new(),
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: u64::MAX,
        multipart: None,
        copy: domain.map(|domain| CopyAbility { domain, max_copy: u64::MAX, parts: false }),
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
