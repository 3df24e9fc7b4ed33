//! Whether everything is there that the manifests name.

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sterna_backends::{Algorithm, ErrorKind, Key, ListRequest, ReadRequest, Result, StoreExt};

use super::{Archive, Content, SnapshotId, layout::Shape};
use crate::index::of_chunks;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Manifests that were read.
    pub snapshots: u64,
    /// Contents and pieces that they name.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were read and hashed.
    pub read_bytes: u64,
    /// Contents that no manifest names: what a prune would delete.
    pub unnamed: u64,
    /// Their bytes.
    pub unnamed_bytes: u64,
    /// Flaws.
    pub flaws: u64,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Flaw {
    /// The object of the archive.
    pub key: Key,
    /// What is wrong with it.
    pub what: String,
    /// The oldest snapshot that needs it.
    #[serde(serialize_with = "as_text")]
    pub snapshot: SnapshotId,
}

fn as_text<S: serde::Serializer>(id: &SnapshotId, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// What is expected of a content.
struct Expected {
    size: u64,
    /// The first snapshot that names it.
    first: u32,
    found: bool,
}

/// Reads every manifest and lists the contents once; with `read` reads and hashes them all, `at_once` at a time. Each flaw
/// is told as it is found.
///
/// # Errors
/// What ended a listing, or a read that may succeed later.
pub async fn audit(archive: &Archive, read: bool, at_once: usize, mut tell: impl FnMut(Flaw)) -> Result<Audit> {
    let ids = archive.snapshots().await?;
    let mut audit = Audit::default();
    let mut flawed = |audit: &mut Audit, flaw: Flaw| {
        audit.flaws += 1;
        tell(flaw);
    };
    let mut expected: HashMap<(Shape, Content), Expected> = HashMap::new();
    for (at, id) in (0..).zip(&ids) {
        let manifest = match archive.manifest(id).await {
            Ok(manifest) => manifest,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) if error.kind() == ErrorKind::Integrity => {
                flawed(&mut audit, Flaw { key: id.key(), what: error.to_string(), snapshot: id.clone() });
                continue;
            }
            Err(error) => return Err(error),
        };
        audit.snapshots += 1;
        for line in manifest.lines() {
            let line = line?;
            for ((shape, content), size) in line.contents().zip(line.sizes()) {
                expected.entry((shape, content)).or_insert(Expected { size, first: at, found: false });
            }
        }
    }
    audit.contents = expected.len() as u64;
    audit.bytes = expected.values().map(|expected| expected.size).sum();
    for shape in Shape::ALL {
        let mut entries = archive.store.entries(ListRequest::all(shape.prefix()));
        while let Some(entry) = entries.try_next().await? {
            let Some(content) = shape.content(&entry.key) else { continue };
            match expected.get_mut(&(shape, content)) {
                Some(wanted) if entry.size.is_none_or(|size| size == wanted.size) => wanted.found = true,
                Some(wanted) => {
                    wanted.found = true;
                    let what = format!("{} bytes instead of {}", entry.size.unwrap_or(0), wanted.size);
                    let first = ids[wanted.first as usize].clone();
                    flawed(&mut audit, Flaw { key: entry.key, what, snapshot: first });
                }
                None => {
                    audit.unnamed += 1;
                    audit.unnamed_bytes += entry.size.unwrap_or(0);
                }
            }
        }
    }
    for ((shape, content), wanted) in expected.iter().filter(|(_, wanted)| !wanted.found) {
        let first = ids[wanted.first as usize].clone();
        let flaw = Flaw { key: shape.key(*content), what: "it is missing".to_owned(), snapshot: first };
        flawed(&mut audit, flaw);
    }
    if read {
        let there: Vec<_> = expected.into_iter().filter(|(_, wanted)| wanted.found).collect();
        let reads = there.into_iter().map(|((shape, content), wanted)| {
            let store = Arc::clone(&archive.store);
            async move {
                let key = shape.key(content);
                let found = hashed(&store, &key).await;
                (key, content, wanted, found)
            }
        });
        let mut reads = stream::iter(reads).buffer_unordered(at_once.max(1));
        while let Some((key, content, wanted, found)) = reads.next().await {
            let what = match found {
                Ok(found) if found == content => {
                    audit.read_bytes += wanted.size;
                    continue;
                }
                Ok(found) => format!("its bytes have the SHA-256 {found}"),
                Err(error) if error.is_retryable() && error.kind() != ErrorKind::Integrity => return Err(error),
                Err(error) => error.to_string(),
            };
            flawed(&mut audit, Flaw { key, what, snapshot: ids[wanted.first as usize].clone() });
        }
    }
    Ok(audit)
}

async fn hashed(store: &Arc<dyn sterna_backends::Store>, key: &Key) -> Result<Content> {
    let body = store.read(key, ReadRequest::default()).await?.body;
    let digests = of_chunks(body.chunks(), &[Algorithm::Sha256]).await?;
    Ok(Content(digests.sha256().unwrap_or_default()))
}
