//! Deleting the contents that no manifest names.

use std::{collections::HashSet, sync::Arc};

use futures::TryStreamExt;
use serde::Serialize;
use sterna_backends::{Body, Deleted, Digest, Error, ErrorKind, ListRequest, Operation, PutRequest, Result, StoreExt};

use super::{
    Archive, Content, Manifest, SnapshotId,
    layout::{CREATE, LEASES, PRUNE, Shape},
    present::Present,
};
use crate::lease::Shared;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Contents that are named, and stay.
    pub kept: u64,
    /// Contents and pieces that were deleted, or would be.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Snapshots of runs that were killed at their very end, which appeared now.
    pub completed: u64,
    /// Views that were removed, or would be: their snapshots are gone.
    pub views: u64,
}

/// Deletes what no manifest names; with `dry_run` only counts.
///
/// # Errors
/// `Unavailable` where somebody adds a snapshot: nothing was deleted, it is to be run again later. `Integrity` where a
/// manifest cannot be read: what it names is not known, so nothing was deleted.
pub async fn prune(archive: &Archive, dry_run: bool) -> Result<Pruned> {
    if dry_run {
        let views = archive.views().await?;
        let ids = archive.snapshots().await?;
        let pruned = sweep(archive, &named(archive, &ids).await?, None).await?;
        return Ok(Pruned { views: views.without(&ids).len() as u64, ..pruned });
    }
    let lease = Shared::take(&archive.store, archive.terms, (LEASES, PRUNE), b"{}\n".to_vec()).await?;
    let pruned = alone(archive, &lease).await;
    let released = lease.release().await;
    let pruned = pruned?;
    released.map(|()| pruned)
}

async fn alone(archive: &Archive, lease: &Shared) -> Result<Pruned> {
    let creators = lease.others(CREATE).await?;
    if creators.iter().any(|one| one.alive) {
        let why = "a snapshot is being added to the archive, so nothing was deleted; run it again later";
        return Err(Error::new(ErrorKind::Unavailable, Operation::Delete).of(archive.store.name()).because(why));
    }
    // From here on whoever was taken for dead by mistake is told so, and a manifest he has written already is seen below.
    for one in &creators {
        lease.bury(one).await?;
    }
    let mut completed = 0;
    for id in archive.incoming().await? {
        lease.may_write(Operation::Delete)?;
        completed += u64::from(complete(archive, &id).await?);
    }
    // A view is begun when its manifest is there, so one whose manifest is found below neither is to go.
    let views = archive.views().await?;
    // Only now: a manifest whose writer has moved it on meanwhile is there by now.
    let ids = archive.snapshots().await?;
    let pruned = sweep(archive, &named(archive, &ids).await?, Some(lease)).await?;
    let left = views.without(&ids);
    for name in &left {
        archive.remove_view(name).await?;
    }
    Ok(Pruned { completed, views: left.len() as u64, ..pruned })
}

/// Brings a manifest to its place whose writer came no further. What it names is there, or its writer has been told that
/// he failed; then it goes. Returns whether it was not there.
async fn complete(archive: &Archive, id: &SnapshotId) -> Result<bool> {
    let store = &archive.store;
    let manifest = match Manifest::fetch(store, &id.incoming(), id.manifest).await {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        // Not a whole one: nobody relies on it.
        Err(error) if error.kind() == ErrorKind::Integrity => {
            store.delete_keys(vec![id.incoming()]).await?;
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let whole = is_whole(archive, &manifest).await?;
    let new = whole && !store.holds(&id.key()).await?;
    if new {
        let bytes = store.get(&id.incoming()).await?;
        let request = PutRequest {
            digests: [Digest::Sha256(id.manifest.0)].into_iter().collect(),
            size: Some(bytes.len() as u64),
            ..PutRequest::default()
        };
        store.put(&id.key(), request, Body::from(bytes)).await?;
    }
    store.delete_keys(vec![id.incoming()]).await?;
    Ok(new)
}

async fn is_whole(archive: &Archive, manifest: &Manifest) -> Result<bool> {
    let mut wholes = Present::new(&archive.store, Shape::Whole);
    let mut pieces = Present::new(&archive.store, Shape::Piece);
    for line in manifest.lines() {
        for (shape, content) in line?.contents() {
            let present = if shape == Shape::Whole { &mut wholes } else { &mut pieces };
            if !present.has(content).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Everything that any of these manifests names: 33 bytes a content in memory, some 50 with the table.
async fn named(archive: &Archive, ids: &[SnapshotId]) -> Result<HashSet<(Shape, Content)>> {
    let mut named = HashSet::new();
    for id in ids {
        let manifest = match archive.manifest(id).await {
            Ok(manifest) => manifest,
            // Forgotten meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in manifest.lines() {
            named.extend(line?.contents());
        }
    }
    Ok(named)
}

/// Deletes what is not `named`; without a lease only counts.
async fn sweep(archive: &Archive, named: &HashSet<(Shape, Content)>, lease: Option<&Shared>) -> Result<Pruned> {
    let store = Arc::clone(&archive.store);
    let together = store.capabilities().deleted_together();
    let mut pruned = Pruned::default();
    let mut doomed: Vec<(Deleted, u64)> = Vec::new();
    for shape in Shape::ALL {
        let mut entries = store.entries(ListRequest::all(shape.prefix()));
        while let Some(entry) = entries.try_next().await? {
            let Some(content) = shape.content(&entry.key) else { continue };
            if named.contains(&(shape, content)) {
                pruned.kept += 1;
                continue;
            }
            doomed.push((entry.key.into(), entry.size.unwrap_or(0)));
            if doomed.len() >= together {
                delete_all(archive, lease, &mut doomed, &mut pruned).await?;
            }
        }
    }
    delete_all(archive, lease, &mut doomed, &mut pruned).await?;
    Ok(pruned)
}

async fn delete_all(
    archive: &Archive,
    lease: Option<&Shared>,
    doomed: &mut Vec<(Deleted, u64)>,
    pruned: &mut Pruned,
) -> Result<()> {
    let (targets, sizes): (Vec<Deleted>, Vec<u64>) = std::mem::take(doomed).into_iter().unzip();
    if let Some(lease) = lease.filter(|_| !targets.is_empty()) {
        lease.may_write(Operation::Delete)?;
        archive.store.delete(&targets).await.into_iter().collect::<Result<Vec<()>>>()?;
    }
    pruned.deleted += targets.len() as u64;
    pruned.deleted_bytes += sizes.iter().sum::<u64>();
    Ok(())
}
