//! `delete`, `purge`: what goes, and what was never finished.

use std::{collections::HashSet, sync::Arc};

use futures::TryStreamExt;
use sterna::{
    backends::{self, Deleted, ErrorKind, IncompleteUpload, Key, Kind, ListRequest, Store, Timestamp, VersionScope},
    list::Scope,
};

use super::{look::Look, observer, old_versions::old_versions, print, print_json};
use crate::{
    args::{DeleteArgs, GlobalArgs, LocalArgs, LookArgs, PurgeArgs, VersionArgs},
    exit::{Exit, Failure, of_error},
    places::Opener,
    settings, ui,
};

/// `sterna delete`.
pub async fn delete(global: &GlobalArgs, args: DeleteArgs) -> Result<Exit, Failure> {
    if args.incomplete {
        return incomplete(global, &args).await;
    }
    if args.old_versions {
        return old_versions(global, &args).await;
    }
    let look_args = LookArgs {
        place: args.place.clone(),
        filter: args.filter.clone(),
        local: LocalArgs::default(),
        versions: VersionArgs::default(),
    };
    let look = Look::open(global, &look_args).await?;
    let mut listing = look.listing();
    let mut sweep = Sweep::new(global, &look.place.store, args.dry_run);
    while let Some(entry) = listing.next().await? {
        sweep.take(Deleted::from(entry.key), entry.size.unwrap_or(0)).await?;
    }
    sweep.end().await
}

/// `sterna purge`: the place itself, too, where it is a folder or a bucket.
pub async fn purge(global: &GlobalArgs, args: PurgeArgs) -> Result<Exit, Failure> {
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let place = opener.either(&args.place).await?;
    if place.object.is_some() {
        let at = &args.place;
        return Err(Failure::usage(format!(
            "{at} is one object: 'delete {at}' deletes it, 'purge {at}/' what lies below"
        )));
    }
    let versions = if args.versions { VersionScope::All } else { VersionScope::Latest };
    let mut pages = place.store.list(ListRequest { versions, empty_directories: true, ..ListRequest::all("") });
    let mut sweep = Sweep::new(global, &place.store, args.dry_run);
    let mut folders = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for entry in page {
            match entry.kind {
                Kind::Directory => folders.push(entry.key),
                Kind::Object | Kind::DeleteMarker => {
                    let version = if args.versions { entry.version } else { None };
                    sweep.take(Deleted { key: entry.key, version }, entry.size.unwrap_or(0)).await?;
                }
            }
        }
    }
    let exit = sweep.end().await?;
    if exit == Exit::Success && !args.dry_run {
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        for folder in folders {
            place.store.remove_directory(folder.trim_end_matches('/')).await?;
        }
        place.store.remove_directory("").await?;
    }
    Ok(exit)
}

