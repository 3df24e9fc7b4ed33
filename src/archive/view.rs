//! A snapshot as a plain tree that lies in the archive, made of its contents by the store itself.
//!
//! A view is nothing that a manifest names: it may go at any time and be made again. It goes with its snapshot.

use std::{collections::BTreeMap, sync::Arc};

use futures::TryStreamExt;
use serde::Serialize;
use sterna_backends::{
    Digest, Entry, Error, ErrorKind, Key, Kind, ListRequest, Operation, Result, Store, StoreExt, layer::Prefix,
};

use super::{
    Archive, Content, Line, Snapshot, SnapshotId,
    layout::{VIEWS, known},
};
use crate::{
    event::Deed,
    plan::{self, Item, Origin},
};

/// The view of a snapshot, there or to be made: its [`source`](View::source) is compared with its
/// [`target`](View::target) as in any sync, and what is to be sent becomes a copy ([`View::copied`]).
#[derive(Clone, Debug)]
pub struct View {
    archive: Archive,
    id: SnapshotId,
    snapshot: Arc<Snapshot>,
    /// The largest content that the store copies by itself, in bytes; `None`: it copies none.
    copies: Option<u64>,
    /// Whether what it does not copy is read and sent.
    carries: bool,
}

/// What of a snapshot its store cannot copy by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Uncopied {
    objects: u64,
    bytes: u64,
}

/// The views of an archive, by what their snapshots are called in `list`, and whether each is complete.
#[derive(Clone, Debug, Default)]
pub struct Views(BTreeMap<String, bool>);

/// What lies beside a view that is complete.
#[derive(Serialize)]
struct Complete {
    snapshot: String,
    manifest: Content,
    objects: u64,
    bytes: u64,
}

/// Where the objects of a view lie.
fn folder(name: &str) -> String {
    format!("{VIEWS}{name}/")
}

/// What says that a view is complete.
fn sign(name: &str) -> Key {
    known(format!("{VIEWS}{name}.json"))
}

impl Views {
    /// Whether the snapshot's view is complete; `None`: it has none.
    #[must_use]
    pub fn is_complete(&self, id: &SnapshotId) -> Option<bool> {
        self.0.get(&id.to_string()).copied()
    }

    /// Those whose snapshot is none of `ids`.
    pub(super) fn without(self, ids: &[SnapshotId]) -> Vec<String> {
        let mut views = self.0;
        for id in ids {
            views.remove(&id.to_string());
        }
        views.into_keys().collect()
    }
}

impl Archive {
    /// What views there are: one listing of one level, and one more for each that is not complete, since some stores go on
    /// showing a directory when all in it is gone.
    ///
    /// # Errors
    /// What ended the listing.
    pub async fn views(&self) -> Result<Views> {
        let mut views = BTreeMap::new();
        let mut entries = self.store.entries(ListRequest::level(VIEWS));
        while let Some(entry) = entries.try_next().await? {
            let name = entry.key.strip_prefix(VIEWS).unwrap_or_default();
            match (entry.kind, name.strip_suffix('/'), name.strip_suffix(".json")) {
                (Kind::Directory, Some(name), _) => drop(views.entry(name.to_owned()).or_insert(false)),
                (Kind::Object, None, Some(name)) => drop(views.insert(name.to_owned(), true)),
                _ => {}
            }
        }
        let mut found = BTreeMap::new();
        for (name, complete) in views {
            if complete || self.has_objects(&folder(&name)).await? {
                found.insert(name, complete);
            }
        }
        Ok(Views(found))
    }

