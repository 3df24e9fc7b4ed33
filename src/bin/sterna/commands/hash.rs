//! `hash`: digests of objects.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use sterna::{
    backends::{self, Digest, Entry, Error, ErrorKind, Operation, Store},
    index::{self, Shelf},
};

use super::{look::Look, print, print_json};
use crate::{
    args::{Algorithm, GlobalArgs, HashArgs},
    exit::{Exit, Failure},
    settings,
};

impl From<Algorithm> for backends::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5,
            Algorithm::Sha1 => Self::Sha1,
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Crc32c => Self::Crc32c,
            Algorithm::Crc64nvme => Self::Crc64Nvme,
        }
    }
}

/// `sterna hash`: what a listing or a stat tells is taken; the rest is read.
pub async fn hash(global: &GlobalArgs, args: HashArgs) -> Result<Exit, Failure> {
    let look = Look::open(global, &args.look).await?;
    let algorithm = args.algorithm.into();
    let listing = look.listing();
    let entries = stream::try_unfold(listing, |mut listing| async move {
        Ok::<_, Error>(listing.next().await?.map(|entry| (entry, listing)))
    });
    let store = &look.place.store;
    let index = settings::index(global)?;
    let shelf = index.as_ref().and_then(|index| index.shelf(&**store));
    let shelf = shelf.as_ref();
    let hashed = entries.map(|entry: backends::Result<Entry>| async move {
        known(store, shelf, entry?, algorithm, args.download).await
    });
    let mut hashed = std::pin::pin!(hashed.buffered(global.checkers.max(1)));
    while let Some((entry, digest)) = hashed.try_next().await? {
        let hex = digest.hex();
        if global.json {
            print_json(&serde_json::json!({ "key": entry.key, "algorithm": algorithm, "digest": hex }))?;
        } else {
            print(&line(&hex, &entry.key))?;
        }
    }
    Ok(Exit::Success)
}

/// As `sha256sum` writes it: a name with a line break or backslash is escaped, and the line says so.
fn line(hex: &str, key: &str) -> String {
    if key.contains(['\n', '\r', '\\']) {
        let escaped = key.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        format!("\\{hex}  {escaped}\n")
    } else {
        format!("{hex}  {key}\n")
    }
}

async fn known(
    store: &Arc<dyn Store>,
    shelf: Option<&Shelf>,
    mut entry: Entry,
    algorithm: backends::Algorithm,
    download: bool,
) -> backends::Result<(Entry, Digest)> {
    let tells = store.capabilities().digests_in_stat.contains(&algorithm);
    if !download && entry.digests.get(algorithm).is_none() && tells {
        index::learn(store, &mut entry).await?;
    }
    if download || entry.digests.get(algorithm).is_none() {
        index::digest(store, shelf, &mut entry, algorithm).await?;
    }
    match entry.digests.get(algorithm) {
        Some(digest) => Ok((entry, digest)),
        None => Err(Error::new(ErrorKind::Unsupported, Operation::Read)
            .of(store.name())
            .at(&entry.key)
            .because("its digest is neither told nor computed")),
    }
}
