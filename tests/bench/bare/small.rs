//! Many small objects, 64 at a time.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};

use crate::{
    Hash,
    wire::{Bucket, Result},
};

const HANDS: usize = 64;

/// Every file below `folder`: its key and its path.
pub fn walk(folder: &str) -> Result<Vec<(String, PathBuf)>> {
    let root = Path::new(folder);
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                let key = entry.path().strip_prefix(root)?.to_str().ok_or("a name in UTF-8")?.to_owned();
                found.push((key, entry.path()));
            }
        }
    }
    Ok(found)
}

/// Does `one` for every item, [`HANDS`] at a time.
async fn each<T, F>(items: Vec<T>, one: impl Fn(Arc<Vec<T>>, usize) -> F + Clone + Send + 'static) -> Result<()>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let (items, next) = (Arc::new(items), Arc::new(AtomicUsize::new(0)));
    let hands = (0..HANDS).map(|_| {
        let (items, next, one) = (Arc::clone(&items), Arc::clone(&next), one.clone());
        tokio::spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= items.len() {
                    return Result::Ok(());
                }
                one(Arc::clone(&items), at).await?;
            }
        })
    });
    let hands: Vec<_> = hands.collect();
    for hand in hands {
        hand.await??;
    }
    Ok(())
}

fn hex(bytes: &[u8], hash: Hash) -> Option<String> {
    let digest = |bytes| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    (hash != Hash::None).then(|| digest(bytes))
}

/// Files to objects, in one call each.
pub async fn up(folder: &str, bucket: Bucket, hash: Hash) -> Result<()> {
    let bucket = Arc::new(bucket);
    each(walk(folder)?, move |files, at| {
        let bucket = Arc::clone(&bucket);
        async move {
            let (key, path) = &files[at];
            let bytes = std::fs::read(path)?;
            let sha256 = hex(&bytes, hash);
            bucket.tell((Method::PUT, key, ""), HeaderMap::new(), sha256.as_deref(), bytes.into()).await?;
            Ok(())
        }
    })
    .await
}

/// Objects to files, each written beside its name and renamed.
pub async fn down(bucket: Bucket, folder: &str, hash: Hash) -> Result<()> {
    let (objects, bucket, folder) = (bucket.list().await?, Arc::new(bucket), PathBuf::from(folder));
    each(objects, move |objects, at| {
        let (bucket, folder) = (Arc::clone(&bucket), folder.clone());
        async move {
            let (key, _) = &objects[at];
            let (_, bytes) = bucket.ask((Method::GET, key, ""), HeaderMap::new()).await?;
            let _checked = hex(&bytes, hash);
            named(&folder.join(key), &bytes)
        }
    })
    .await
}

fn named(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    if std::fs::write(&partial, bytes).is_err() {
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(&partial, bytes)?;
    }
    Ok(std::fs::rename(partial, path)?)
}

/// Objects to objects of another endpoint, through memory.
pub async fn across(from: Bucket, to: Bucket) -> Result<()> {
    let (objects, from, to) = (from.list().await?, Arc::new(from), Arc::new(to));
    each(objects, move |objects, at| {
        let (from, to) = (Arc::clone(&from), Arc::clone(&to));
        async move {
            let (key, _) = &objects[at];
            let (_, bytes) = from.ask((Method::GET, key, ""), HeaderMap::new()).await?;
            to.tell((Method::PUT, key, ""), HeaderMap::new(), None, bytes).await?;
            Ok(())
        }
    })
    .await
}

/// Objects to objects of the same endpoint, copied there.
pub async fn within(from: Bucket, to: Bucket) -> Result<()> {
    let (objects, from, to) = (from.list().await?, Arc::new(from), Arc::new(to));
    each(objects, move |objects, at| {
        let (from, to) = (Arc::clone(&from), Arc::clone(&to));
        async move {
            let (key, _) = &objects[at];
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-copy-source", from.source(key).parse()?);
            to.tell((Method::PUT, key, ""), headers, None, Bytes::new()).await?;
            Ok(())
        }
    })
    .await
}

/// A listing and a walk with a `stat` of each file; every pair has the same size, or it is an error.
pub async fn same(folder: &str, bucket: Bucket) -> Result<()> {
    let folder = folder.to_owned();
    let files = tokio::task::spawn_blocking(move || -> Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for (key, path) in walk(&folder)? {
            files.push((key, std::fs::symlink_metadata(path)?.size()));
        }
        files.sort();
        Ok(files)
    });
    let objects = bucket.list().await?;
    if objects == files.await?? { Ok(()) } else { Err("they differ".into()) }
}

/// Files to files by two threads, each written beside its name and renamed.
pub fn local(source: &str, destination: &str) -> Result<()> {
    let files = Mutex::new(walk(source)?);
    let work = || -> Result<()> {
        loop {
            let Some((key, path)) = files.lock().expect("no thread falls over").pop() else { return Ok(()) };
            named(&Path::new(destination).join(key), &std::fs::read(path)?)?;
        }
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        hands.into_iter().try_for_each(|hand| hand.join().map_err(|_| "a thread fell over")?)
    })
}
