//! A place that holds an archive.

use std::sync::Arc;

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sterna_backends::{Body, Error, ErrorKind, ListRequest, Operation, PutRequest, Result, Store, StoreExt};

use super::{
    Manifest, Name, Snapshot, SnapshotId,
    layout::{INCOMING, MARKER, SNAPSHOTS, known},
};
use crate::lease::Terms;

/// The version of the layout; others are refused.
const VERSION: u32 = 1;

/// What the marker says.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    sterna_archive: u32,
    #[serde(flatten)]
    terms: Terms,
}

/// An archive.
#[derive(Clone, Debug)]
pub struct Archive {
    pub(super) store: Arc<dyn Store>,
    pub(super) terms: Terms,
}

impl Archive {
    /// The archive at `store`.
    ///
    /// # Errors
    /// `NoSuchContainer` where there is none; `Unsupported` where it is of another version.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self> {
        let none = |error: Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NoSuchContainer => Error::new(ErrorKind::NoSuchContainer, Operation::Open)
                .of(store.name())
                .because(format!("there is no archive ('{MARKER}' is not there); 'snapshot create' makes one")),
            _ => error,
        };
        let text = store.get(&known(MARKER.to_owned())).await.map_err(none)?;
        let refused = |why: String| Error::unsupported(Operation::Open, why).of(store.name());
        let marker: Marker =
            serde_json::from_slice(&text).map_err(|error| refused(format!("'{MARKER}' is not understood: {error}")))?;
        if marker.sterna_archive != VERSION {
            let found = marker.sterna_archive;
            return Err(refused(format!("the archive is of version {found}, and this sterna knows {VERSION}")));
        }
        Ok(Self { terms: marker.terms, store })
    }

    /// The archive at `store`, made with `terms` where nothing at all is there. Of several who make it at once one does, and
    /// its terms are the others', where the store writes on a condition; elsewhere the last one's are, and who has found his own
    /// there before keeps them in that run.
    ///
    /// # Errors
    /// `Exists` where something is there that is no archive; else as [`Archive::open`].
    pub async fn open_or_make(store: Arc<dyn Store>, terms: Terms) -> Result<Self> {
        match Self::open(Arc::clone(&store)).await {
            Err(error) if error.kind() == ErrorKind::NoSuchContainer => {}
            opened => return opened,
        }
        let mut there = store.entries(ListRequest::level(""));
        match there.try_next().await {
            Ok(Some(entry)) => {
                let why = "it holds something that is no archive; choose an empty place, or a new one inside it";
                return Err(Error::new(ErrorKind::Exists, Operation::Open)
                    .of(store.name())
                    .at(&entry.key)
                    .because(why));
            }
            Err(error) if error.kind() != ErrorKind::NoSuchContainer => return Err(error),
            Ok(None) | Err(_) => {}
        }
        let marker = serde_json::to_vec(&Marker { sterna_archive: VERSION, terms })
            .map_err(|error| Error::new(ErrorKind::Other, Operation::Put).because(error))?;
        let alone = PutRequest { size: Some(marker.len() as u64), if_absent: true, ..PutRequest::default() };
        match store.put(&known(MARKER.to_owned()), alone, Body::from(marker)).await {
            Err(error) if !matches!(error.kind(), ErrorKind::Exists | ErrorKind::Precondition) => Err(error),
            // Whoever made it at the same time may have chosen other terms: those that lie there count.
            _ => Self::open(store).await,
        }
    }

    /// The terms of its leases.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The store it lies in.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// What ended the listing.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotId>> {
        self.manifests(SNAPSHOTS).await
    }

    /// Manifests that are about to appear, or never will.
    pub(super) async fn incoming(&self) -> Result<Vec<SnapshotId>> {
        self.manifests(INCOMING).await
    }

    async fn manifests(&self, prefix: &str) -> Result<Vec<SnapshotId>> {
        let mut pages = self.store.list(ListRequest::all(prefix));
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            found.extend(page.iter().filter(|entry| entry.is_object()).filter_map(|entry| SnapshotId::of(&entry.key)));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// The snapshot that people mean by `text`: its name, its time, both, `latest`, or the first 8 or more digits of its
    /// manifest's SHA-256.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` where several are meant.
    pub async fn find(&self, text: &str) -> Result<SnapshotId> {
        let mut all = self.snapshots().await?;
        if text == "latest" {
            return all.pop().ok_or_else(|| self.no_snapshot("there is no snapshot yet".to_owned()));
        }
        let mut meant = all.into_iter().filter(|id| id.is_meant_by(text));
        match (meant.next(), meant.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(other)) => {
                let why = format!("'{text}' means several snapshots, such as {one} and {other}");
                Err(Error::new(ErrorKind::BadRequest, Operation::Open).of(self.store.name()).because(why))
            }
            (None, _) => Err(self.no_snapshot(format!("there is no snapshot '{text}'; 'snapshot list' shows them"))),
        }
    }

    fn no_snapshot(&self, why: String) -> Error {
        Error::new(ErrorKind::NotFound, Operation::Open).of(self.store.name()).because(why)
    }

    /// That no snapshot has that name yet.
    ///
    /// # Errors
    /// `Exists`.
    pub async fn free(&self, name: &Name) -> Result<()> {
        let taken = self.snapshots().await?.into_iter().find(|id| id.name.as_ref() == Some(name));
        taken.map_or(Ok(()), |id| {
            let why = format!("there is a snapshot of that name already: {id}");
            Err(Error::new(ErrorKind::Exists, Operation::Put).of(self.store.name()).because(why))
        })
    }

    /// What a snapshot holds.
    ///
    /// # Errors
    /// As [`Manifest::fetch`].
    pub async fn manifest(&self, id: &SnapshotId) -> Result<Manifest> {
        Manifest::fetch(&self.store, &id.key(), id.manifest).await
    }

    /// The snapshot as a store.
    ///
    /// # Errors
    /// As [`Archive::manifest`].
    pub async fn snapshot(&self, id: &SnapshotId) -> Result<Arc<Snapshot>> {
        Ok(Arc::new(Snapshot::new(self, id, self.manifest(id).await?)))
    }

    /// Takes manifests away, then their views; the contents stay until [`prune`](super::prune), and so does a view where
    /// this ends between the two.
    ///
    /// # Errors
    /// The first failure.
    pub async fn remove(&self, ids: &[SnapshotId]) -> Result<()> {
        self.store.delete_keys(ids.iter().map(SnapshotId::key).collect()).await?;
        self.remove_views(ids).await
    }
}