/// Deletes in batches, and says what it did.
pub(super) struct Sweep<'a> {
    global: &'a GlobalArgs,
    store: Arc<dyn Store>,
    dry_run: bool,
    batch: Vec<Deleted>,
    objects: u64,
    bytes: u64,
    failed: u64,
    failures: HashSet<Key>,
    exit: Exit,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(global: &'a GlobalArgs, store: &Arc<dyn Store>, dry_run: bool) -> Self {
        Self {
            global,
            store: Arc::clone(store),
            dry_run,
            batch: Vec::new(),
            objects: 0,
            bytes: 0,
            failed: 0,
            failures: HashSet::new(),
            exit: Exit::Success,
        }
    }

    pub(super) async fn take(&mut self, target: Deleted, bytes: u64) -> Result<(), Failure> {
        self.objects += 1;
        self.bytes += bytes;
        if self.dry_run {
            return self.show(&target, bytes);
        }
        self.batch.push(target);
        if self.batch.len() >= self.store.capabilities().deleted_together() {
            self.flush().await;
        }
        Ok(())
    }

    fn show(&self, target: &Deleted, bytes: u64) -> Result<(), Failure> {
        if self.global.json {
            return print_json(&serde_json::json!({ "key": target.key, "version": target.version, "bytes": bytes }));
        }
        let version = target.version.as_deref().map_or_else(String::new, |version| format!("  [{version}]"));
        if self.global.quiet { Ok(()) } else { print(&format!("- {}{version}\n", target.key)) }
    }

    /// Whether a delete of that key has failed.
    pub(super) fn failed(&self, key: &Key) -> bool {
        self.failures.contains(key)
    }

    pub(super) async fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        for (target, result) in batch.iter().zip(self.store.delete(&batch).await) {
            match result {
                Ok(()) if self.global.verbose > 0 => ui::say(&format!("deleted {}", target.key)),
                Ok(()) => {}
                Err(error) => {
                    ui::complain(&error.to_string());
                    self.exit = of_error(&error);
                    self.failed += 1;
                    self.failures.insert(target.key.clone());
                }
            }
        }
    }

    pub(super) async fn end(mut self) -> Result<Exit, Failure> {
        self.flush().await;
        let done = self.objects - self.failed;
        let verb = if self.dry_run { "would be deleted" } else { "deleted" };
        let words = format!("{} {verb}", ui::count(done, "object"));
        report(self.global, self.dry_run, (done, self.failed, self.bytes), &words)?;
        Ok(self.exit)
    }
}

/// `sterna delete --incomplete`.
async fn incomplete(global: &GlobalArgs, args: &DeleteArgs) -> Result<Exit, Failure> {
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let place = opener.folder(&args.place).await?;
    let scope = Scope { filter: Arc::new(settings::filter(&args.filter)?), ..Scope::default() };
    let before = args.filter.min_age.and_then(|age| settings::point(age, Timestamp::now()));
    let old = |upload: &IncompleteUpload| match (before, upload.started) {
        (Some(before), Some(started)) => started <= before,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let (mut uploads, mut bytes, mut failed, mut exit) = (0, 0, 0, Exit::Success);
    for upload in place.store.uploads("").await? {
        if !old(&upload) || !scope.filter.admits_key(&upload.token.key) {
            continue;
        }
        match sweep_upload(&place.store, &upload, args.dry_run).await {
            Ok(freed) => {
                uploads += 1;
                bytes += freed;
                if global.json {
                    print_json(&serde_json::json!({ "key": upload.token.key, "bytes": freed }))?;
                } else if args.dry_run || global.verbose > 0 {
                    print(&format!("- {} ({})\n", upload.token.key, ui::bytes(freed)))?;
                }
            }
            Err(error) => {
                ui::complain(&error.to_string());
                failed += 1;
                exit = of_error(&error);
            }
        }
    }
    let verb = if args.dry_run { "would be given up" } else { "given up" };
    let words = format!("{} {verb}", ui::count(uploads, "unfinished upload"));
    report(global, args.dry_run, (uploads, failed, bytes), &words)?;
    Ok(exit)
}

/// Gives the upload up and says how many bytes its parts took.
async fn sweep_upload(store: &Arc<dyn Store>, upload: &IncompleteUpload, dry_run: bool) -> backends::Result<u64> {
    let freed = match store.parts(&upload.token).await {
        Ok(parts) => parts.iter().map(|part| part.size).sum(),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if !dry_run {
        store.abort(&upload.token).await?;
    }
    Ok(freed)
}

fn report(
    global: &GlobalArgs,
    dry_run: bool,
    (done, failed, bytes): (u64, u64, u64),
    words: &str,
) -> Result<(), Failure> {
    if global.json {
        print_json(&serde_json::json!({ "dry_run": dry_run, "deleted": done, "failed": failed, "bytes": bytes }))?;
    } else if !global.quiet {
        let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        ui::say(&format!("{words} ({}){failures}", ui::bytes(bytes)));
    }
    Ok(())
}
