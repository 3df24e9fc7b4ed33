//! A service as all calls share it: what lies there, in our words.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use opendal::Operator;

use super::{calls::within, profile::Writes};
use crate::{
    capability::Capabilities,
    entry::{Algorithm, Digest, Entry, Key, Metadata, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    unfinished::{Removes, Stale, is_unfinished},
};

/// How long one call may take: longer than any answer that is still on its way, connecting included.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// What the time of the content is kept under, as rclone keeps it (<https://rclone.org/googlecloudstorage/>), and its
/// SHA-256.
pub(super) const MTIME: &str = "mtime";
pub(super) const SHA256: &str = "sha256";

/// A bucket, or the root of a tree.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub operator: Operator,
    pub capabilities: Capabilities,
    pub tree: bool,
    pub writes: Writes,
    /// The directory that was named when this was opened: empty, or ending in `/`.
    pub folder: String,
    /// Temporary files that nobody works on any more, seen in listings.
    pub stale: Stale,
}

impl Place {
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that the service or the library would change.
    pub fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        if let Some(why) = self.capabilities.keys.refuse(key) {
            return Err(Error::unsupported(operation, why));
        }
        if self.is_unfinished(key) {
            return Err(Error::unsupported(operation, "files on their way are called so"));
        }
        Ok(())
    }

    /// Whether objects on their way are called so.
    pub fn is_unfinished(&self, name: &str) -> bool {
        matches!(self.writes, Writes::Renamed) && is_unfinished(name)
    }

    /// # Errors
    /// `NotFound`, for directories, too.
    pub async fn look(&self, operation: Operation, key: &Key) -> Result<Entry> {
        match self.look_at(operation, key).await? {
            Some(found) if found.is_object() => Ok(found),
            _ => Err(Error::new(ErrorKind::NotFound, operation)),
        }
    }

    /// What lies there, if something does.
    pub async fn look_at(&self, operation: Operation, key: &Key) -> Result<Option<Entry>> {
        if self.accepts(operation, key).is_err() {
            return Ok(None);
        }
        match within(PATIENCE, operation, self.operator.stat(key)).await {
            Ok(found) if found.is_dir() => Ok(Some(Entry::directory(key.clone()))),
            Ok(found) => Ok(Some(self.described(key.clone(), &found, true))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(_) if self.below_an_object(operation, key).await.is_err() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Some servers fail, rather than find nothing, where a directory of the path is a file.
    ///
    /// # Errors
    /// `Exists` where that is so.
    pub async fn below_an_object(&self, operation: Operation, key: &str) -> Result<()> {
        for (at, _) in key.match_indices('/').filter(|_| self.tree) {
            let above = within(PATIENCE, operation, self.operator.stat(&key[..at])).await;
            if above.is_ok_and(|found| !found.is_dir()) {
                let why = format!("'{}' is no directory", &key[..at]);
                return Err(Error::new(ErrorKind::Exists, operation).because(why));
            }
        }
        Ok(())
    }

    /// An object as the library tells of it; a listing tells less than the `whole`.
    pub fn described(&self, key: Key, found: &opendal::Metadata, whole: bool) -> Entry {
        let mut entry = Entry::object(key, found.content_length());
        entry.stored = found.last_modified().map(|time| time.into_inner().into());
        // A tag may change with the metadata; a version is one of the content.
        entry.etag = found.version().or(found.etag()).map(|etag| etag.trim_matches('"').into());
        // Composed objects have none.
        let md5 = found.content_md5().and_then(|text| BASE64_STANDARD.decode(text).ok()?.try_into().ok());
        md5.into_iter().for_each(|md5| entry.digests.set(Digest::Md5(md5)));
        if !whole || !self.capabilities.metadata.user {
            return entry;
        }
        let mut metadata = Metadata { content_type: found.content_type().map(str::to_owned), ..Metadata::default() };
        for (name, value) in found.user_metadata().into_iter().flatten() {
            match name {
                MTIME => entry.modified = value.parse::<jiff::Timestamp>().ok().map(Timestamp::from),
                SHA256 => {
                    Digest::from_hex(Algorithm::Sha256, value).into_iter().for_each(|digest| entry.digests.set(digest));
                }
                _ => drop(metadata.user.insert(name.to_owned(), value.to_owned())),
            }
        }
        // Who wrote no time wrote the object when it was stored.
        entry.modified = entry.modified.or(entry.stored);
        entry.metadata = Some(Arc::new(metadata));
        entry
    }

    /// Removes what listings saw and nobody works on. Only who writes may, so a listing does not.
    pub async fn sweep(&self) {
        for path in self.stale.take() {
            self.discard(&path).await;
        }
    }
}

impl Removes for Place {
    async fn discard(&self, path: &str) {
        let _best_effort = within(PATIENCE, Operation::Put, self.operator.delete(path)).await;
    }
}
