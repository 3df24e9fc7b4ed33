//! From options to a store.

use std::{sync::Arc, time::Duration};

use super::{
    control::{Abilities, Control},
    place::{Place, look_through},
    pool::{Pool, Share},
    server::{Server, UnknownHosts},
    wire::{Reply, Request, kind},
};
use crate::{
    capability::{Capabilities, CopyAbility, KeyRules, MultipartAbility},
    directories::above,
    entry::Algorithm,
    error::{Error, ErrorKind, Operation, Result},
    registry::{Opened, Remote},
    secret::has_password,
    tree::{Facts, Root, TreeStore, What},
    web::patience::persistently,
};

/// Objects in flight where nobody says.
const TRANSFERS: usize = 8;

/// A file is written anywhere in it; the CRC-32C of a part stands in the ledger.
const PARTS: MultipartAbility = MultipartAbility {
    min_part: 1,
    max_part: u64::MAX,
    min_parts: 1,
    max_parts: 1_000_000,
    part: Some(8 << 20),
    threshold: 64 << 20,
    resumable: true,
    tells_begun: false,
    part_digest: Some(Algorithm::Crc32c),
    part_checksum: None,
};

/// Opens what `path` names below `root`, or what follows `sftp://[user@]host[:port]`. A directory, and what is not there
/// yet, becomes the store's root; of an object it is what it lies in.
///
/// # Errors
/// `Config` for settings that do not fit; what stopped signing in.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (host, path) = remote.host_and_path("endpoint", path)?;
    let path = path.trim_matches('/');
    let (endpoint, root) = match remote.text("endpoint") {
        Some(endpoint) if has_password(endpoint) => return Err(remote.holds_password("endpoint")),
        Some(endpoint) => (endpoint.to_owned(), remote.text("root")),
        None => (format!("ssh://{host}"), Some("/")),
    };
    let unknown_hosts = remote.choice(
        "known_hosts_strategy",
        &[("Strict", UnknownHosts::Refuse), ("Add", UnknownHosts::Add), ("Accept", UnknownHosts::Accept)],
    )?;
    let text = |name: &str| remote.text(name).map(str::to_owned);
    let domain = format!("sftp:{}@{endpoint}", remote.text("user").unwrap_or_default());
    let server = Server::new(endpoint, text("user"), text("key"), unknown_hosts);
    let transfers = remote.parsed::<usize>("transfers")?.unwrap_or(TRANSFERS).max(1);
    let fsync = remote.bool("fsync", true)?;
    let pool = Arc::new(Pool::new(server, transfers));
    let written = format!("{}:{path}", remote.name);
    let found = persistently(|| find(&pool, root, path)).await.map_err(|error| error.of(&written))?;
    // An object is named inside what it lies in.
    let inside = path.trim_end_matches('/').len() - found.object.len();
    let name = format!("{}:{}", remote.name, path[..inside].trim_end_matches('/'));
    let capabilities = capabilities(found.abilities, domain, transfers);
    let root = Root::new(name, found.root, String::new(), capabilities, remote.skips.clone());
    let place = Place { root, pool, fsync, abilities: found.abilities };
    Ok(Opened { store: Arc::new(TreeStore::new(place)), prefix: found.object })
}

/// Where the store begins.
struct Found {
    /// An absolute path without `/` at its end.
    root: String,
    /// The object in it that was named, or nothing.
    object: String,
    abilities: Abilities,
}

async fn find(pool: &Arc<Pool>, root: Option<&str>, path: &str) -> Result<Found> {
    let operation = Operation::Open;
    let lease = pool.take(operation, Share::Call).await?;
    let root = match root {
        Some(root) if root.starts_with('/') => root.to_owned(),
        root => format!("{}/{}", home(&lease.control).await?, root.unwrap_or_default()),
    };
    let abilities = lease.control.abilities;
    let whole = format!("{}/{path}", root.trim_end_matches('/')).trim_end_matches('/').to_owned();
    let looked = if path.is_empty() { None } else { look_through(&lease.control, operation, &whole).await? };
    if looked.is_some_and(|found| found.what() == What::File) {
        let folder = above(&whole).to_owned();
        let object = whole[folder.len() + 1..].to_owned();
        return Ok(Found { root: folder, object, abilities });
    }
    Ok(Found { root: whole, object: String::new(), abilities })
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

fn capabilities(abilities: Abilities, domain: String, transfers: usize) -> Capabilities {
    Capabilities {
        keys: KeyRules::PATHS,
        modified: Some(Duration::from_secs(1)),
        modified_in_list: true,
        copy: abilities.copy_data.then_some(CopyAbility { domain, max_copy: u64::MAX, parts: false }),
        multipart: Some(PARTS),
        directories: true,
        transfers,
        ..Capabilities::LEAST
    }
}