    async fn has_objects(&self, folder: &str) -> Result<bool> {
        let mut entries = self.store.entries(ListRequest::all(folder));
        while let Some(entry) = entries.try_next().await? {
            if entry.is_object() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The view of a snapshot, to be made. What the store cannot copy (contents in pieces; all, where it copies nothing) is
    /// sent through us if `carries`, or where reading and writing it costs no request.
    ///
    /// # Errors
    /// `Unsupported` where there is something the store cannot copy and that is not to be sent; nothing was made. Else as
    /// [`Archive::manifest`].
    pub async fn view(&self, id: &SnapshotId, carries: bool) -> Result<View> {
        let can = self.store.capabilities();
        let view = View {
            snapshot: self.snapshot(id).await?,
            archive: self.clone(),
            id: id.clone(),
            copies: plan::Target::new(can, can).copies,
            carries: carries || can.cheap_read,
        };
        if !view.carries {
            let Uncopied { objects, bytes } = view.uncopied()?;
            if objects > 0 {
                let whole = if view.copies.is_some() { "contents in pieces" } else { "contents" };
                let why = format!(
                    "{objects} objects ({bytes} bytes) of {id} cannot be part of a view: the store copies no {whole} by \
                     itself; with --carry they are read and sent"
                );
                return Err(Error::unsupported(Operation::Copy, why).of(self.store.name()));
            }
        }
        Ok(view)
    }

    /// Removes the views of these snapshots, where there are any.
    ///
    /// # Errors
    /// The first failure.
    pub async fn remove_views(&self, ids: &[SnapshotId]) -> Result<()> {
        let views = self.views().await?;
        for id in ids.iter().filter(|id| views.is_complete(id).is_some()) {
            self.remove_view(&id.to_string()).await?;
        }
        Ok(())
    }

    /// Removes a view: first what says that it is complete.
    pub(super) async fn remove_view(&self, name: &str) -> Result<()> {
        self.store.delete_keys(vec![sign(name)]).await?;
        let mut pages = self.store.list(ListRequest::all(folder(name)));
        while let Some(page) = pages.try_next().await? {
            let objects = page.into_iter().filter(Entry::is_object);
            self.store.delete_keys(objects.map(|entry| entry.key).collect()).await?;
        }
        Ok(())
    }
}

impl View {
    /// What it is to hold.
    #[must_use]
    pub fn source(&self) -> Arc<dyn Store> {
        Arc::clone(&self.snapshot) as Arc<dyn Store>
    }

    /// Where it lies.
    #[must_use]
    pub fn target(&self) -> Arc<dyn Store> {
        Arc::new(Prefix::new(Arc::clone(&self.archive.store), self.folder()))
    }

    /// Where it lies in the archive, with a `/` at its end.
    #[must_use]
    pub fn folder(&self) -> String {
        folder(&self.id.to_string())
    }

    /// An item of the plan for it, as the store does it by itself where it can. Returns the bytes of what became a copy.
    ///
    /// # Errors
    /// What the disk says.
    pub fn copied(&self, item: Item) -> Result<(Item, Option<u64>)> {
        let Item::Action(mut action) = item else { return Ok((item, None)) };
        let line = match &action.source {
            Some(source) if action.deed == Deed::Transfer => self.snapshot.manifest().find(&source.key)?,
            _ => None,
        };
        let Some(line) = line.filter(|line| self.copies(line)) else { return Ok((Item::Action(action), None)) };
        action.deed = Deed::Copy;
        // A content carries nothing of what the snapshot says of its object, so all of that is said with the copy.
        action.metadata = Some(Arc::default());
        // With another origin than its source it may be sent where the store fails to copy it.
        let at = self.snapshot.copy_source(&line.path).filter(|_| self.carries);
        action.origin = at.map(|at| Origin {
            at,
            digests: [Digest::Sha256(line.sha256.0)].into_iter().collect(),
            inside: None,
            seen: None,
        });
        Ok((Item::Action(action), Some(line.size)))
    }

    /// All of it is there: that is written down beside it, unless its snapshot was forgotten meanwhile; then it goes, too.
    ///
    /// # Errors
    /// `NotFound` where the snapshot is gone; what stopped a call.
    pub async fn complete(&self) -> Result<()> {
        let store = &self.archive.store;
        let manifest = self.snapshot.manifest();
        let complete = Complete {
            snapshot: self.id.to_string(),
            manifest: self.id.manifest,
            objects: manifest.objects,
            bytes: manifest.bytes,
        };
        let text = serde_json::to_vec(&complete)
            .map_err(|error| Error::new(ErrorKind::Other, Operation::Put).because(error))?;
        store.put_bytes(&sign(&complete.snapshot), text).await?;
        // Who forgets removes first the manifest and then the view: if the manifest is there now, he finds all of this.
        if store.holds(&self.id.key()).await? {
            return Ok(());
        }
        self.archive.remove_view(&complete.snapshot).await?;
        let why = "the snapshot was forgotten while its view was made";
        Err(Error::new(ErrorKind::NotFound, Operation::Put).of(store.name()).because(why))
    }

    /// Something of it is not there, so nothing says that all of it is.
    ///
    /// # Errors
    /// What stopped the call.
    pub async fn incomplete(&self) -> Result<()> {
        self.archive.store.delete_keys(vec![sign(&self.id.to_string())]).await
    }

    fn copies(&self, line: &Line) -> bool {
        line.chunks.is_empty() && self.copies.is_some_and(|most| line.size <= most)
    }

    fn uncopied(&self) -> Result<Uncopied> {
        let mut uncopied = Uncopied::default();
        for line in self.snapshot.manifest().lines() {
            let line = line?;
            if !self.copies(&line) {
                uncopied.objects += 1;
                uncopied.bytes += line.size;
            }
        }
        Ok(uncopied)
    }
}
