//! A service as all calls share it: what lies there, in our words.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use opendal::Operator;

use super::calls::within;
use crate::{
    capability::Capabilities,
    entry::{Algorithm, Digest, Entry, Key, Metadata, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
};

/// How long one call may take: longer than any answer that is still on its way, connecting included.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// What the time of the content is kept under, as rclone keeps it (<https://rclone.org/googlecloudstorage/>), and its
/// SHA-256.
pub(super) const MTIME: &str = "mtime";
pub(super) const SHA256: &str = "sha256";

/// A bucket.
#[derive(Debug)]
pub(super) struct Place {
    pub name: String,
    pub operator: Operator,
    pub capabilities: Capabilities,
    /// Bytes of the largest object that is one request.
    pub chunk: usize,
}

impl Place {
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// # Errors
    /// `Unsupported` for a key that the service or the library would change.
    pub fn accepts(&self, operation: Operation, key: &str) -> Result<()> {
        self.capabilities.keys.refuse(key).map_or(Ok(()), |why| Err(Error::unsupported(operation, why)))
    }

    /// # Errors
    /// `NotFound`.
    pub async fn look(&self, operation: Operation, key: &Key) -> Result<Entry> {
        if self.accepts(operation, key).is_err() {
            return Err(Error::new(ErrorKind::NotFound, operation));
        }
        let found = within(PATIENCE, operation, self.operator.stat(key)).await?;
        Ok(self.described(key.clone(), &found, true))
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
}
