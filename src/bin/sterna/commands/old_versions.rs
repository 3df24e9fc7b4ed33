//! `delete --old-versions`: what was overwritten or deleted goes for good; what is there stays.

use std::sync::Arc;

use futures::TryStreamExt;
use sterna::{
    backends::{Deleted, Entry, Kind, ListRequest, VersionScope},
    list::filter::Filter,
};

use super::{delete::Sweep, look::Look};
use crate::{
    args::{DeleteArgs, GlobalArgs, LocalArgs, LookArgs, VersionArgs},
    exit::{Exit, Failure},
    ui,
};

/// Markers held back until the versions they hide are gone.
const MARKERS: usize = 1000;

/// Deletes every version that is not the newest of its key. A marker that is the newest goes last, and only where it
/// hides nothing any more: else what it hides would come back.
pub async fn old_versions(global: &GlobalArgs, args: &DeleteArgs) -> Result<Exit, Failure> {
    let look_args = LookArgs {
        place: args.place.clone(),
        filter: args.filter.clone(),
        local: LocalArgs::default(),
        versions: VersionArgs { versions: true, version_at: None },
    };
    let look = Look::open(global, &look_args).await?;
    let filter = Arc::clone(&look.scope.filter);
    let prefix = if look.place.object.is_some() { filter.prefix().to_owned() } else { String::new() };
    let mut pages = look.place.store.list(ListRequest { versions: VersionScope::All, ..ListRequest::all(prefix) });
    let sweep = Sweep::new(global, &look.place.store, args.dry_run);
    let mut past = Past { filter, sweep, newest: None, kept: false, markers: Vec::new() };
    while let Some(page) = pages.try_next().await? {
        for entry in page {
            past.take(entry).await?;
        }
    }
    past.close().await?;
    past.flush().await?;
    past.sweep.end().await
}

struct Past<'a> {
    filter: Arc<Filter>,
    sweep: Sweep<'a>,
    /// The newest version of the present key.
    newest: Option<Entry>,
    /// Whether an older version of the present key stays.
    kept: bool,
    /// Markers that hide nothing once what was taken is gone.
    markers: Vec<Entry>,
}

impl Past<'_> {
    /// The next version: newest first within a key.
    async fn take(&mut self, entry: Entry) -> Result<(), Failure> {
        if entry.kind == Kind::Directory {
            return Ok(());
        }
        if self.newest.as_ref().is_none_or(|newest| newest.key != entry.key) {
            self.close().await?;
            self.newest = Some(entry);
            self.kept = false;
            return Ok(());
        }
        match target(&entry) {
            Some(target) if self.admits(&entry) => self.sweep.take(target, entry.size.unwrap_or(0)).await,
            target => {
                if target.is_none() {
                    ui::complain(&format!("{}: an old version without a name is left alone", entry.key));
                }
                self.kept = true;
                Ok(())
            }
        }
    }

    /// By name and size, and by the time the store took it: the content's own may lie long before it was overwritten.
    fn admits(&self, entry: &Entry) -> bool {
        self.filter.admits(&Entry { modified: None, ..entry.clone() })
    }

    /// No more versions of the present key come.
    async fn close(&mut self) -> Result<(), Failure> {
        let Some(newest) = self.newest.take() else { return Ok(()) };
        if newest.kind == Kind::DeleteMarker && !self.kept && self.filter.admits_key(&newest.key) {
            self.markers.push(newest);
        }
        if self.markers.len() >= MARKERS { self.flush().await } else { Ok(()) }
    }

    /// Deletes the markers, after everything they hide.
    async fn flush(&mut self) -> Result<(), Failure> {
        self.sweep.flush().await;
        for marker in std::mem::take(&mut self.markers) {
            if self.sweep.failed(&marker.key) {
                continue;
            }
            if let Some(target) = target(&marker) {
                self.sweep.take(target, 0).await?;
            }
        }
        Ok(())
    }
}

/// The version by its name; without one the whole object would be meant.
fn target(entry: &Entry) -> Option<Deleted> {
    entry.version.clone().map(|version| Deleted { key: entry.key.clone(), version: Some(version) })
}
