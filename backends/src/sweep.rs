//! A folder of our own, removed again.

use futures::StreamExt;

use crate::{
    entry::Kind,
    error::Result,
    store::{Deleted, ListRequest, Store, StoreExt, VersionScope},
};

/// Removes all that `place` holds: open uploads, objects with all their versions, directories, its own root last. For a
/// prefix that nobody else writes to: nothing is asked, and what is there is held in memory.
///
/// # Errors
/// What stopped it; some of it may be gone then.
pub async fn sweep(place: &dyn Store) -> Result<()> {
    let can = place.capabilities();
    if can.read_only {
        return Ok(());
    }
    if can.multipart.is_some() {
        for upload in place.uploads("").await? {
            place.abort(&upload.token).await?;
        }
    }
    let scope = if can.versions { VersionScope::All } else { VersionScope::Latest };
    let entries = place.list_to_vec(ListRequest { versions: scope, ..ListRequest::all("") }).await?;
    let targets: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.kind != Kind::Directory)
        .map(|entry| Deleted { key: entry.key, version: entry.version })
        .collect();
    place.delete(&targets).await.into_iter().collect::<Result<()>>()?;
    if can.directories { sweep_directories(place).await } else { Ok(()) }
}

/// Removes the innermost directories until none is left: those that hold others are not listed as empty.
async fn sweep_directories(place: &dyn Store) -> Result<()> {
    let request = || ListRequest { empty_directories: true, ..ListRequest::all("") };
    loop {
        let mut removed = false;
        let mut entries = place.entries(request());
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if entry.kind == Kind::Directory {
                place.remove_directory(&entry.key).await?;
                removed = true;
            }
        }
        if !removed {
            return place.remove_directory("").await;
        }
    }
}
